"""The law of reading: every file that looks like a label file is read, or named in an error."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from amp_datasets.errors import AmpError
from amp_datasets.formats.kit.image_lookup import ImageLookup
from amp_datasets.formats.kit.meaning.class_lists import is_class_list
from amp_datasets.formats.kit.parsing import is_readme, parse_json, parse_text, parse_xml
from amp_datasets.images.codec import IMAGE_SUFFIXES
from amp_datasets.storage.folder import Folder, open_folder

UNREAD = "label file is not read"
_SUFFIXES = (
    *(".json", ".xml", ".txt", ".csv", ".tsv", ".jsonl", ".ndjson", ".manifest"),
    *(".parquet", ".arrow", ".tfrecord", ".record", ".tfrecord.gz"),
)
_FOLDERS = (".yaml", ".yml", ".data", ".lst", ".npy", ".mat")
_HEAD_BYTES = 2**16
_NO_LABELS = frozenset({"dataset_info.json", "state.json", "dataset_dict.json", "license.txt", "requirements.txt"})
_OURS = ("amp.", ".amp")
_IMAGE_NAME = re.compile(r"""[^"'<>\s,;|]+\.(?:jpe?g|png|bmp|webp|tiff?|gif)\b""", re.IGNORECASE)
_TOOLS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"assets", "tags"}), "VoTT: export as CSV or Pascal VOC"),
    (frozenset({"asset", "regions"}), "VoTT: export as CSV or Pascal VOC"),
    (frozenset({"Labeled Data", "Label"}), "Labelbox: export by its SDK as COCO"),
    (frozenset({"data_row", "projects"}), "Labelbox: export by its SDK as COCO"),
    (frozenset({"version", "item", "annotations"}), "V7 Darwin: export as COCO, CVAT or YOLO"),
    (frozenset({"dataset", "image", "annotations"}), "V7 Darwin: export as COCO, CVAT or YOLO"),
    (frozenset({"metadata", "instances"}), "SuperAnnotate: export as COCO"),
    (frozenset({"content", "labels", "externalId"}), "Kili: export as YOLO, COCO or Pascal VOC"),
    (frozenset({"imgHeight", "imgWidth", "objects"}), "Cityscapes: convert by its scripts to COCO"),
    (frozenset({"name", "labels", "timestamp"}), "BDD100K: convert by `bdd100k.label.to_coco`"),
    (
        frozenset({"image_id", "category_id", "score"}),
        "predictions for COCO: put them into a file with `images`",
    ),
    (frozenset({"source-ref"}), "SageMaker Ground Truth: convert to COCO"),
    (frozenset({"imageGcsUri"}), "Vertex AI: convert to CSV or COCO"),
    (frozenset({"img_paths", "objpos"}), "MPII: convert to COCO with keypoints"),
    (frozenset({"image", "spans"}), "Prodigy: convert by `db-out` and a script to COCO"),
    (frozenset({"task", "response"}), "Scale: export as COCO"),
)
"""The keys of label files whose own format is not read, and what these tools export instead."""
_TRIED = 200
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that looks like a label file and that no format read: what it is, and the images that it is called as."""

    file: str
    what: str
    images: tuple[str, ...] = ()


def may_hold_labels(folder: Folder, lists: Collection[str]) -> bool:
    """Whether a folder has files, other than some lists and texts for people, that could be label files."""
    others = (file for file in folder.with_suffix(*_SUFFIXES, *_FOLDERS) if file not in lists)
    return any(not is_readme(file) and not is_class_list(file) for file in others)


def unread_files(folder: Folder, used: Collection[str], images: ImageLookup) -> Iterator[Unread]:
    """The files near images that look like label files, less those that were used."""
    if not images.names:
        return
    for file in folder.with_suffix(*_SUFFIXES):
        bare = posixpath.basename(file).lower()
        if file in used or is_readme(file) or is_class_list(file) or bare in _NO_LABELS or bare.startswith(_OURS):
            continue
        stem = posixpath.basename(file).rpartition(".")[0]
        found = images.resolve(stem, file, own=True)
        called = found.candidates if found.image is None else (found.image,)
        what = _what(folder, file, bool(called), images)
        if what is not None:
            yield Unread(file, what, called)


def closed_archives(folder: Folder) -> Iterator[str]:
    """Zip archives in a directory of loose images that hold images or label files which do not lie there too."""
    there = {posixpath.basename(name) for name in folder.files}
    for file in [] if folder.is_zip else folder.with_suffix(".zip"):
        try:
            inside = {posixpath.basename(name) for name in open_folder(Path(folder.path(file))).files}
        except AmpError:
            continue
        if any(name.lower().endswith((*IMAGE_SUFFIXES, *_SUFFIXES)) for name in inside - there):
            yield file


def any_files(folder: Folder) -> Iterator[Unread]:
    """The files of a folder that could hold labels, whether or not they name an image that is there."""
    for file in folder.with_suffix(*_SUFFIXES):
        if is_readme(file) or is_class_list(file) or posixpath.basename(file).lower() in _NO_LABELS:
            continue
        try:
            text = folder.head(file, _HEAD_BYTES)
            what = _shape(parse_json(folder.read(file), file)) if file.lower().endswith(".json") else ""
        except AmpError as error:
            what = error.what
        else:
            first = text.partition(b"\n")[0].decode("utf-8", errors="replace").strip()
            what = what or f"it begins with {first[:60]!r}"
        yield Unread(file, what)


def foreign_tool(folder: Folder, file: str) -> str | None:
    """The tool that a file is of, and what to export from there; None if it is none of those that are known."""
    try:
        text = parse_text(folder.read(file), file)
        first = next((line for line in text.split("\n") if line.strip()), "")
        document = parse_json(text.encode(), file) if file.lower().endswith(".json") else json.loads(first)
    except (AmpError, ValueError, RecursionError):
        return None
    entry = document[0] if isinstance(document, list) and document else document
    keys = frozenset(entry) if isinstance(entry, dict) else frozenset()
    return next((f"this looks like {hint}" for wanted, hint in _TOOLS if wanted <= keys), None)


def _what(folder: Folder, file: str, named_as_image: bool, images: ImageLookup) -> str | None:
    """What a file is, if it looks like a label file; None if nothing says so."""
    try:
        if file.lower().endswith((".parquet", ".arrow", ".tfrecord", ".record", ".gz")):
            return "a file of rows"
        if file.lower().endswith(".xml"):
            return f"XML of <{parse_xml(folder.read(file), file).tag}>"[:80]
        text = parse_text(folder.head(file, _HEAD_BYTES).rpartition(b"\n")[0] or folder.head(file, _HEAD_BYTES), file)
        if not named_as_image and not _names_images(text, file, images):
            return None
        if file.lower().endswith(".json"):
            return _shape(parse_json(folder.read(file), file))
    except AmpError as error:
        return error.what if error.fix is None else f"{error.what}; {error.fix}"
    first = next((line for line in text.split("\n") if line.strip()), "")
    return f"it begins with {first.strip()[:60]!r}" if first else None


def _names_images(text: str, file: str, images: ImageLookup) -> bool:
    """Whether one of the file names in a text is that of an image of the set."""
    found = (match.group() for match in _IMAGE_NAME.finditer(text))
    return any(images.resolve(name, file).image is not None for name, _ in zip(found, range(_TRIED), strict=False))


def _shape(document: object) -> str:
    """The outermost structure of a JSON document, in words."""
    if isinstance(document, list):
        first = document[0] if document else None
        return f"a list of {_shape(first)}" if isinstance(first, dict) else "a list"
    if not isinstance(document, dict):
        return f"JSON that is {json.dumps(document)[:40]}"
    keys = ", ".join(f"`{str(key)[:30]}`" for key in list(document)[:_SHOWN])
    return f"objects with {keys or 'nothing'}"
