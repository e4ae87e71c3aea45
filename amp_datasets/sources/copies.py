"""Labels of images that are the same byte for byte: what one copy's file says holds for the others too."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from amp_datasets.formats.kit.meaning.agreement import CONTRADICTION, joined
from amp_datasets.images.fingerprints import repeated
from amp_datasets.model import Annotation, Dropped, Repair, Sample
from amp_datasets.shown import amount
from amp_datasets.sources.joining import Joining, examples


def handle_copies(joining: Joining) -> None:
    """Say which images are there twice, and take them out where that is wanted: their labels are kept."""
    groups = [group for group in repeated([item.sha256 for item in joining.items]).values() if len(group) > 1]
    _join_labels(joining, groups)
    items = joining.items
    copies = {i: group[0] for group in repeated([item.sha256 for item in items]).values() for i in group[1:]}
    if not copies:
        return
    names = {i: (items[i].sample.source_id, items[first].sample.source_id) for i, first in sorted(copies.items())}
    what = "dropped" if joining.manifest.duplicates == "drop" else "kept in one split"
    shown = examples(" is ".join(pair) for pair in names.values())
    joining.notes.append(f"byte-for-byte copies of others: {amount(len(copies), 'image')} ({what}): {shown}")
    if joining.manifest.duplicates == "drop":
        joining.dropped += [Dropped(name, "exact copy of another image", first) for name, first in names.values()]
        joining.items = [item for i, item in enumerate(items) if i not in copies]


def _join_labels(joining: Joining, groups: Iterable[Sequence[int]]) -> None:
    """Give copies of one image the labels of all of them; where these contradict each other, set them aside."""
    items, torn = list(joining.items), set[int]()
    for group in groups:
        samples = [items[i].sample for i in group]
        if not differ(samples):
            continue
        names = " and ".join(sample.source_id for sample in samples)
        found = labels_of_copies(samples, [joining.categories.of_set(items[i].set_name) for i in group])
        if found is None:
            torn.update(group)
            joining.dropped += [Dropped(sample.source_id, CONTRADICTION, f"copies: {names}") for sample in samples]
            continue
        joining.repairs.append(Repair(samples[0].source_id, "labels of several files joined", f"copies: {names}"))
        for i in group:
            together = replace(items[i].sample, annotations=tuple(found[0]), labels=tuple(found[1]))
            items[i] = replace(items[i], sample=together)
    joining.items = [item for i, item in enumerate(items) if i not in torn]


def labels_of_copies(
    samples: Sequence[Sample], known: Sequence[Collection[str]]
) -> tuple[list[Annotation], list[str]] | None:
    """The labels, and the labels of the whole image, that some copies have together; None where they contradict.

    `known` are the classes that the set of each copy could have used.
    """
    labels, classes = list(samples[0].annotations), set(known[0])
    for sample, own in zip(samples[1:], known[1:], strict=True):
        both = joined(labels, sample.annotations, classes, set(own))
        if both is None:
            return None
        labels, classes = both, classes | set(own)
    return labels, list(dict.fromkeys(name for sample in samples for name in sample.labels))


def differ(samples: Iterable[Sample]) -> bool:
    """Whether copies of an image have other labels, up to their order."""
    found = {tuple(sorted((a.category, a.xyxy) for a in sample.annotations)) + sample.labels for sample in samples}
    return len(found) > 1
