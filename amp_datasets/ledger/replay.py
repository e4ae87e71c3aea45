"""Makes single images of a build again, each from its source and one line of the ledger."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amp_datasets.errors import DAMAGE, AmpError, BuildError, PluginError
from amp_datasets.formats.kit.yolo_rows import box_text
from amp_datasets.images.codec import Limits, decode, read_header
from amp_datasets.ledger.keys import library_versions, machine, text_sha256
from amp_datasets.ledger.lock import is_ours, read_lock, recipe_in
from amp_datasets.ledger.schema import LOCK_FILE, MADE, read_ledger
from amp_datasets.plugin.discovery import load_registry, plugin_digest
from amp_datasets.plugin.registry import Registry
from amp_datasets.progress import Progress, silent
from amp_datasets.rows.schema import load_annotations
from amp_datasets.sources.locate import SourceFinder
from amp_datasets.storage.files import read_file, refuse_taken, write_new_files
from amp_datasets.storage.names import inside, is_relative_name
from amp_datasets.variants.remaker import Remaker

_MAX_NEAR = 5000
_AGAIN = "build it again"


@dataclass(frozen=True, slots=True)
class Made:
    """An image that was made again, and how it compares with the ledger's."""

    data: bytes
    labels: str
    same_image: bool
    same_labels: bool


@dataclass(frozen=True, slots=True)
class Replayed:
    """What `replay` wrote. `differences` says what is not as it was when the build was made."""

    image: str
    labels: tuple[str, str]
    source_id: str
    variant: str
    same_image: bool
    same_labels: bool
    differences: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """All of it as one JSON document."""
        return asdict(self)

    def as_text(self) -> list[str]:
        """The lines that a person reads after a replay."""
        same = "bit for bit what the ledger says" if self.same_image else "NOT what the ledger says"
        lines = [f"{self.image}: {self.variant} of {self.source_id}, {same}"]
        if not self.same_labels:
            lines.append("its labels are NOT what the ledger says")
        lines += [f"since the build, {difference}" for difference in self.differences]
        return [*lines, f"labels: {', '.join(self.labels)}"]


def replay(
    build: str | Path,
    variant_id: str,
    out: str | Path,
    *,
    sources: Sequence[str | Path] = (),
    plugin_dirs: Sequence[str | Path] = (),
    progress: Progress = silent,
) -> Replayed:
    """Make one image of a build again and write it to `out`, beside it its boxes as YOLO rows and its labels as JSON.

    `variant_id` is its file name (with or without ending and split), or `SOURCE_ID VARIANT`. `sources` replace the
    places where the build found its sources. Raises BuildError for an unknown id, SourceError if the source changed.
    """
    build, target = Path(build), Path(out)
    row = find_row(build, variant_id)
    replayer = Replayer(build, sources, plugin_dirs)
    progress("making the image", 0, 1)
    made = replayer.make(row)
    progress("making the image", 1, 1)
    path = _target(target, row, build)
    beside = (path.with_suffix(".txt"), path.with_suffix(".json"))
    try:
        texts = (_yolo_text(made.labels, row, replayer.categories), _json_text(made, row))
    except DAMAGE as error:
        what = f"the ledger's line of {row['file_name']} is damaged: {error}"
        raise BuildError(what, where=build, fix=_AGAIN) from error
    results = {**{name: text.encode() for name, text in zip(beside, texts, strict=True)}, path: made.data}
    for name, data in results.items():
        refuse_taken(name, data)
    write_new_files(results)  # the image comes last: without its labels it would be an image of nothing
    found = () if made.same_image and made.same_labels else tuple(replayer.differences())
    names = (str(beside[0]), str(beside[1]))
    return Replayed(str(path), names, row["source_id"], row["variant"], made.same_image, made.same_labels, found)


def find_row(build: Path, variant_id: str) -> Mapping[str, Any]:
    """The ledger's line of an image; a BuildError with the nearest name if there is none."""
    names: list[str] = []
    for row in read_ledger(build):
        if variant_id == f"{row['source_id']} {row['variant']}" or variant_id in _names(row):
            if row["status"] != MADE:
                raise BuildError(f"this variant was not made: {row['reason']}", where=variant_id)
            return row
        names += [row["file_name"] or f"{row['source_id']} {row['variant']}"]
    start = variant_id.rpartition("/")[2].partition("__")[0]
    near = [name for name in names if name.startswith(start)] or names
    found = difflib.get_close_matches(variant_id.rpartition("/")[2], near[:_MAX_NEAR], n=1, cutoff=0.4)
    fix = f"did you mean `{found[0]}`?" if found else f"give the name of an image, such as `{names[0]}`"
    raise BuildError(f"`{variant_id}` is not in the ledger", where=build, fix=fix if names else None)


class Replayer:
    """Makes images of one build again. It keeps the sources that it read last, so give it rows in their order."""

    def __init__(self, build: Path, sources: Sequence[str | Path] = (), plugin_dirs: Sequence[str | Path] = ()) -> None:
        self.build = build
        lock = read_lock(build)
        self.lock = {name: value for name, value in lock.items() if name != "files"}
        self.registry = load_registry(tuple(Path(folder) for folder in plugin_dirs))
        try:
            self.categories = [str(category["name"]) for category in self.lock["categories"]]
            self.recipe = recipe_in(self.lock)
            limits = self.recipe.limits
            self._finder = SourceFinder(build, self.lock, sources, self.registry, limits, anywhere=is_ours(build, lock))
        except DAMAGE as error:
            raise BuildError(f"the lock lacks something: {error}", where=build / LOCK_FILE, fix=_AGAIN) from error
        self._remaker = Remaker(self.recipe, self.registry)

    def make(self, row: Mapping[str, Any]) -> Made:
        """The image and labels of a ledger's line. Raises SourceError if the source is gone or another."""
        try:
            image, labels = self._remaker.remake(row, self._source)
            load_annotations(labels)  # of a copied original they are the ledger's own text
        except DAMAGE as error:
            what = f"the ledger's line of {row['file_name']} cannot be followed: {error}"
            raise BuildError(what, fix=_AGAIN) from error
        same_labels = labels == row["labels"] and text_sha256(labels) == row["labels_sha256"]
        return Made(image, labels, hashlib.sha256(image).hexdigest() == row["sha256"], same_labels)

    def differences(self) -> list[str]:
        """What of this machine and its libraries is not as it was when the build was made."""
        return differences(self.lock, self.registry)

    def _source(self, row: Mapping[str, Any]) -> bytes:
        return self._held(row) or self._finder.read(row["source_id"], row["source_sha256"])

    def _held(self, row: Mapping[str, Any]) -> bytes | None:
        """The source's bytes if the set holds them itself, as a lazy one does."""
        name = json.loads(row.get("source_file") or "[null]")[0]
        if not is_relative_name(name):
            return None
        try:
            data = read_file(inside(self.build, name, follow=True), self.recipe.max_bytes, follow=True)
        except OSError:
            return None
        return data if hashlib.sha256(data).hexdigest() == row["source_sha256"] else None


def differences(lock: Mapping[str, Any], registry: Registry) -> list[str]:
    """What of libraries, filters and machine is not as a lock says, in words."""
    found = []
    versions = library_versions()
    for name, was in sorted(lock["versions"].items()):
        if versions.get(name) != was:
            found.append(f"{name} {was} became {versions.get(name, 'missing')}")
    for name, was in sorted(lock["plugins"].items()):
        try:
            if plugin_digest(registry.filter(name)) != was:
                found.append(f"the code of the filter `{name}` changed")
        except PluginError:
            found.append(f"the filter `{name}` is missing")
    for name, now in machine().items():
        was = lock["machine"].get(name)
        if was != now:
            found.append(f"{name} {_plain(was)} became {_plain(now)}")
    return found


def image_difference(one: bytes, other: bytes) -> str:
    """How far the pixels of two files are apart, in words."""
    try:
        first, second = (decode(data, read_header(data, Limits())).astype(np.int16) for data in (one, other))
    except AmpError as error:
        return f"the file in the build cannot be decoded ({error.what})"
    if first.shape != second.shape:
        return f"{first.shape[1]}x{first.shape[0]} instead of {second.shape[1]}x{second.shape[0]} pixels"
    apart = np.abs(first - second)
    if not apart.any():
        return "the same pixels in other bytes"
    return f"pixels differ by at most {apart.max()} and on average {apart.mean():.3f} of 255"


def _names(row: Mapping[str, Any]) -> set[str]:
    """All ways to name a made image by its file."""
    name, stem = row["file_name"], row["file_name"].rpartition(".")[0]
    return {f"{before}{n}" for n in (name, stem) for before in ("", f"{row['split']}/", f"images/{row['split']}/") if n}


def _target(out: Path, row: Mapping[str, Any], build: Path) -> Path:
    suffix = Path(row["file_name"]).suffix
    path = out / row["file_name"] if out.is_dir() else out if out.suffix else out.with_suffix(suffix)
    if path.suffix.lower() not in {suffix, {".jpg": ".jpeg", ".jpeg": ".jpg"}.get(suffix, suffix)}:
        raise BuildError(f"this image is a {suffix} file", where=out, fix=f"name it {path.with_suffix(suffix)}")
    if Path(os.path.realpath(path)).is_relative_to(os.path.realpath(build)):
        raise BuildError("a replay does not write into the build", where=path, fix="choose another -o")
    return path


def _yolo_text(labels: str, row: Mapping[str, Any], categories: Sequence[str]) -> str:
    size = (row["width"], row["height"])
    rows = [f"{categories.index(a.category)} {box_text(a.xyxy, size)}\n" for a in load_annotations(labels)]
    return "".join(dict.fromkeys(rows))


def _json_text(made: Made, row: Mapping[str, Any]) -> str:
    document = {name: row[name] for name in ("file_name", "split", "source_id", "variant", "width", "height")}
    document |= {"steps": json.loads(row["steps"]), "labels": json.loads(made.labels)}
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
