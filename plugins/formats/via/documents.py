"""The files that VIA writes, in one form: JSON of versions 1 to 3, projects, and the CSV of versions 1 to 3."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from amp_datasets.errors import AmpError, SourceError
from amp_datasets.formats.kit.parsing import refuse_long_table
from amp_datasets.formats.kit.reading import brief, parse_json, parse_text
from amp_datasets.formats.kit.structure import json_paths
from amp_datasets.storage.folder import Folder

_CSV_HEADER = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"
_CSV3_HEADER = "metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata"
_SHAPES = {2: "rect", 3: "circle", 4: "ellipse", 7: "polygon", 8: "extreme_rect"}
_NO_SHAPE = {1: "point", 5: "line", 6: "polyline", 9: "extreme_circle"}
_KEYS = {
    "rect": ("x", "y", "width", "height"),
    "circle": ("cx", "cy", "r"),
    "ellipse": ("cx", "cy", "rx", "ry"),
}


@dataclass
class Entry:
    """An image as a file names it, with its regions: their shape and their attributes, as VIA 2 writes both."""

    name: str
    regions: list[tuple[Any, Any]] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    """What else is said of the image, which is no region: by kind."""


@dataclass
class Document:
    """One file: its images, what could not be read as one, and the choices of each attribute in their order."""

    entries: list[Entry] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    choices: dict[str, list[str]] = field(default_factory=dict)


def label_files(folder: Folder) -> Iterator[str]:
    """The files of a folder that are VIA's, by the paths of a JSON or the header of a table."""
    for file in folder.with_suffix(".json"):
        if is_json(folder, file):
            yield file
    for file in folder.with_suffix(".csv"):
        if csv_version(folder, file):
            yield file


def is_json(folder: Folder, file: str) -> bool:
    """Whether a JSON is VIA's: entries with `filename` and `regions` (versions 1 and 2), or a project of version 3."""
    if _has(json_paths(folder, file, (b'"regions"', b'"filename"')), "filename", "regions"):
        return True
    paths = json_paths(folder, file, (b'"vid_list"', b'"fname"'))
    return {("project", "vid_list"), ("config",), ("attribute",)} <= paths


def csv_version(folder: Folder, file: str) -> int:
    """1 for a table of VIA 1 and 2, 3 for one of VIA 3, else 0."""
    try:
        head = folder.head(file, 65536).decode("utf-8-sig", errors="replace")
    except AmpError:
        return 0
    lines = [line.strip() for line in head.splitlines()[:20]]
    if lines and lines[0].lstrip("#").replace(" ", "") == _CSV_HEADER:
        return 1
    return 3 if any(line.startswith("#") and line.endswith(_CSV3_HEADER) for line in lines) else 0


def read_document(folder: Folder, file: str) -> Document:
    """One file of VIA; a SourceError if it is none after all."""
    where = folder.path(file)
    if file.lower().endswith(".csv"):
        data = folder.read(file)
        refuse_long_table(data, where)
        text = parse_text(data, where)
        return _read_csv3(text, where) if csv_version(folder, file) == 3 else _read_csv(text, where)
    document = parse_json(folder.read(file), where)
    if not isinstance(document, dict):
        raise SourceError("a VIA file is an object of images", where=where)
    if isinstance(document.get("project"), dict) and isinstance(document.get("view"), dict):
        return _read_version3(document)
    images = document.get("_via_img_metadata", document)
    found = Document(choices=_choices2(document.get("_via_attributes")))
    for key, entry in (images if isinstance(images, dict) else {}).items():
        if key.startswith("_via_"):
            continue
        regions = entry.get("regions", []) if isinstance(entry, dict) else None
        regions = list(regions.values()) if isinstance(regions, dict) else regions
        name = entry.get("filename") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not name or not isinstance(regions, list):
            found.unread.append(brief(key))
            continue
        pairs = [
            (r.get("shape_attributes"), r.get("region_attributes")) if isinstance(r, dict) else (r, None)
            for r in regions
        ]
        found.entries.append(Entry(name, pairs))
    return found


def _has(paths: Iterable[tuple[str, ...]], *keys: str) -> bool:
    """Whether entries of an object, of the document itself or of `_via_img_metadata`, have all these keys."""
    known = set(paths)
    above = {path[:-1] for path in known if path[-1] == keys[0] and len(path) == 2 + (path[0] == "_via_img_metadata")}
    return any(all((*place, key) in known for key in keys) for place in above if "[]" not in place)


def _choices2(attributes: Any) -> dict[str, list[str]]:
    """The options of each region attribute of VIA 2, whose ids are the values that regions have."""
    regions = attributes.get("region") if isinstance(attributes, dict) else None
    found: dict[str, list[str]] = {}
    for name, described in (regions if isinstance(regions, dict) else {}).items():
        options = described.get("options") if isinstance(described, dict) else None
        found[name] = list(options) if isinstance(options, dict) else []
    return found


def _read_version3(document: Mapping[str, Any]) -> Document:
    """A project of VIA 3: views of files, and metadata with a shape's number, its coordinates, and attributes by id."""
    files, views = document.get("file"), document["view"]
    found, entries = Document(), dict[str, Entry]()
    attributes = _attributes3(document.get("attribute"), found)
    for key, view in views.items():
        names = [_file3(files, fid) for fid in (view.get("fid_list") if isinstance(view, dict) else None) or ()]
        if len(names) == 1 and names[0]:
            entries[str(key)] = Entry(names[0])
            found.entries.append(entries[str(key)])
        else:
            found.unread.append(f"view {key} of {len(names)} files")
    metadata = document.get("metadata")
    for key, said in (metadata if isinstance(metadata, dict) else {}).items():
        entry = entries.get(str(said.get("vid"))) if isinstance(said, dict) else None
        if entry is None:
            found.unread.append(f"metadata {key}")
        else:
            _add3(entry, said.get("z"), said.get("xy"), said.get("av"), attributes)
    return found


def _file3(files: Any, fid: Any) -> str:
    described = files.get(str(fid)) if isinstance(files, dict) else None
    name = described.get("fname") or described.get("src") if isinstance(described, dict) else None
    return name if isinstance(name, str) else ""


def _attributes3(attributes: Any, found: Document) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """The name and the options of each attribute by id; the options' texts are the choices."""
    known: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for key, described in (attributes if isinstance(attributes, dict) else {}).items():
        if isinstance(described, dict):
            options = described.get("options")
            options = options if isinstance(options, dict) else {}
            name = str(described.get("aname") or key)
            known[str(key)] = (name, options)
            found.choices[name] = [str(text) for text in options.values()]
    return known


def _add3(entry: Entry, z: Any, xy: Any, av: Any, attributes: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
    """Take in metadata of VIA 3: a region, or something that is said of the image or of a span of time."""
    if z or not isinstance(xy, list) or not xy:
        entry.other.append("span of time" if z else "attribute of the image")
        return
    values = {}
    for key, value in (av if isinstance(av, dict) else {}).items():
        name, options = attributes.get(str(key), (str(key), {}))
        ticked = str(value).split(",") if options and str(value) not in options else [value]
        texts = [options.get(str(one)) or one for one in ticked]
        values[name] = texts[0] if len(texts) == 1 else dict.fromkeys(texts, True)
    entry.regions.append((_shape3(xy), values))


def _shape3(xy: list[Any]) -> dict[str, Any]:
    """A shape as VIA 2 writes it."""
    number, numbers = xy[0], xy[1:]
    name = _SHAPES.get(number) or _NO_SHAPE.get(number) if type(number) is int else None
    if name in _KEYS and len(numbers) == len(_KEYS[name]):
        return {"name": name, **dict(zip(_KEYS[name], numbers, strict=True))}
    return {"name": name or brief(number), "all_points_x": numbers[::2], "all_points_y": numbers[1::2]}


def _read_csv(text: str, where: str) -> Document:
    """The table of VIA 1 and 2: a row a region, and one with `region_count` 0 for an image without any."""
    found, entries = Document(), dict[str, Entry]()
    rows = csv.DictReader(io.StringIO(text.lstrip("#")))
    for row in _rows(rows, where):
        name = row.get("filename")
        try:
            shape, attributes = (_cell(row.get(f"region_{kind}attributes")) for kind in ("shape_", ""))
        except ValueError as error:
            found.unread.append(f"row of {brief(name)}: {error}")
            continue
        if not name:
            found.unread.append("row without a file name")
            continue
        entry = entries.get(name)
        if entry is None:
            entry = entries[name] = Entry(name)
            found.entries.append(entry)
        if shape or attributes:
            entry.regions.append((shape, attributes))
    return found


def _read_csv3(text: str, where: str) -> Document:
    """The table of VIA 3, whose comments hold the attributes."""
    found, entries = Document(), dict[str, Entry]()
    stated = re.search(r"^#\s*ATTRIBUTE\s*=\s*(\{.*\})\s*$", text, re.MULTILINE)
    try:
        attributes = _attributes3(_cell(stated.group(1)) if stated else {}, found)
    except ValueError as error:
        raise SourceError(f"the attributes of this table cannot be read: {error}", where=where) from error
    body = "\n".join(line for line in text.split("\n") if not line.startswith("#"))
    for row in _rows(csv.DictReader(io.StringIO(body), fieldnames=_CSV3_HEADER.split(",")), where):
        try:
            names, z, xy, av = (
                _cell(row.get(key)) for key in ("file_list", "temporal_coordinates", "spatial_coordinates", "metadata")
            )
            if not isinstance(names, list) or len(names) != 1 or not isinstance(names[0], str) or not names[0]:
                raise ValueError("its list of files is not of one")
        except ValueError as error:
            found.unread.append(f"row {brief(row.get('metadata_id'))}: {error}")
            continue
        entry = entries.get(names[0])
        if entry is None:
            entry = entries[names[0]] = Entry(names[0])
            found.entries.append(entry)
        _add3(entry, z, xy, av, attributes)
    return found


def _rows(rows: csv.DictReader[str], where: str) -> Iterator[Mapping[str, Any]]:
    try:
        yield from rows
    except csv.Error as error:
        raise SourceError(f"this table cannot be read: {error}", where=where) from error


def _cell(text: Any) -> Any:
    """The JSON in a cell; ValueError if it is none."""
    try:
        return json.loads(text) if text else {}
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{brief(text)} is not JSON") from error
