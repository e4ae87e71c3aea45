"""What all readers of sets share: finding pictures, cleaning labels, parsing text and JSON, and counting every loss."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

import numpy as np

from amp_datasets import geometry
from amp_datasets.errors import AmpError, ImageError, SourceError
from amp_datasets.folder import Folder
from amp_datasets.image import IMAGE_SUFFIXES, Header, Limits, orientation_matrix, read_bytes, read_header
from amp_datasets.model import Annotation, Category, Dropped, FloatArray, ImageFile, LabelSet, Polygon, Repair, Sample, Size
from amp_datasets.warp import Affine

_MAX_CATEGORY_CHARACTERS = 200


@dataclass
class Reading:
    """One reading of a set: it opens pictures' headers, cleans labels, and keeps the list of what was lost or mended."""

    folder: Folder
    limits: Limits = field(default_factory=Limits)
    dropped: list[Dropped] = field(default_factory=list)
    repairs: list[Repair] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pictures = Pictures(self.folder)
        self._samples: dict[str, Sample] = {}

    def drop(self, name: str, reason: str, detail: str = "") -> None:
        """Set something aside: `reason` is a constant, `detail` what was special."""
        self.dropped.append(Dropped(name, reason, detail))

    def repair(self, name: str, rule: str, detail: str = "") -> None:
        """Count a mistake that was mended without doubt about its meaning."""
        self.repairs.append(Repair(name, rule, detail))

    def header(self, picture: str) -> Header | None:
        """The header of a picture of the folder; None, and counted as dropped, if it is not usable."""
        return self.header_of(picture, self.folder.image(picture))

    def header_of(self, source_id: str, file: ImageFile) -> Header | None:
        """The header of a picture wherever it is; None, and counted as dropped, if it is not usable."""
        try:
            return read_header(read_bytes(file, self.limits), self.limits, file)
        except (ImageError, SourceError) as error:
            self.drop(source_id, "picture cannot be read", error.what)
            return None

    def add(
        self,
        picture: str,
        annotations: Iterable[Annotation],
        *,
        header: Header | None = None,
        file: ImageFile | None = None,
        declared: Size | None = None,
        labelled: bool = True,
        split: str | None = None,
        group: str | None = None,
    ) -> None:
        """Take in one image with its labels in pixels; dropped and counted if nothing usable is left of it.

        `declared` is the size that the label file states; it tells whether labels refer to the picture as stored or
        as shown (EXIF). Without it they refer to the upright picture, as annotation tools show it.
        """
        image = file or self.folder.image(picture)
        header = header or self.header_of(picture, image)
        if header is None:
            return
        if picture in self._samples:
            self.drop(picture, "picture is listed twice", "the first entry is kept")
            return
        upright = self._upright(picture, list(annotations), header, declared)
        if upright is None:
            return
        kept = self._clean(picture, upright, header.size)
        if upright and not kept:
            self.drop(picture, "no usable label", f"all {len(upright)} labels were dropped")
            return
        self._samples[picture] = Sample(picture, image, header.size, tuple(kept), labelled, split, group)

    def finish(self, categories: Iterable[Category], name: str = "") -> LabelSet:
        """The set, with pictures that no label file mentioned as unlabelled samples."""
        gone = {item.id for item in self.dropped}
        for picture in self.pictures.names:
            if picture not in self._samples and picture not in gone:
                self.add(picture, (), labelled=False, split=split_of(picture))
        samples = tuple(self._samples[name] for name in sorted(self._samples))
        return LabelSet(tuple(categories), samples, tuple(self.dropped), tuple(self.repairs), name)

    def _upright(
        self, picture: str, annotations: list[Annotation], header: Header, declared: Size | None
    ) -> list[Annotation] | None:
        """Labels in the frame of the upright picture; None if the declared size fits neither frame."""
        if declared is None or declared == header.size:
            return annotations
        if declared == header.stored:
            self.repair(picture, "labels turned upright", f"EXIF orientation {header.orientation}")
            return [transform(a, Affine(orientation_matrix(header))) for a in annotations]
        self.drop(
            picture,
            "label file contradicts the picture's size",
            f"label file says {declared[0]}x{declared[1]}, the picture is {header.size[0]}x{header.size[1]}",
        )
        return None

    def _clean(self, picture: str, annotations: list[Annotation], size: Size) -> list[Annotation]:
        """Labels that lie inside the image and have an area; the others are dropped, repeated ones merged."""
        kept: list[Annotation] = []
        seen: set[tuple[object, ...]] = set()
        for number, annotation in enumerate(annotations, start=1):
            label = f"{picture}#{number}"
            cleaned = self._clean_one(label, annotation, size)
            if cleaned is None:
                continue
            identity = _identity(cleaned)
            if identity in seen:
                self.repair(label, "duplicate label removed", cleaned.category)
                continue
            seen.add(identity)
            kept.append(cleaned)
        return kept

    def _clean_one(self, label: str, annotation: Annotation, size: Size) -> Annotation | None:
        numbers = [annotation.xyxy, *(ring for p in annotation.polygons for ring in p.rings)]
        numbers += [a for a in (annotation.corners, annotation.keypoints) if a is not None]
        if not all(np.isfinite(values).all() for values in numbers):
            self.drop(label, "label has a coordinate that is not a finite number", annotation.category)
            return None
        annotation = self._clean_polygons(label, annotation)
        x0, y0, x1, y1 = annotation.xyxy
        if x0 > x1 or y0 > y1:
            self.drop(label, "box has a negative width or height", f"{annotation.category} {annotation.xyxy}")
            return None
        inside = geometry.clip_box(annotation.xyxy, size)
        if geometry.box_area(inside) <= 0:
            empty = geometry.box_area(annotation.xyxy) <= 0
            reason = "box has no area" if empty else "box is outside the picture"
            self.drop(label, reason, f"{annotation.category} {annotation.xyxy}")
            return None
        if inside != annotation.xyxy:
            return self._clip(label, annotation, inside, size)
        return annotation

    def _clip(self, label: str, annotation: Annotation, inside: tuple[float, ...], size: Size) -> Annotation | None:
        beyond = max(abs(a - b) for a, b in zip(annotation.xyxy, inside, strict=True))
        if beyond > 1e-6 * max(size):
            self.repair(label, "box clipped to the picture", f"{annotation.category}: {beyond:.3f} px outside")
        x0, y0, x1, y1 = inside
        if not annotation.polygons:
            return replace(annotation, xyxy=(x0, y0, x1, y1))
        frame = geometry.to_shapely([Polygon(geometry.rectangle((0.0, 0.0, float(size[0]), float(size[1]))))])
        polygons = geometry.from_shapely(geometry.to_shapely(annotation.polygons).intersection(frame))
        if not polygons:
            self.drop(label, "polygon is outside the picture", annotation.category)
            return None
        return replace(annotation, xyxy=geometry.bounds(p.exterior for p in polygons), polygons=polygons)

    def _clean_polygons(self, label: str, annotation: Annotation) -> Annotation:
        if not annotation.polygons:
            return annotation
        parts = []
        for part in annotation.polygons:
            exterior = _without_repeats(part.exterior)
            holes = tuple(hole for hole in map(_without_repeats, part.holes) if len(hole) >= 3)
            if len(exterior) != len(part.exterior):
                self.repair(label, "repeated polygon point removed", annotation.category)
            if len(exterior) >= 3 and geometry.ring_area(exterior) > 0:
                parts.append(Polygon(exterior, holes))
            else:
                self.repair(label, "polygon part without area removed", annotation.category)
        return replace(annotation, polygons=tuple(parts))


class Pictures:
    """The pictures of a folder, found by the many ways in which label files name them."""

    def __init__(self, folder: Folder) -> None:
        self.names = folder.with_suffix(*IMAGE_SUFFIXES)
        self._by_key: dict[str, list[str]] = {}
        for name in self.names:
            for key in {name.lower(), PurePosixPath(name).name.lower(), _stem(name).lower()}:
                self._by_key.setdefault(key, []).append(name)

    def find(self, reference: str, near: str = "") -> str | None:
        """The picture that a label file means: by relative path, then by bare name, then without its ending.

        Windows and percent-encoded paths are understood. `near` is the folder of the label file: of several pictures
        of one name the one in or below it is meant. None if there is no such picture, or no telling which.
        """
        for spelled in dict.fromkeys((reference, unquote(reference))):
            path = PurePosixPath(spelled.replace("\\", "/"))
            joined = (PurePosixPath(near) / path).as_posix().lower()
            for key in (joined, path.as_posix().lower(), path.name.lower(), path.stem.lower(), path.name.lower() + "."):
                found = self._by_key.get(key, [])
                closest = [name for name in found if name == spelled or name.lower() == joined]
                closest = closest or [name for name in found if near and name.startswith(near.rstrip("/") + "/")] or found
                if len(closest) == 1:
                    return closest[0]
        return None


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def transform(annotation: Annotation, affine: Affine) -> Annotation:
    """A label under a map that moves whole pixels (EXIF): every kind of outline goes along."""
    polygons = tuple(Polygon(affine(p.exterior), tuple(map(affine, p.holes))) for p in annotation.polygons)
    corners = None if annotation.corners is None else affine(annotation.corners)
    keypoints = annotation.keypoints
    if keypoints is not None:
        keypoints = np.column_stack([affine(keypoints[:, :2]), keypoints[:, 2]])
        keypoints[keypoints[:, 2] == 0] = 0
    box = geometry.bounds([affine(geometry.rectangle(annotation.xyxy))])
    mask = annotation.mask
    if mask is not None:
        mask = _transform_mask(mask, affine)
    return replace(annotation, xyxy=box, polygons=polygons, corners=corners, keypoints=keypoints, mask=mask)


def _transform_mask(mask: Any, affine: Affine) -> Any:
    from amp_datasets.warp import Warp, resample_mask

    stored = geometry.decode_mask(mask)
    frame = geometry.bounds([affine(geometry.rectangle((0.0, 0.0, float(mask.size[0]), float(mask.size[1]))))])
    size = (round(frame[2]), round(frame[3]))
    return geometry.encode_mask(resample_mask(stored, Warp((affine,), mask.size, size)))


def _identity(annotation: Annotation) -> tuple[object, ...]:
    outline = tuple(ring.tobytes() for p in annotation.polygons for ring in p.rings)
    points = tuple(a.tobytes() for a in (annotation.corners, annotation.keypoints) if a is not None)
    return (annotation.category, annotation.xyxy, outline, points, annotation.mask, annotation.iscrowd)


def _without_repeats(ring: FloatArray) -> FloatArray:
    """A ring without points that repeat the one before, and without a repeated closing point."""
    if len(ring) < 2:
        return ring
    different = (ring != np.roll(ring, 1, axis=0)).any(axis=1)
    return ring[different] if not different.all() else ring


def split_of(name: str) -> str | None:
    """The split that a path's folders name (train, validation, test), if any."""
    for part in PurePosixPath(name).parts[:-1]:
        split = split_name(part)
        if split is not None:
            return split
    return None


def split_name(word: str) -> str | None:
    """The split that a folder or key means, in any of the spellings that tools use."""
    lowered = word.lower()
    if lowered in {"train", "training", "train2017"}:
        return "train"
    if lowered in {"validation", "valid", "val", "dev", "val2017"}:
        return "validation"
    return "test" if lowered in {"test", "testing", "test2017"} else None


def finite(value: object) -> float:
    """A JSON or text value as a finite float; ValueError for anything else (booleans and huge integers too)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{value!r} is not a number")
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError("the number is too large") from error
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not a finite number")
    return number


def points(values: Sequence[object]) -> FloatArray:
    """A flat list x1 y1 x2 y2 ... as an (n, 2) array; ValueError if it is not that."""
    if len(values) % 2:
        raise ValueError(f"{len(values)} coordinates are not pairs")
    return np.array([finite(value) for value in values], dtype=np.float64).reshape(-1, 2)


def category_name(value: object) -> str:
    """A class name as text, spaces at its ends cut; ValueError for what cannot be one."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{value!r} is not a class name")
    name = str(value).strip()
    if not name or len(name) > _MAX_CATEGORY_CHARACTERS or any(ord(c) < 32 for c in name):
        raise ValueError(f"{name[:40]!r} is not a class name")
    return name


def parse_text(data: bytes, where: object) -> str:
    """A label file's text: UTF-8 with or without a byte order mark, UTF-16 with one, any line ends."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise SourceError(f"this is not UTF-8 text (byte {error.start})", where=where, fix="save it as UTF-8") from error


def parse_json(data: bytes, where: object) -> Any:
    """A JSON document; a SourceError with line and column if it is not one."""
    try:
        return json.loads(parse_text(data, where))
    except json.JSONDecodeError as error:
        raise SourceError(f"this is not JSON: {error.msg}", where=f"{where}:{error.lineno}:{error.colno}") from error
    except RecursionError as error:
        raise SourceError("this JSON is nested too deeply", where=where) from error
    except ValueError as error:  # an integer of more than 4,300 digits
        raise SourceError(f"this JSON cannot be read: {error}", where=where) from error


def looks_like(folder: Folder, name: str, words: Sequence[bytes], limit: int = 65536) -> bool:
    """Whether a file's beginning contains all these words; False for a file that cannot be read."""
    try:
        head = folder.read(name)[:limit]
    except AmpError:
        return False
    return all(word in head for word in words)
