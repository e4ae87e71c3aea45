"""A source image as a worker has it: read, checked, decoded, preprocessed."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from amp_datasets.building.choosing.task import Task
from amp_datasets.errors import BuildError, CannotApply, ImageError
from amp_datasets.images.codec import WRITABLE, Encoding, Header, Limits, ValueRange, encoding_for, read_header
from amp_datasets.images.kinds import changes
from amp_datasets.model import ImageFile
from amp_datasets.rows.schema import dump_annotations
from amp_datasets.storage.folder import read_image_file
from amp_datasets.variants.breaking import why_not
from amp_datasets.variants.layers import load_original
from amp_datasets.variants.maker import VariantMaker
from amp_datasets.variants.recipe import Recipe, VariantSpec, canonical
from amp_datasets.variants.steps import Original

Decoded = tuple[bytes, Header, Original]

_FULL_RANGE = (0.0, 65535.0)
_KEPT, _KEPT_BYTES = 8, 2**28
"""So many other images stay decoded in a worker, and of large ones as many as there is room for."""


class LastDecoded:
    """The source that was decoded last: the pieces of one follow each other."""

    def __init__(self) -> None:
        self._kept: tuple[tuple[str, str, str], Decoded] | None = None

    def of(self, task: Task) -> Decoded | None:
        """What a task needs, if it was decoded last."""
        return self._kept[1] if self._kept is not None and self._kept[0] == _name(task) else None

    def keep(self, task: Task, decoded: Decoded) -> None:
        """Remember it if it is a piece; others are wanted once."""
        self._kept = (_name(task), decoded) if task.piece else None


class OtherImages:
    """The images that variants of other sources take parts of; those used last stay decoded."""

    def __init__(self, recipe: Recipe, variants: VariantMaker) -> None:
        self.variants = variants
        self._recipe = recipe
        self._kept: dict[str, Original] = {}

    def of(self, task: Task, spec: VariantSpec, copy: int, step: int) -> list[Original]:
        """Those of a copy's step. Raises CannotApply if one of them cannot be decoded."""
        return [self._other(canonical(other)) for other in task.beside[spec.name][copy][step]]

    def _other(self, text: str) -> Original:
        found = self._kept.pop(text, None) or self._decoded(json.loads(text))
        self._kept[text] = found
        while len(self._kept) > _KEPT or (len(self._kept) > 1 and sum(map(_bytes, self._kept.values())) > _KEPT_BYTES):
            self._kept.pop(next(iter(self._kept)))
        return found

    def _decoded(self, raw: dict[str, Any]) -> Original:
        recipe = self._recipe
        data = None if raw["data"] is None else base64.b64decode(raw["data"])
        file = ImageFile(Path(raw["path"]), raw["member"], data)
        values: ValueRange | None = tuple(json.loads(raw["values"])) if raw["values"] else None
        limits = recipe.limits
        try:
            original = _decoded(raw["source_sha256"], raw["source_labels"], (), file, recipe, limits, values)[2]
        except ImageError as error:
            raise CannotApply("another image cannot be decoded", fix=error.what) from error
        return self.variants.preprocessing.apply(original, raw["piece"]) if recipe.preprocess else original


class Loaded:
    """A source's bytes, header, pixels and labels; or, as ledger columns, why they cannot be used."""

    original: Original
    header: Header
    encoding: Encoding
    labels: str
    changed: bool = False

    def __init__(self, task: Task, recipe: Recipe, others: OtherImages, last: LastDecoded) -> None:
        self.problem: dict[str, str] | None = None
        limits = recipe.limits
        values: ValueRange | None = tuple(json.loads(task.values)) if task.values else None
        try:
            self.data, self.header, self.original = last.of(task) or _decoded(
                task.sha256, task.labels, task.one_sided, task.file, recipe, limits, values
            )
        except ImageError as error:
            self.problem = {"reason": "image cannot be decoded", "detail": error.what}
            return
        last.keep(task, (self.data, self.header, self.original))
        self.encoding = encoding_for(self.header, recipe.encode, values)
        self.labels = task.labels
        if recipe.preprocess:
            self._preprocess(task, others.variants)
        if task.beside and self.problem is None:
            self.original = replace(self.original, beside=partial(others.of, task))

    def _preprocess(self, task: Task, variants: VariantMaker) -> None:
        """Go on from a piece of it, and from what it shows."""
        source = self.original
        try:
            self.original = variants.preprocessing.apply(source, task.piece)
        except BaseException as error:
            reason, detail = why_not(error, task.source_id)
            self.problem = {"reason": reason, "detail": detail}
            return
        self.changed = self.original.image is not source.image
        if self.changed:
            self.labels = dump_annotations(self.original.annotations, self.original.labels)


def _bytes(original: Original) -> int:
    return sum(layer.nbytes for layer in (original.image, original.deep, original.alpha) if layer is not None)


def _name(task: Task) -> tuple[str, str, str]:
    return task.sha256, task.labels, task.values


def _decoded(
    sha256: str,
    labels: str,
    one_sided: Sequence[str],
    file: ImageFile,
    recipe: Recipe,
    limits: Limits,
    values: ValueRange | None,
) -> Decoded:
    """Raises ImageError, and BuildError if the file is not the one that was planned with."""
    data = read_image_file(file, limits.max_bytes)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise BuildError("the image changed during the build", where=file, fix="run the build again")
    header = read_header(data, limits, file)
    original = load_original(
        data,
        header,
        encoding_for(header, recipe.encode, values),
        sha256=sha256,
        labels=labels,
        one_sided=one_sided,
        values=values,
        where=file,
    )
    return data, header, original


def why_anew(header: Header, encoding: Encoding) -> list[str]:
    """Why an original is not copied byte for byte; nothing if it is."""
    why = ["turned upright"] if header.orientation != 1 else []
    if header.format not in WRITABLE:
        why.append(f"converted from {header.format.upper()} to {encoding.format.upper()}")
    if encoding.values not in (None, _FULL_RANGE):
        why.append("black and white noted in the file")
    return [*why, *changes(header, encoding)]
