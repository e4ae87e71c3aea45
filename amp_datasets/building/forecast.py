"""What a build says before it makes anything: what was lost on reading, what to mind, and how much there will be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from amp_datasets.building.choosing.balance import class_counts
from amp_datasets.building.choosing.prepared import Prepared
from amp_datasets.building.report import BuildReport, is_label
from amp_datasets.errors import BuildError
from amp_datasets.filtering.base import GeometricFilter
from amp_datasets.filtering.class_hints import warnings
from amp_datasets.formats.losses import losses
from amp_datasets.images.codec import encoding_for
from amp_datasets.images.kinds import DEEP, lost
from amp_datasets.ledger import lock
from amp_datasets.model import SPLITS, Repair, Sample
from amp_datasets.plugin.registry import Registry
from amp_datasets.sources.joining import Item
from amp_datasets.variants.recipe import Recipe, Step
from amp_datasets.variants.visibility import is_plain

_LOCK_LINE = 105
"""What a label file's line in the lock has beside the names of source and variant: folders, ending, digest."""


def forecast(prepared: Prepared, out: Path) -> BuildReport:
    """A report that has what is known before anything is made."""
    joined = prepared.joined
    said = _pose_notes(prepared.recipe)
    said += rotation_notes(prepared.recipe, prepared.registry, (item.sample for item in joined.items))
    return BuildReport(
        str(out),
        sources=len({item.sample.source_id for item in joined.items}),
        dropped=losses(item for item in joined.dropped if not is_label(item)),
        unusable_labels=losses(item for item in joined.dropped if is_label(item)),
        repairs=losses(joined.repairs),
        converted=losses(_converted(prepared)),
        notes=[*joined.notes, *_meaning_warnings(prepared), *said],
        formats=dict(prepared.formats),
    )


def expect(report: BuildReport, prepared: Prepared) -> BuildReport:
    """The report with what a build would make if no variant is refused, and how many of each class."""
    per_split: dict[str, list[tuple[Item, int]]] = {split: [] for split in SPLITS}
    for item in prepared.joined.items:
        original, variants = prepared.images_of(item)
        report.originals += original
        report.variants += variants
        split = str(item.sample.split)
        report.splits[split] = report.splits.get(split, 0) + variants + original
        report.labels += len(item.classes) * (variants + original)
        per_split[split].append((item, variants + original))
    for split, found in per_split.items():
        names = [item.classes for item, _ in found]
        counts = [n for _, n in found]
        labels, images = (class_counts(names, counts, by) for by in ("labels", "images"))
        if found:
            report.classes[split] = {name: {"labels": n, "images": images[name]} for name, n in sorted(labels.items())}
    return report


def refuse_what_no_lock_holds(prepared: Prepared, out: Path) -> None:
    """A BuildError, before the work, for more label files than a lock has room for."""
    exports = prepared.manifest.exports
    wordy = [name for name in exports if prepared.registry.exporter(name).file_per_image]
    longest = max((len(spec.name) for spec in prepared.recipe.variants), default=0)
    images = [(sum(prepared.images_of(item)), len(item.stem.encode())) for item in prepared.joined.items]
    room = len(wordy) * sum(count * (_LOCK_LINE + stem + longest) for count, stem in images)
    if room > lock.MAX_LOCK_BYTES:
        total = sum(count for count, _ in images)
        raise BuildError(
            f"{total} images have too many label files for one build ({room >> 20} of {lock.MAX_LOCK_BYTES >> 20} MiB "
            "of its lock)",
            where=out,
            fix=f"leave {' and '.join(wordy)} out of `exports` (`amp export` writes it afterwards), or build in parts",
        )


def rotation_notes(recipe: Recipe, registry: Registry, samples: Iterable[Sample]) -> list[str]:
    """Where `labels.max_box_rotation` narrows what is sampled for a filter, and for which classes."""
    labels = recipe.labels
    unknown = {
        a.category
        for sample in samples
        for a in sample.annotations
        if labels.assumed and is_plain(a) and a.shape is None and a.category not in labels.outlines
    }
    steps = [step for spec in recipe.variants for step in spec.steps]
    turning = {s.filter for s in steps if _turns_by(s, registry) > labels.max_box_rotation}
    if not unknown or not turning:
        return []
    return [
        f"images with plain boxes of {', '.join(sorted(unknown)[:5])} are turned by at most "
        f"{labels.max_box_rotation:g} degrees ({', '.join(sorted(turning))} may turn by more): say by `labels.outline` "
        "whether they are more of an ellipse or a rect, or raise `labels.max_box_rotation`"
    ]


def _converted(prepared: Prepared) -> Iterator[Repair]:
    """What is not carried over from each source image, its colours and frames."""
    settings = prepared.recipe.encode
    for item in prepared.joined.items:
        if item.header is not None:
            for what in lost(item.header, encoding_for(item.header, settings, item.values)):
                detail = (
                    f"black is {item.values[0]:g}, white {item.values[1]:g}" if what == DEEP and item.values else ""
                )
                yield Repair(item.sample.source_id, what, detail)


def _meaning_warnings(prepared: Prepared) -> list[str]:
    used = dict.fromkeys(step.filter for step in prepared.recipe.steps)
    spoils = [(name, prepared.registry.filter(name).spoils) for name in used]
    return warnings((category.name for category in prepared.joined.categories), spoils)


def _pose_notes(recipe: Recipe) -> list[str]:
    """Which classes have keypoints that look the same in a mirror, as far as their names tell."""
    return [
        f"no keypoint of {name} has left or right in its name, so mirror images keep their order; "
        "say `flip_idx` or `flip_pairs` if some change places"
        for name in recipe.categories.ordered
    ]


def _turns_by(step: Step, registry: Registry) -> float:
    """The largest angle to the axes, from 0 to 45 degrees, that a step can turn by."""
    degrees = step.settings.get("degrees")
    if degrees is None or not issubclass(registry.filter(step.filter), GeometricFilter):
        return 0.0
    low, high = (degrees, degrees) if isinstance(degrees, int | float) else (min(degrees), max(degrees))
    angles = np.linspace(low, high, 181) % 90
    return float(np.minimum(angles, 90 - angles).max())
