"""The YOLO exporter that chooses the form of rows by the labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import ClassVar, Literal, NamedTuple

from pydantic import Field

from amp_datasets.formats.base import Feature, Options, Part, PartedExporter
from amp_datasets.model import LabelSet, Sample

from .export import YoloDetectExporter, YoloObbExporter, YoloPoseExporter, YoloSegmentExporter

_FORMS = (YoloDetectExporter, YoloSegmentExporter, YoloPoseExporter, YoloObbExporter)


class YoloOptions(Options):
    """What somebody may say about the rows."""

    task: Literal["detect", "segment", "pose", "obb"] | None = Field(
        default=None, description="the form of the rows; by default the one that the labels have"
    )


class YoloExporter(PartedExporter[YoloOptions]):
    """Writes the richest form that the labels have: poses, oriented boxes, outlines, else plain boxes."""

    name: ClassVar[str] = "yolo"
    title: ClassVar[str] = "YOLO: detect, segment, pose or oriented, whichever the labels are"
    holds: ClassVar[frozenset[Feature]] = YoloDetectExporter.holds
    shares_images: ClassVar[bool] = True
    file_per_image: ClassVar[bool] = True
    options_type: ClassVar[type[Options]] = YoloOptions
    chosen: YoloDetectExporter | None = None

    def write(self, labels: LabelSet) -> None:
        """Write images, rows and data.yaml."""
        self._form([self.survey(labels.samples)]).write(labels)

    def survey(self, samples: Iterable[Sample]) -> Traits:
        """What decides about the form."""
        return traits_of(samples)

    def write_part(self, labels: LabelSet, part: Part) -> dict[str, str]:
        """The label files, in the form that all parts have."""
        return self._form(part.surveys).write_part(labels, _for_form(part))

    def join_parts(self, labels: LabelSet, parts: Sequence[Part]) -> None:
        """The data.yaml of that form."""
        self._form(parts[0].surveys if parts else ()).join_parts(labels, [_for_form(part) for part in parts])

    def losses(self, samples: Iterable[Sample]) -> Counter[str]:
        """What the chosen form does not hold."""
        listed = samples if isinstance(samples, Collection) else list(samples)
        return (self.chosen or self._form([self.survey(listed)])).losses(listed)

    def _form(self, surveys: Collection[Traits]) -> YoloDetectExporter:
        asked = [form for form in _FORMS if form.task == self.options.task]
        form = asked[0] if asked else form_of(surveys)
        self.chosen = form(self.target, Options(), self.place)
        return self.chosen


class Traits(NamedTuple):
    """What some labels have, as far as it decides about the form of rows; `points` is the most of an object."""

    objects: bool = False
    keypoints: bool = False
    oriented: bool = False
    outlined: bool = False
    bare: bool = False
    points: int = 0


def traits_of(samples: Iterable[Sample]) -> Traits:
    """The traits of all labels of some samples."""
    found = {"objects": False, "keypoints": False, "oriented": False, "outlined": False, "bare": False}
    points = 0
    for annotation in (a for sample in samples for a in sample.annotations):
        found["objects"] = True
        if annotation.keypoints is not None:
            found["keypoints"] = True
            points = max(points, len(annotation.keypoints))
        found["oriented"] = found["oriented"] or annotation.corners is not None
        bare = not annotation.polygons and annotation.mask is None
        found["outlined"] = found["outlined"] or (not bare and annotation.corners is None)
        found["bare"] = found["bare"] or bare
    return Traits(**found, points=points)


def form_of(traits: Collection[Traits]) -> type[YoloDetectExporter]:
    """The exporter for what labels are: any keypoints, any oriented box, or outlines of all objects; else boxes.

    Where only some objects have an outline, the others' four corners would teach a trainer masks that are none; and
    beside oriented boxes, the smallest rectangle around an outline would replace the object's own box.
    """
    if any(each.keypoints for each in traits):
        return YoloPoseExporter
    if any(each.oriented for each in traits) and not any(each.outlined for each in traits):
        return YoloObbExporter
    plain = any(each.bare for each in traits) or not any(each.objects for each in traits)
    return YoloDetectExporter if plain else YoloSegmentExporter


def _for_form(part: Part) -> Part:
    """The part as the form that was chosen knows it: of all that was found, the most keypoints of an object."""
    return replace(part, surveys=tuple({each.points for each in part.surveys}))
