"""Says what changed between two builds: images, labels, classes, settings, versions, filters' code and sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from amp_datasets.errors import DAMAGE, BuildError
from amp_datasets.ledger.lock import read_lock
from amp_datasets.ledger.schema import LOCK_FILE, MADE, MANIFEST_FILE, read_ledger
from amp_datasets.progress import Progress, silent
from amp_datasets.shown import amount
from amp_datasets.storage.yaml import read_yaml

_COLUMNS = ("source_id", "variant", "split", "status", "file_name", "sha256", "labels_sha256")
_SHOWN = 10

Change = tuple[Any, Any]
"""A value in the first build and in the second; None where there is none."""


@dataclass(slots=True)
class DiffReport:
    """What is different in the second of two builds. Images are told apart by their source and variant."""

    first: str
    second: str
    same: int = 0
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    pixels: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    classes: dict[str, Change] = field(default_factory=dict)
    settings: dict[str, Change] = field(default_factory=dict)
    sources: dict[str, Change] = field(default_factory=dict)
    plugins: dict[str, Change] = field(default_factory=dict)
    versions: dict[str, Change] = field(default_factory=dict)
    machine: dict[str, Change] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether anything is different."""
        return any(getattr(self, name) for name in (*_IMAGES, *_VALUES))

    def to_json(self) -> dict[str, Any]:
        """All of it as one JSON document."""
        return {**asdict(self), "changed": self.changed}

    def as_text(self) -> list[str]:
        """The lines that a person reads after a comparison."""
        lines = [f"the same: {amount(self.same, 'image')} in {self.first} and {self.second}"]
        for name, title in _IMAGES.items():
            found = getattr(self, name)
            lines += [f"{title}: {len(found)}"] if found else []
            lines += [f"    {image}" for image in found[:_SHOWN]]
            lines += [f"    ... and {len(found) - _SHOWN} more (--json lists all)"] if len(found) > _SHOWN else []
        for name, title in _VALUES.items():
            for key, (was, now) in getattr(self, name).items():
                lines.append(f"{title} {key}: {_shown(was)} -> {_shown(now)}")
        return lines if self.changed else [*lines, "nothing is different"]


_IMAGES = {
    "added": "images added",
    "removed": "images removed",
    "pixels": "images with other bytes",
    "labels": "images with other labels",
    "moved": "images under another name or in another split",
}
_VALUES = {
    "classes": "class",
    "settings": "setting",
    "sources": "source",
    "plugins": "code of the filter",
    "versions": "version of",
    "machine": "machine:",
}


def diff(first: str | Path, second: str | Path, *, progress: Progress = silent) -> DiffReport:
    """What is different in the second of two builds. Raises BuildError if one of them is none, or is damaged."""
    report = DiffReport(str(first), str(second))
    one, other = Path(first), Path(second)
    locks = (read_lock(one), read_lock(other))
    progress("comparing images", 0, 2)
    _compare_images(one, other, report)
    progress("comparing settings", 1, 2)
    try:
        report.classes = _changes(*({c["name"]: n for n, c in enumerate(lock["categories"])} for lock in locks))
        report.sources = _changes(*({s["name"]: s["digest"] for s in lock["sources"]} for lock in locks))
        for name in ("plugins", "versions", "machine"):
            setattr(report, name, _changes(locks[0][name], locks[1][name]))
    except DAMAGE as error:
        raise BuildError(f"a lock lacks something: {error}", where=f"{one} or {other}: {LOCK_FILE}") from error
    report.settings = _changes(*(dict(_flat(_settings(build))) for build in (one, other)))
    progress("comparing settings", 2, 2)
    return report


def _compare_images(one: Path, other: Path, report: DiffReport) -> None:
    before = dict(_images(one))
    for name, (place, image, labels) in _images(other):
        was = before.pop(name, None)
        if was is None:
            report.added.append(name)
            continue
        for changed, listed in zip(
            (was[0] != place, was[1] != image, was[2] != labels),
            (report.moved, report.pixels, report.labels),
            strict=True,
        ):
            if changed:
                listed.append(name)
        report.same += was == (place, image, labels)
    report.removed = list(before)


def _images(build: Path) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Each made image: its name, then where it is, what it is, and its labels."""
    for row in read_ledger(build, _COLUMNS):
        if row["status"] == MADE:
            place = f"{row['split']}/{row['file_name']}"
            yield f"{row['source_id']} {row['variant']}", (place, row["sha256"], row["labels_sha256"])


def _settings(build: Path) -> Mapping[str, Any]:
    document = read_yaml(build / MANIFEST_FILE).value
    return {k: v for k, v in document.items() if k != "sources"} if isinstance(document, dict) else {}


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as `filters.blur.sigma`; a filter without settings keeps its name."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    elif prefix:
        yield prefix, value


def _changes(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Change]:
    names = dict.fromkeys([*one, *other])
    return {name: (one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)}


def _shown(value: Any) -> str:
    text = "(none)" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
