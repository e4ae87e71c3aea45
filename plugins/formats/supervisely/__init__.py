"""Supervisely: a project of data sets, one JSON an image, its classes in meta.json.

https://docs.supervisely.com/data-organization/00_ann_format_navi/04_supervisely_format_project_structure

    meta.json   train/img/a.jpg   train/ann/a.jpg.json

    {"size": {"height": 120, "width": 160}, "tags": [], "objects": [
      {"classTitle": "bolt", "geometryType": "rectangle", "tags": [],
       "points": {"exterior": [[20, 20], [79, 69]], "interior": []}}]}

Objects of one class and `instance` are parts of one. The split of an image is the data set's name, or a tag on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, ClassVar, Literal

from amp_datasets.errors import SourceError
from amp_datasets.formats.base import Detection, Options, Source
from amp_datasets.formats.kit.reading import brief, category_name, finite, parse_json, split_name, split_of
from amp_datasets.formats.kit.structure import json_paths
from amp_datasets.geometry.joining import JOINED, KEYPOINTS_BOX, Joiner
from amp_datasets.images.codec import Header
from amp_datasets.model import Category, LabelSet, Size
from amp_datasets.plugin.registry import Registry
from amp_datasets.storage.folder import Folder

from .export import EXACT, SuperviselyExporter
from .meta import Meta, read_meta
from .objects import HELD, WITHOUT_AREA, Pixels, has_fractions, kind_of, to_annotation

_ERRORS = (ValueError, KeyError, TypeError, AttributeError, OverflowError)


class SuperviselyOptions(Options):
    """`pixels`: whether numbers are whole pixels, as its library writes them, or edges, as its labelling tool does.

    By default numbers are edges if any of the set has a fraction.
    """

    pixels: Literal["auto", "whole", "edges"] = "auto"


class SuperviselySource(Source[SuperviselyOptions]):
    """Reads every project of a folder."""

    name: ClassVar[str] = "supervisely"
    title: ClassVar[str] = "Supervisely project"
    options_type: ClassVar[type[Options]] = SuperviselyOptions

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """A JSON in a folder `ann` with `size` and `objects`."""
        file = next(_label_files(folder), None)
        return Detection(f"{file} has Supervisely's `size` and `objects`", 88) if file is not None else None

    def read(self) -> LabelSet:
        """The set; a JSON that cannot be read drops its image."""
        self._metas = {file: read_meta(self.reading, file) for file in _meta_files(self.folder)}
        self._classes: dict[str, Category] = {}
        for meta in self._metas.values():
            for name, category in meta.classes.items():
                known = self._classes.setdefault(name, category)
                if category.keypoints and not known.keypoints:
                    self._classes[name] = category
        documents: dict[str, dict[str, Any]] = {}
        self.reading.use(*self._metas)
        for file in _label_files(self.folder):
            self.reading.use(file)
            try:
                document = parse_json(self.folder.read(file), self.folder.path(file))
            except SourceError as error:
                self.reading.drop(file, "label file cannot be read", error.what)
                continue
            if isinstance(document, dict) and isinstance(document.get("objects"), list):
                documents[file] = document
            else:
                self.reading.drop(file, "label file cannot be read", "it has no list of objects")
        pixels = self._pixels(documents)
        for file, document in documents.items():
            self._read_document(file, document, pixels)
        return self.reading.finish(self._classes.values())

    def _pixels(self, documents: dict[str, dict[str, Any]]) -> Pixels:
        """What the numbers of the set are, as asked or by the evidence in all of them."""
        if self.options.pixels != "auto":
            return self.options.pixels
        if any(has_fractions(document["objects"]) for document in documents.values()):
            return "edges"
        if any(document["objects"] for document in documents.values()):
            detail = "as its library counts; the option `pixels: edges` reads them as edges"
            self.reading.repair("pixels", "whole numbers read as pixels", detail)
        return "whole"

    def _read_document(self, file: str, document: dict[str, Any], pixels: Pixels) -> None:
        image = self._image(file)
        header = None if image is None else self.reading.header(image)
        if image is None or header is None:
            return
        meta, declared = self._meta_of(file), _declared(document.get("size"))
        custom = document.get("customBigData")
        exact = isinstance(custom, dict) and custom.get("pixels") == EXACT and self.options.pixels == "auto"
        joiner = Joiner()
        for number, entry in enumerate(document["objects"], start=1):
            size = declared or header.size
            self._read_object(entry, meta, size, "exact" if exact else pixels, joiner, f"{image}#{number}")
        tagged = _tagged_split(document.get("tags"))
        split = self.reading.splits.listed(image) or split_of(image) or tagged or split_of(file)
        tags = [name for name in _names_of(document.get("tags")) if split_name(name) is None]
        self._finish(image, header, declared, split, joiner, len(document["objects"]), tags)

    def _finish(
        self,
        image: str,
        header: Header,
        declared: Size | None,
        split: str | None,
        joiner: Joiner,
        shapes: int,
        tags: Sequence[str],
    ) -> None:
        objects = joiner.objects()
        if joiner.joined:
            self.reading.repair(image, JOINED, f"{joiner.joined} shapes")
        if joiner.boxed:
            self.reading.repair(image, KEYPOINTS_BOX, f"{joiner.boxed} objects")
        if shapes and not objects:
            self.reading.drop(image, "no usable label", f"all {shapes} objects were dropped")
            return
        self.reading.add(image, objects, header=header, declared=declared, split=split, tags=tags)

    def _image(self, file: str) -> str | None:
        """The image of an annotation: of its name without `.json` in the folder `img` beside; None, and counted."""
        home, name = PurePosixPath(file).parent.parent, PurePosixPath(file).stem
        beside = (home / "img" / name).as_posix()
        return beside if beside in self.reading.images else self.reading.image_for(file, name)

    def _meta_of(self, file: str) -> Meta:
        """The meta.json of the project that an annotation is in: the nearest one, upwards."""
        for above in PurePosixPath(file).parents:
            found = self._metas.get((above / "meta.json").as_posix())
            if found is not None:
                return found
        return Meta()

    def _read_object(self, entry: Any, meta: Meta, size: Size, pixels: Pixels, joiner: Joiner, report: str) -> None:
        kind = kind_of(entry) if isinstance(entry, dict) else "object"
        if kind in WITHOUT_AREA:
            self.reading.drop(report, "shape has no area", kind)
            return
        if kind not in HELD and isinstance(entry, dict):
            self.reading.drop(report, "kind of label is not read", kind[:40])
            return
        try:
            category = category_name(entry["classTitle"])
            annotation = to_annotation(kind, entry, category, meta.nodes.get(category, {}), size, pixels)
            attributes = _attributes(entry.get("tags"))
        except _ERRORS as error:
            self.reading.drop(report, "label cannot be read", f"{type(error).__name__}: {error}"[:100])
            return
        self._classes.setdefault(category, Category(category))
        group = entry.get("instance")
        joiner.add(replace(annotation, attributes=attributes), group if isinstance(group, str) and group else None)


def _tagged_split(tags: Any) -> str | None:
    """The split that a tag of the image names."""
    return next((split for name in _names_of(tags) if (split := split_name(name)) is not None), None)


def _names_of(tags: Any) -> list[str]:
    """The names of an image's tags."""
    return (
        [str(tag["name"]) for tag in tags if isinstance(tag, dict) and tag.get("name")]
        if isinstance(tags, list)
        else []
    )


def _label_files(folder: Folder) -> Iterator[str]:
    for file in folder.with_suffix(".json"):
        if file.startswith("ann/") or "/ann/" in file:
            paths = json_paths(folder, file, (b'"objects"',))
            if {("objects",), ("size",), ("size", "width")} <= paths:
                yield file


def _meta_files(folder: Folder) -> Iterator[str]:
    return (file for file in folder.with_suffix(".json") if PurePosixPath(file).name == "meta.json")


def _declared(size: Any) -> Size | None:
    try:
        width, height = (finite(size[side]) for side in ("width", "height"))
    except (ValueError, KeyError, TypeError):
        return None
    return (int(width), int(height)) if width >= 1 and height >= 1 else None


def _attributes(tags: Any) -> dict[str, Any]:
    """The tags of an object: their values, or that they are there."""
    found: dict[str, Any] = {}
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, dict) and isinstance(tag.get("name"), str):
            value = tag.get("value")
            found[tag["name"]] = (
                True if value is None else value if isinstance(value, str | int | float) else brief(value)
            )
    return found


def register(registry: Registry) -> None:
    """Offer both sides of the format."""
    registry.add_source(SuperviselySource)
    registry.add_exporter(SuperviselyExporter)
