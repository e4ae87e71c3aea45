"""The pixels that a build will write, made on demand: planned, filtered at full size and encoded as a worker does.

What the page shows is that image, shrunk, with its labels drawn; nothing is filtered small, for filters that count in
pixels would look stronger than they are.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from amp_datasets.building.choosing.partners import Partners, as_json
from amp_datasets.building.choosing.prepared import Prepared, copies_of
from amp_datasets.building.choosing.task import Task
from amp_datasets.building.loaded import Decoded, LastDecoded, Loaded, OtherImages
from amp_datasets.errors import AmpError, ImageError
from amp_datasets.filtering.base import JoiningFilter
from amp_datasets.images.codec import Encoding, Limits, decode, encode, read_header
from amp_datasets.images.drawing.labels import draw_labels
from amp_datasets.model import Annotation, Category, Image, Size
from amp_datasets.rows.schema import dump_annotations
from amp_datasets.sources.joining import Item
from amp_datasets.variants.layers import variant_pixels
from amp_datasets.variants.maker import Planned, Refused, VariantMaker
from amp_datasets.variants.recipe import Recipe, VariantSpec
from amp_datasets.view.preview import sample_tile

_KEPT_BYTES = 512 * 2**20
_QUALITY = 88


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """A variant: what `encode` takes, the labels, and those that the source had."""

    pixels: NDArray[Any]
    encoding: Encoding
    planned: Planned
    before: tuple[Annotation, ...]

    @property
    def data(self) -> bytes:
        """The bytes of the file that a build writes."""
        return encode(self.pixels, self.encoding)

    @property
    def labels(self) -> str:
        """The labels as the ledger holds them."""
        return dump_annotations(self.planned.judged.annotations, self.planned.judged.labels)

    def facts(self) -> dict[str, Any]:
        """What happened to the labels."""
        judged = self.planned.judged
        return {
            "size": list(self.planned.warp.size),
            "labels_in": len(self.before),
            "labels_out": len(judged.annotations),
            "partial": judged.partial,
            "estimated": judged.estimated,
            "dropped": dict(judged.dropped),
            "growth": _growth(self.before, judged.annotations),
            "draw": list(self.planned.records),
            "copy": self.planned.copy,
        }


class DecodedSources(LastDecoded):
    """The sources that were looked at last, decoded, as far as they fit into half a gigabyte."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._sources: dict[Any, Decoded] = {}

    def of(self, task: Task) -> Decoded | None:
        """What a task needs, if it is at hand."""
        with self._lock:
            found = self._sources.pop(_key(task), None)
            if found is not None:
                self._sources[_key(task)] = found
            return found

    def keep(self, task: Task, decoded: Decoded) -> None:
        """Remember it, and forget what was not asked for longest."""
        with self._lock:
            self._sources[_key(task)] = decoded
            while len(self._sources) > 1 and sum(map(_bytes, self._sources.values())) > _KEPT_BYTES:
                self._sources.pop(next(iter(self._sources)))


class Renderer:
    """Makes variants of the open sets' images, several at a time; filters are built anew for each, as cheap as that is.

    Of one `slot` only the newest request is worth its work: one that waited while a newer came is given up.
    """

    def __init__(self) -> None:
        self._decoded: dict[str, DecodedSources] = {}
        self._newest: dict[str, int] = {}
        self._lanes = {True: threading.Lock(), False: threading.Lock()}

    def variant(
        self, prepared: Prepared, item: Item, name: str, copy: int = 0, seed: int | None = None
    ) -> Rendered | Refused:
        """The copy of a kind of variant, by its name, as a build makes it; with `seed` as one of that seed does.

        Raises AmpError if the image cannot be used.
        """
        recipe = prepared.recipe if seed is None else replace(prepared.recipe, seed=seed)
        spec = next(spec for spec in recipe.variants if spec.name == name)
        maker = VariantMaker(recipe, prepared.registry)
        task = _task(prepared, item, recipe, spec)
        source = Loaded(task, recipe, OtherImages(recipe, maker), self._sources(recipe))
        if source.problem is not None:
            raise ImageError(source.problem["reason"], where=item.sample.source_id, fix=source.problem["detail"])
        planned: Planned | Refused | None = None
        for planned in maker.plan_copies(source.original, spec, copies_of(item, spec)):
            if planned.copy == copy:
                break
        if planned is None:
            raise AmpError("there is no such copy", fix="ask for one of those that the mix makes")
        if isinstance(planned, Refused):
            return planned
        pixels = variant_pixels(source.original, planned, source.encoding, recipe.limits)
        return Rendered(pixels, source.encoding, planned, source.original.annotations)

    @contextmanager
    def turn(self, slot: str, serial: int, *, first: bool) -> Iterator[bool]:
        """Wait for one's turn; False if a newer request of the slot came meanwhile. `first` passes those in a row."""
        self._newest[slot] = max(serial, self._newest.get(slot, serial))
        with self._lanes[first]:
            yield self._newest.get(slot, serial) <= serial
        if len(self._newest) > 1000:
            self._newest.clear()

    def _sources(self, recipe: Any) -> DecodedSources:
        """Sources decoded for these settings: other ones keep other layers."""
        name = f"{recipe.encode} {recipe.limits}"
        if name not in self._decoded:
            self._decoded = {name: DecodedSources()}
        return self._decoded[name]


def drawn(
    image: NDArray[Any], annotations: tuple[Annotation, ...], categories: tuple[Category, ...], size: Size
) -> bytes:
    """An image shrunk to fit into `size`, its labels drawn, as JPEG for the page."""
    shown = draw_labels(image, annotations, categories, size=size)
    done, data = cv2.imencode(".jpg", np.asarray(shown)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise ImageError("this image cannot be shown")
    return bytes(data)


def shown_variant(rendered: Rendered, categories: tuple[Category, ...], size: Size, labels: bool) -> bytes:
    """A variant as the page shows it."""
    image = rendered.pixels
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        image = file_image(rendered.data)
    return drawn(image, tuple(rendered.planned.judged.annotations) if labels else (), categories, size)


def shown_source(item: Item, categories: tuple[Category, ...], size: Size, labels: bool) -> bytes:
    """An image of a set as the page shows it. Raises ImageError."""
    tile = sample_tile(item.sample)
    if tile.image is None:
        raise ImageError(tile.note, where=item.sample.source_id)
    return drawn(tile.image, item.sample.annotations if labels else (), categories, size)


def file_image(data: bytes) -> Image:
    """An image file's pixels."""
    return decode(data, read_header(data, Limits()))


def _task(prepared: Prepared, item: Item, recipe: Recipe, spec: VariantSpec) -> Task:
    """What a worker would be given, as far as this kind of variant is concerned."""
    sample = item.sample
    labels = dump_annotations(sample.annotations, sample.labels)
    values = "" if item.values is None else json.dumps(item.values)
    beside: dict[str, Any] = {}
    if any(issubclass(prepared.registry.filter(step.filter), JoiningFilter) for step in spec.steps):
        partners = Partners(replace(prepared, recipe=recipe))
        beside[spec.name] = as_json(partners.of(item, spec, copies_of(item, spec)))
    return Task(
        sample.source_id,
        sample.image,
        item.sha256,
        labels,
        str(sample.split),
        item.stem,
        {},
        group=str(sample.group),
        one_sided=item.one_sided,
        values=values,
        piece=item.piece,
        beside=beside,
    )


def _key(task: Task) -> Any:
    return task.sha256, task.labels, task.values, task.one_sided


def _bytes(decoded: Decoded) -> int:
    data, _, original = decoded
    return len(data) + int(original.image.nbytes)


def _growth(before: tuple[Annotation, ...], after: Any) -> float | None:
    """By what share boxes became larger on average, where none was lost."""
    if not before or len(before) != len(after):
        return None
    areas = [[(a.xyxy[2] - a.xyxy[0]) * (a.xyxy[3] - a.xyxy[1]) for a in each] for each in (before, after)]
    return round(sum(areas[1]) / max(sum(areas[0]), 1e-9) - 1, 3)
