"""What can be wrong with the images of a set and with its splits: sizes, EXIF, copies, classes that are missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from amp_datasets.audit.image_rules import OF_LOSSES
from amp_datasets.audit.rules import RULES, Finding, finding
from amp_datasets.errors import ImageError, SourceError
from amp_datasets.images.codec import EncodeSettings, Limits, encoding_for
from amp_datasets.images.decoding import range_of
from amp_datasets.images.fingerprints import Fingerprint, fingerprints, join_groups, near_links, repeated
from amp_datasets.images.header import probe
from amp_datasets.images.kinds import lost
from amp_datasets.model import Sample

SMALLEST_PX = 10
"""Ultralytics refuses images with a shorter side (`verify_image_label`)."""
FEW_PICTURES = 5


def image_findings(samples: Iterable[Sample], limits: Limits) -> Iterator[Finding]:
    """The problems of each image by itself; a file that cannot be read is found by `copy_findings`."""
    for sample in samples:
        name = sample.source_id
        if not sample.labelled:
            yield finding("AMP309", name)
        if min(sample.size) < SMALLEST_PX:
            yield finding("AMP307", name, f"image is smaller than 10 pixels: {sample.size[0]} x {sample.size[1]}")
        try:
            header = probe(sample.image, limits)
        except (ImageError, SourceError):
            continue
        if header.orientation != 1:
            yield finding("AMP305", name, f"image is stored turned (EXIF orientation {header.orientation})")
        for what in lost(header, encoding_for(header, EncodeSettings())):
            yield finding(OF_LOSSES[what], name)
        if header.size != sample.size:
            frames = [f"{w} x {h}" for w, h in (sample.size, header.size)]
            yield finding("AMP304", name, f"labels are for an image of {frames[0]}, upright it is {frames[1]}")


def copy_findings(
    samples: Sequence[Sample], limits: Limits, *, across_splits: bool = True, parts: Sequence[str] = ()
) -> Iterator[Finding]:
    """The same image under several names, exactly or nearly; and files that cannot be read.

    With `parts` (a name for each sample) only copies that lie in several of them are reported.
    """
    digests, hashes, prints = [], [], []
    for index, found in enumerate(fingerprints([sample.image for sample in samples], limits, near=True)):
        prints.append(found)
        if isinstance(found, SourceError):
            yield finding("AMP301", samples[index].source_id, f"image cannot be read: {found.what}")
        digests.append(f"unreadable {index}" if isinstance(found, SourceError) else found[0])
        hashes.append(0 if isinstance(found, SourceError) else found[1])
    if not parts:
        yield from _range_findings(samples, prints)
    exact = list(repeated(digests).values())
    for rules, group in [*((_EXACT, g) for g in exact), *((_NEAR, g) for g in _alike(digests, hashes))]:
        if not parts or len({parts[i] for i in group}) > 1:
            yield _of_group(rules[across_splits and _parted(samples, group)], samples, group)


def _range_findings(samples: Sequence[Sample], prints: Sequence[Fingerprint | SourceError]) -> Iterator[Finding]:
    """Images deeper than 8 bits whose brightest value is a sixteenth of what is white in their set, or less."""
    for is_float in (False, True):
        deep = {
            index: found.extremes
            for index, found in enumerate(prints)
            if isinstance(found, Fingerprint) and found.header and found.header.is_float == is_float and found.extremes
        }
        low, high = range_of(deep.values(), is_float=is_float) if deep else (0.0, 1.0)
        for index, (_, brightest) in deep.items():
            if brightest - low <= (high - low) / 16:
                what = f"its brightest value is {brightest:g}, white is {high:g}"
                yield finding("AMP336", samples[index].source_id, f"{RULES['AMP336'].title}: {what}")


_EXACT = ("AMP311", "AMP312")
_NEAR = ("AMP313", "AMP314")
"""The rules for copies in one split, and for copies in several."""


def _alike(digests: Sequence[str], hashes: Sequence[int]) -> list[list[int]]:
    """Groups of images that look the same and are not all the same file."""
    names = join_groups([str(index) for index in range(len(hashes))], near_links(hashes))
    groups: dict[str, list[int]] = {}
    for index, name in names.items():
        groups.setdefault(name, []).append(index)
    return [group for group in groups.values() if len({digests[i] for i in group}) > 1]


def _of_group(rule: str, samples: Sequence[Sample], group: Sequence[int]) -> Finding:
    """One finding for a group of copies, at the second of them."""
    names = [samples[i].source_id for i in group]
    others = ", ".join(f"{samples[i].source_id} ({samples[i].split or 'no split'})" for i in group[:4])
    return finding(
        rule, names[1], f"{RULES[rule].title}: {others}{f' and {len(names) - 4} more' if len(names) > 4 else ''}"
    )


def _parted(samples: Sequence[Sample], group: Sequence[int]) -> bool:
    return len({samples[i].split for i in group}) > 1


def group_findings(samples: Sequence[Sample]) -> Iterator[Finding]:
    """Copies of one image, as their names tell, that are in several splits."""
    members: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        if sample.group is not None:
            members.setdefault(sample.group, []).append(index)
    for name, group in members.items():
        if _parted(samples, group):
            splits = Counter(str(samples[i].split) for i in group)
            where = ", ".join(f"{n} in {split}" for split, n in splits.items())
            yield finding("AMP315", samples[group[0]].source_id, f"copies of {name} in several splits: {where}")


def class_findings(samples: Sequence[Sample]) -> Iterator[Finding]:
    """Classes that a split lacks, and those with hardly any image."""
    images: Counter[tuple[str, str]] = Counter()
    for sample in samples:
        images.update((sample.split or "", name) for name in sample.categories)
    splits = dict.fromkeys(sample.split or "" for sample in samples if sample.labelled)
    for category in sorted({name for _, name in images}):  # not in the order of a set, which changes from run to run
        total = sum(images[split, category] for split in splits)
        if total < FEW_PICTURES:
            yield finding("AMP402", "classes", f"class has very few images: {category}, {total}")
        for split in splits:
            if not images[split, category]:
                yield finding("AMP401", "splits", f"class is missing in a split: {category} in {split or 'no split'}")
