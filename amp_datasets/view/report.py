"""A set or a build as one HTML file: numbers, findings and contact sheets, to be sent to a colleague.

The file refers to nothing outside of itself, follows the reader's light or dark mode, and prints. Everything that came
from outside is escaped by the template.
"""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amp_datasets.audit.api import audit
from amp_datasets.audit.rules import RULES, Finding
from amp_datasets.building.workspace import is_build
from amp_datasets.errors import BuildError
from amp_datasets.images.codec import Limits
from amp_datasets.images.drawing.gallery import Gallery, Tile
from amp_datasets.ledger.lock import read_lock
from amp_datasets.ledger.schema import MADE, read_ledger
from amp_datasets.manifest.model import SourceSettings
from amp_datasets.model import LabelSet, Sample
from amp_datasets.plugin.discovery import load_formats
from amp_datasets.progress import Progress, silent
from amp_datasets.sources.open import read_source
from amp_datasets.storage.files import replace_own
from amp_datasets.variants.recipe import ORIGINAL
from amp_datasets.view import statistics
from amp_datasets.view.preview import sample_tile

_THUMBNAIL = (220, 165)
_QUALITY = 70
_MOST_THUMBNAILS = 220
"""Of about 9 kB each: the page stays below 3 MB whatever the size of the set."""
_TILES_A_FINDING, _TILES_A_FILTER, _TILES_OF_IMAGES = 4, 6, 24
_LINES = 8
_ALIKE = "AMP313"
"""Images that look the same: variants of one source do, and are meant to."""


_GENERATOR = b'<meta name="generator" content="amp report">'
"""By this in its first line a page of ours is known again."""


@dataclass(frozen=True, slots=True)
class Report:
    """The page, and what it was made of."""

    html: str
    images: int
    findings: int

    def save(self, path: str | Path) -> Path:
        """Write the page; an older report is replaced when the new one is whole, any other file is a BuildError."""
        target = Path(path)
        replace_own(target, self.html.encode(), _GENERATOR, "report")
        return target

    def to_json(self) -> dict[str, Any]:
        """The numbers as one JSON document."""
        return {"images": self.images, "findings": self.findings, "bytes": len(self.html.encode())}

    def _repr_html_(self) -> str:
        page = base64.b64encode(self.html.encode()).decode()
        return (
            f"<iframe title='amp report' style='width:100%;height:600px' src='data:text/html;base64,{page}'></iframe>"
        )


def report(
    path: str | Path,
    *,
    format: str | None = None,  # noqa: A002 - the word of the manifest and the command line
    plugin_dirs: Sequence[str | Path] = (),
    progress: Progress = silent,
) -> Report:
    """A set or a build as a page: `amp.report("build").save("report.html")`. Raises AmpError if it cannot be read."""
    place = Path(path)
    progress("reading the set", 0, 4)
    registry = load_formats(tuple(Path(folder) for folder in plugin_dirs))
    labels, detection = read_source(SourceSettings(path=str(path), format=format), registry, Limits())
    if not labels.samples:
        raise BuildError("there is no image to report on", where=path, fix="`amp check` says why")
    progress("looking for problems", 1, 4)
    findings = [each for each in audit(labels) if each.rule != _ALIKE or not is_build(place)]
    progress("drawing", 2, 4)
    page = _Page(place, labels, findings, detection.reason)
    html = page.render()
    progress("drawing", 4, 4)
    return Report(html, len(labels.samples), len(findings))


class _Page:
    """What the template shows, collected from a set."""

    def __init__(self, path: Path, labels: LabelSet, findings: Sequence[Finding], reason: str) -> None:
        self.path = path
        self.labels = labels
        self.found = findings
        self.reason = reason
        self.by_name: Mapping[str, Sample] = {sample.source_id: sample for sample in labels.samples}
        self.gallery = Gallery((), labels.categories, _THUMBNAIL)
        self.left = _MOST_THUMBNAILS

    def render(self) -> str:
        """The HTML text."""
        import jinja2

        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("amp_datasets.view", "."), autoescape=True, trim_blocks=True
        )
        return environment.get_template("report.html.j2").render(r=self._content())

    def _content(self) -> dict[str, Any]:
        lines = statistics.class_lines(self.labels)
        built = is_build(self.path)
        rows = [*read_ledger(self.path)] if built else []
        return {
            "name": self.labels.name,
            "about": self.reason,
            "cards": self._cards(),
            "splits": statistics.splits_of(self.labels),
            "classes": lines,
            "imbalance": statistics.imbalance(lines),
            "histograms": statistics.histograms(self.labels),
            "heat": statistics.heat(self.labels),
            "dots": statistics.dots(self.labels),
            "findings": [*self._findings()],
            "variants": [*self._variants(rows)],
            "lost": _lost(rows),
            "sizes": statistics.image_sizes(self.labels),
            "tiles": [*self._tiles([*self.labels.samples][:_TILES_OF_IMAGES])],
            "provenance": self._provenance(built),
        }

    def _cards(self) -> list[tuple[str, str]]:
        samples = self.labels.samples
        labelled = [sample for sample in samples if sample.labelled]
        objects = sum(len(sample.annotations) for sample in samples)
        empty = sum(not sample.annotations and not sample.labels for sample in labelled)
        grave = Counter(finding.severity for finding in self.found)
        return [
            ("images", f"{len(samples):,}"),
            ("labels", f"{objects + sum(len(s.labels) for s in samples):,}"),
            ("classes", str(len(self.labels.categories))),
            ("confirmed empty", f"{empty:,}"),
            ("never labelled", f"{len(samples) - len(labelled):,}"),
            ("errors", str(grave["error"])),
            ("warnings", str(grave["warning"])),
        ]

    def _findings(self) -> Iterator[dict[str, Any]]:
        groups: dict[str, list[Finding]] = {}
        for finding in self.found:
            groups.setdefault(finding.rule, []).append(finding)
        for rule, found in sorted(
            groups.items(), key=lambda group: (("error", "warning", "note").index(group[1][0].severity), group[0])
        ):
            samples = [
                self.by_name[n] for n in dict.fromkeys(f.file.partition("#")[0] for f in found) if n in self.by_name
            ]
            yield {
                "rule": rule,
                "severity": found[0].severity,
                "title": RULES[rule].title,
                "fix": found[0].fix,
                "count": len(found),
                "tiles": [*self._tiles(samples[:_TILES_A_FINDING])],
                "lines": [f"{f.file}: {f.what}" for f in found[:_LINES]],
                "more": max(0, len(found) - _LINES),
            }

    def _variants(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        groups: dict[str, list[Mapping[str, Any]]] = {}
        for row in rows:
            if row["status"] == MADE and row["spec"] != ORIGINAL:
                groups.setdefault(row["spec"], []).append(row)
        by_file = {sample.source_id.rpartition("/")[2]: sample for sample in self.labels.samples}
        for name, made in groups.items():
            samples = [by_file[row["file_name"]] for row in made if row["file_name"] in by_file]
            steps = json.loads(made[0]["steps"] or "[]")
            yield {
                "name": name,
                "effect": _effect(made),
                "settings": "; ".join(f"{step['filter']} {_plain(step['settings'])}".strip() for step in steps),
                "tiles": [*self._tiles(samples[:_TILES_A_FILTER])],
            }

    def _tiles(self, samples: Sequence[Sample]) -> Iterator[dict[str, str]]:
        for sample in samples:
            if self.left <= 0:
                return
            self.left -= 1
            tile = sample_tile(sample)
            yield {"title": tile.title, "src": self._uri(tile)}

    def _uri(self, tile: Tile) -> str:
        buffer = io.BytesIO()
        self.gallery.drawn(tile).save(buffer, "WEBP", quality=_QUALITY)
        return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"

    def _provenance(self, built: bool) -> list[tuple[str, str]]:
        if not built:
            return [("path", str(self.path)), ("read as", self.reason)]
        lock = read_lock(self.path)
        versions = ", ".join(f"{name} {version}" for name, version in lock["versions"].items())
        told = [("seed", str(lock["recipe"]["seed"])), ("manifest", lock["manifest_digest"]), ("versions", versions)]
        return [*told, *(("source", str(source.get("path", source.get("name", "")))) for source in lock["sources"])]


def _effect(rows: Sequence[Mapping[str, Any]]) -> str:
    """What a filter did to labels, over all images: kept, lost with reasons."""
    before, after = sum(row["labels_in"] for row in rows), sum(row["labels_out"] for row in rows)
    dropped: Counter[str] = Counter()
    for row in rows:
        dropped.update(json.loads(row["labels_dropped"] or "{}"))
    reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
    partial = sum(row["labels_partial"] for row in rows)
    parts = [f"{len(rows)} images, {after} of {before} labels kept"]
    parts += [reasons] if reasons else []
    parts += [f"{partial} cut"] if partial else []
    return "; ".join(parts)


def _lost(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    reasons = Counter(f"{row['spec'] or 'source'}: {row['reason']}" for row in rows if row["status"] != MADE)
    return [f"{count} x {reason}" for reason, count in reasons.most_common(20)]


def _plain(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())
