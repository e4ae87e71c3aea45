"""Reads a build again and proves that it is what was made: files, label formats, and on demand every pixel."""

from __future__ import annotations

import collections
import functools
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from amp_datasets.errors import DAMAGE, AmpError, BuildError, ManifestError
from amp_datasets.ledger.expected import Expected, Mismatch
from amp_datasets.ledger.file_checks import RowChecks, check_digests
from amp_datasets.ledger.label_checks import check_labels
from amp_datasets.ledger.lock import TRAINERS_READ, is_trainers_cache, read_lock
from amp_datasets.ledger.replay import Replayer, image_difference
from amp_datasets.ledger.schema import LEDGER_FILE, LOCK_FILE, MADE, MANIFEST_FILE, ledger_batches, read_ledger
from amp_datasets.model import SPLITS
from amp_datasets.progress import Progress, silent
from amp_datasets.rows.schema import count_labels
from amp_datasets.shown import amount
from amp_datasets.storage.carry import foreign_files
from amp_datasets.storage.remote import here, named
from amp_datasets.storage.yaml import read_yaml
from amp_datasets.variants.recipe import digest

_COLUMNS = (
    "source_id", "source_sha256", "group", "split", "variant", "status", "file_name", "width", "height", "sha256",
    "labels", "labels_sha256", "labels_out",
)  # fmt: skip
_SHOWN = 20
_FEW_ROWS = 2000


@dataclass(slots=True)
class VerifyReport:
    """What was looked at, and what is not as it was made.

    `ignored` are caches that trainers leave in a build and a rebuild removes; `not_ours` is what no build made, and
    every rebuild keeps.
    """

    build: str
    images: int = 0
    labels: int = 0
    files: int = 0
    replayed: int = 0
    identical: int = 0
    findings: list[Mismatch] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    not_ours: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """All of it as one JSON document."""
        return asdict(self)

    def as_text(self) -> list[str]:
        """The lines that a person reads after a verification."""
        what = f"{amount(self.images, 'image')}, {amount(self.labels, 'label')} and {amount(self.files, 'file')}"
        lines = [f"{what} read again in {self.build}"]
        if self.replayed:
            lines.append(f"{self.identical} of {self.replayed} images made again are bit for bit the same")
        if self.ignored:
            lines.append(
                f"ignored, caches of trainers: {amount(len(self.ignored), 'file')}: {', '.join(self.ignored[:5])}"
            )
        if self.not_ours:
            named = ", ".join(self.not_ours[:5])
            lines.append(f"not ours, kept by a rebuild: {amount(len(self.not_ours), 'file')}: {named}")
        shown: collections.Counter[str] = collections.Counter()
        for finding in self.findings:
            shown[finding.rule] += 1
            if shown[finding.rule] <= _SHOWN:
                lines.append(f"{finding.rule}: {finding.file}: {finding.what}")
        lines += [f"{rule}: ... and {n - _SHOWN} more (--json lists all)" for rule, n in shown.items() if n > _SHOWN]
        lines += [f"since the build, {difference}" for difference in self.differences]
        fixes = dict.fromkeys(finding.fix for finding in self.findings if finding.fix)
        return lines + [f"fix: {fix}" for fix in fixes] + ([] if self.findings else ["all is as it was made"])


def verify(
    build: str | Path,
    *,
    replay: int | Literal["all"] = 0,
    sources: Sequence[str | Path] = (),
    plugin_dirs: Sequence[str | Path] = (),
    progress: Progress = silent,
) -> VerifyReport:
    """Read every file of a build again, compare it with ledger and lock, and say all that is not as it was made.

    `replay` makes so many of its images again (spread over the build, the same ones each time) and compares them bit
    for bit; `sources` replace the places where the build found its sources. Raises BuildError if there is no build.
    """
    folder = here(build, whole=True)
    if not (folder / LOCK_FILE).is_file() and not (folder / LEDGER_FILE).is_file():
        raise BuildError("this folder is not a build", where=folder, fix="give the folder that `amp build` wrote (-o)")
    report = VerifyReport(named(build))
    if _check_all(folder, report, progress) and replay:
        _check_replays(folder, report, _chosen(report.images, replay), (sources, plugin_dirs), progress)
    return report


def _check_all(folder: Path, report: VerifyReport, progress: Progress) -> bool:
    """Every file against ledger and lock; whether the ledger can be followed at all."""
    lock = _lock(folder, report)
    if not _has_its_ledger(folder, lock, report):
        return False
    checks = RowChecks()
    try:
        _check_files(folder, lock, checks, report, progress)
    except BuildError as error:
        report.findings.append(Mismatch("ledger", LEDGER_FILE, error.what))
        return False
    if lock is not None:
        names = [category["name"] for category in lock["categories"]]
        report.findings += _check_manifest(folder, lock)
        splits = [split for split in SPLITS if split in checks.splits]
        report.findings += check_labels(folder, functools.partial(_expected, folder), splits, names)
    return True


def _lock(build: Path, report: VerifyReport) -> dict[str, Any] | None:
    try:
        lock = read_lock(build)
        if isinstance(lock["files"], dict) and all("name" in category for category in lock["categories"]):
            return lock
        raise BuildError("the lock lacks something")
    except BuildError as error:
        report.findings.append(Mismatch("lock", LOCK_FILE, error.what))
    except DAMAGE as error:
        report.findings.append(Mismatch("lock", LOCK_FILE, f"the lock lacks {error}"))
    return None


def _has_its_ledger(build: Path, lock: Mapping[str, Any] | None, report: VerifyReport) -> bool:
    """Whether the ledger is the one that was written, as far as the lock tells; a finding if not."""
    wanted = None if lock is None else {LEDGER_FILE: lock["files"].get(LEDGER_FILE, "")}
    changed = [] if wanted is None else [*check_digests(build, wanted.items(), lambda: None)]
    if any(finding.rule == "changed" for finding in changed):
        what = "the ledger is not the one that was written, so nothing can be compared with it"
        report.findings.append(Mismatch("changed", LEDGER_FILE, what))
        return False
    return True


def _check_files(
    build: Path, lock: Mapping[str, Any] | None, checks: RowChecks, report: VerifyReport, progress: Progress
) -> None:
    """Every row must agree with itself, every file must be there with its digest, and no other."""
    lazy = lock is not None and lock.get("lazy") is True  # such a set has its sources in the place of its images
    others = {} if lock is None else lock["files"]
    images = ((checks.look(row), row["sha256"]) for row in _made(build))
    if lazy:
        collections.deque(images, maxlen=0)
    count = itertools.count(1)

    def read() -> None:
        number = next(count)
        progress("reading files", number, max(number, len(checks.names) + len(others)))

    further = ((name, sha256) for name, sha256 in others.items() if lazy or name not in checks.names)
    found = check_digests(build, itertools.chain(images, further), read)
    listed = sorted(found, key=lambda finding: (finding.rule, finding.file))
    report.images, report.labels = len(checks.names), checks.labels
    report.findings += [*checks.rows, *checks.leaks, *listed]
    missing = sum(finding.rule == "missing" for finding in listed)
    report.files = next(count) - 1 - missing + (lock is not None)
    known: Collection[str] = () if lazy else checks.names
    _name_others(lock, (name for name in foreign_files(build, known) if name not in others), report)


def _name_others(lock: Mapping[str, Any] | None, names: Iterable[str], report: VerifyReport) -> None:
    """What lies in a build and is not of it."""
    for name in sorted(name for name in names if not name.endswith("/") and name != LOCK_FILE):
        if is_trainers_cache(name):
            report.ignored.append(name)
        elif lock is not None and name.startswith(TRAINERS_READ):
            what = "it is not ours, and trainers that read this folder take it too"
            report.findings.append(Mismatch("not ours", name, what, "move it out of the build"))
        elif lock is not None:
            report.not_ours.append(name)


def _made(build: Path) -> Iterator[Mapping[str, Any]]:
    return (row for row in read_ledger(build, _COLUMNS) if row["status"] == MADE)


def _check_manifest(build: Path, lock: Mapping[str, Any]) -> Iterator[Mismatch]:
    """The manifest as run is the one that the lock was made for."""
    try:
        document = read_yaml(build / MANIFEST_FILE).value
    except ManifestError as error:
        yield Mismatch("manifest", MANIFEST_FILE, error.what)
        return
    if digest(document) != lock.get("manifest_digest"):
        yield Mismatch("manifest", MANIFEST_FILE, "its settings are not those that the lock names")


def _expected(build: Path) -> Iterator[Expected]:
    names = Expected.__slots__
    rows = read_ledger(build, (*names, "status"))
    return (Expected(**{name: row[name] for name in names}) for row in rows if row["status"] == MADE)


def _chosen(count: int, replay: int | Literal["all"]) -> set[int]:
    """Which images to make again: spread evenly, the first one included."""
    if replay == "all" or replay >= count:
        return set(range(count))
    return {number * count // replay for number in range(replay)}


def _rows_at(build: Path, chosen: Collection[int]) -> Iterator[Mapping[str, Any]]:
    """The ledger's rows of some of the images that were made, by their number."""
    count = 0
    for batch in ledger_batches(build):
        made = batch.filter(pc.equal(batch["status"], MADE))
        wanted = [count + at in chosen for at in range(len(made))]
        yield from made.filter(pa.array(wanted, pa.bool_())).to_pylist()
        count += len(made)


def _check_replays(
    build: Path,
    report: VerifyReport,
    chosen: set[int],
    where: tuple[Sequence[str | Path], Sequence[str | Path]],
    progress: Progress,
) -> None:
    """Make images again and compare them with the ledger."""
    try:
        replayer = Replayer(build, *where)
    except AmpError as error:
        report.findings.append(Mismatch("replay", LOCK_FILE, error.what, error.fix or ""))
        return
    try:
        rows: Iterable[Mapping[str, Any]] = _rows_at(build, chosen)
        if len(chosen) <= _FEW_ROWS:
            rows = list(rows)  # so that the ledger is closed while images are made
        for row in rows:
            progress("making images again", report.replayed, len(chosen))
            finding = _replay_finding(build, replayer, row)
            report.replayed += 1
            report.identical += finding is None
            if finding is not None:
                report.findings.append(finding)
    except BuildError as error:  # in columns that are read for this alone
        report.findings.append(Mismatch("ledger", LEDGER_FILE, error.what))
    if report.identical < report.replayed:
        report.differences = replayer.differences()


def _replay_finding(build: Path, replayer: Replayer, row: Mapping[str, Any]) -> Mismatch | None:
    name = f"images/{row['split']}/{row['file_name']}"
    try:
        made = replayer.make(row)
    except AmpError as error:
        return Mismatch("replay", name, error.what, error.fix or "")
    if made.same_image and made.same_labels:
        return None
    what = [] if made.same_labels else [f"its labels come out as {count_labels(made.labels)} others"]
    if not made.same_image:
        try:
            what.append(image_difference((build / name).read_bytes(), made.data))
        except OSError as error:
            what.append(f"the file cannot be read: {error.strerror}")
    return Mismatch("replay", name, "made again, it is another: " + "; ".join(what), "see what changed since the build")
