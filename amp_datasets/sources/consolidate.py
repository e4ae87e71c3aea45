"""Several sets become one: categories merged by name, labels mapped, duplicates found, splits made, names unique."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import re2

from amp_datasets.errors import SourceError, UnreadableError
from amp_datasets.geometry.learnt import with_shapes
from amp_datasets.geometry.shapes import outline_box, runs_counterclockwise
from amp_datasets.images.codec import ValueRange
from amp_datasets.images.decoding import range_of
from amp_datasets.images.fingerprints import Fingerprint, fingerprints, join_groups, near_links, repeated
from amp_datasets.images.opening import image_changed
from amp_datasets.manifest.model import Manifest
from amp_datasets.manifest.resolve import one_sided_among
from amp_datasets.model import Annotation, Dropped, LabelSet, Repair, Sample, classifies
from amp_datasets.shown import amount
from amp_datasets.sources.classes import ClassNames, MergedCategories
from amp_datasets.sources.copies import handle_copies
from amp_datasets.sources.joining import Consolidated, Item, Joining, examples
from amp_datasets.sources.splits import Group, assign_splits
from amp_datasets.storage.names import FreeStems, safe_stem

_ROUNDED_PX = 1.0
"""Boxes of whole pixels around an outline are its box, rounded: replaced without a word."""


def consolidate(
    sets: Sequence[LabelSet], renames: Sequence[Mapping[str, str]], manifest: Manifest, order: Sequence[str] = ()
) -> Consolidated:
    """Join sets in their order; `renames` maps each set's class names, `order` are categories that keep their ids."""
    joining = Joining(manifest, MergedCategories((*order, *(manifest.classes or ()))))
    names = ClassNames(manifest.classes, manifest.unknown_classes)
    set_names = _unique_names([s.name for s in sets])
    _check_tasks(sets)
    for labels, rename, set_name in zip(sets, renames, set_names, strict=True):
        _take_in(joining, labels, names.mapping(labels, rename), set_name)
    joining.categories.check(item.sample for item in joining.items)
    joining.notes += joining.categories.notes()
    _handle_duplicates(joining)
    items = _with_stems(_with_splits(joining))
    lost = (tuple(joining.dropped), tuple(joining.repairs), tuple(joining.notes))
    return Consolidated(joining.categories.categories(), tuple(items), tuple(set_names), *lost)


def _check_tasks(sets: Sequence[LabelSet]) -> None:
    """Detection and classification do not mix: in either, the images of the other would count as empty."""
    whole = [labels.name for labels in sets if classifies(labels.samples)]
    parts = [labels.name for labels in sets if any(sample.annotations for sample in labels.samples)]
    if whole and parts:
        raise SourceError(
            f"{whole[0]} has labels of whole images (classification), {parts[0]} of objects",
            where=" and ".join((whole[0], parts[0])),
            fix="build them one by one, each with a manifest of its own",
        )


def _take_in(joining: Joining, labels: LabelSet, mapping: Mapping[str, str | None], set_name: str) -> None:
    manifest = joining.manifest
    single = one_sided_among(manifest, [name for name in mapping.values() if name is not None])
    for category in labels.categories:
        name = mapping[category.name]
        if name is not None:
            joining.categories.add(replace(category, name=name), f"{set_name}/{category.name}")
    joining.dropped += [replace(item, id=f"{set_name}/{item.id}") for item in labels.dropped]
    joining.repairs += [replace(item, id=f"{set_name}/{item.id}") for item in labels.repairs]
    samples = with_shapes(labels.samples) if manifest.label_settings().assumed else list(labels.samples)
    looked = list(fingerprints([s.image for s in samples], manifest.limits.as_limits(), near=False))
    ranges = _ranges(looked)
    for sample, found in zip(samples, looked, strict=True):
        source_id = f"{set_name}/{sample.source_id}"
        if isinstance(found, UnreadableError):
            raise found
        if isinstance(found, SourceError):
            joining.dropped.append(Dropped(source_id, "image cannot be read", found.what))
            continue
        if not sample.labelled and manifest.unlabelled == "drop":
            joining.dropped.append(Dropped(source_id, "image has no label", "`unlabelled: empty` takes it as empty"))
            continue
        if found.header is not None and found.header.size != sample.size:
            raise image_changed(sample.image)
        mapped = _mapped(sample, source_id, mapping, joining)
        if mapped is not None:
            header = found.header
            values = None
            if header is not None and header.depth > 8:
                values = labels.values or header.values or ranges.get(header.is_float)
            sides = tuple(sorted(single))
            joining.items.append(Item(mapped, "", found.sha256, set_name, sides, header, values))


def _ranges(looked: Iterable[Fingerprint | SourceError]) -> dict[bool, ValueRange]:
    """What is black and white in a set's deep images as measured: for whole numbers, and for fractions."""
    found: dict[bool, list[ValueRange]] = {}
    for each in looked:
        if isinstance(each, Fingerprint) and each.header is not None and each.extremes is not None:
            found.setdefault(each.header.is_float, []).append(each.extremes)
    return {is_float: range_of(each, is_float=is_float) for is_float, each in found.items()}


def _mapped(sample: Sample, source_id: str, mapping: Mapping[str, str | None], joining: Joining) -> Sample | None:
    """A sample with the build's class names; None (and counted) if none of its labels is wanted."""
    kept: list[Annotation] = []
    for number, annotation in enumerate(sample.annotations, start=1):
        name = mapping[annotation.category]
        if name is None:
            joining.dropped.append(Dropped(f"{source_id}#{number}", "class is not in `classes`", annotation.category))
        else:
            kept.append(_of_one_convention(replace(annotation, category=name), f"{source_id}#{number}", joining))
    labels = dict.fromkeys(name for own in sample.labels if (name := mapping[own]) is not None)
    unwanted = [own for own in sample.labels if mapping[own] is None]
    joining.dropped += [Dropped(f"{source_id}#{own}", "class is not in `classes`", own) for own in unwanted]
    if (sample.annotations or sample.labels) and not kept and not labels:
        joining.dropped.append(Dropped(source_id, "no usable label", "none of its classes is in `classes`"))
        return None
    return replace(sample, source_id=source_id, annotations=tuple(kept), labelled=True, labels=tuple(labels))


def _of_one_convention(annotation: Annotation, label: str, joining: Joining) -> Annotation:
    """A label whose box is that of its outline, and whose corners run clockwise on screen, as those of variants do."""
    box, corners = outline_box(annotation), annotation.corners
    if max(abs(a - b) for a, b in zip(box, annotation.xyxy, strict=True)) > _ROUNDED_PX:
        joining.repairs.append(Repair(label, "box taken from its outline", f"{annotation.category} {annotation.xyxy}"))
    if corners is not None and runs_counterclockwise(corners):
        joining.repairs.append(Repair(label, "corners put in clockwise order", annotation.category))
        corners = corners[[1, 0, 3, 2]]
    return replace(annotation, xyxy=box, corners=corners)


def _handle_duplicates(joining: Joining) -> None:
    """Exact copies share a split group, or are dropped if the manifest says so; near copies share one or are told."""
    handle_copies(joining)
    items = joining.items
    pairs = _near_copies(joining)
    same = [(i, j) for group in repeated([item.sha256 for item in items]).values() for i, j in pairwise(group)]
    tied = [f"{item.set_name}/{item.sample.group}" if item.sample.group else item.sample.source_id for item in items]
    copies = [(i, j) for group in repeated(tied).values() for i, j in pairwise(group)]
    groups = join_groups(_group_names(joining, tied), [*pairs, *same, *copies])
    joining.items = [replace(item, sample=replace(item.sample, group=groups[i])) for i, item in enumerate(items)]


def _near_copies(joining: Joining) -> list[tuple[int, int]]:
    """Pairs of images that look the same and must not part; where splits are kept as they are, they are only told."""
    manifest = joining.manifest
    anew = isinstance(manifest.splits, dict) and len(manifest.splits) > 1
    if manifest.near_duplicates == "off" or not (anew or manifest.near_duplicates == "report"):
        return []
    items = joining.items
    found = fingerprints([item.sample.image for item in items], manifest.limits.as_limits(), near=True)
    hashes = [0 if isinstance(f, SourceError) else f[1] for f in found]
    pairs = [(i, j) for i, j in near_links(hashes) if items[i].sha256 != items[j].sha256]
    if pairs:
        shown = examples(f"{items[i].sample.source_id} and {items[j].sample.source_id}" for i, j in pairs)
        what = "each pair is kept in one split" if anew else "splits are kept, so they may be in two"
        joining.notes.append(f"{len(pairs)} pairs of images look the same; {what}: {shown}")
    return pairs if anew else []


def _group_names(joining: Joining, otherwise: Sequence[str]) -> list[str]:
    """What `group_by` finds in each image's name; an image where it finds nothing keeps to itself."""
    if joining.manifest.group_by is None:
        return list(otherwise)
    pattern = re2.compile(joining.manifest.group_by)  # without backtracking: no name takes it long
    matches = [pattern.search(item.sample.source_id) for item in joining.items]
    found = [None if match is None else match.group(1) for match in matches]
    missed = [item.sample.source_id for item, name in zip(joining.items, found, strict=True) if name is None]
    if missed:
        joining.notes.append(f"`group_by` finds nothing in {len(missed)} images: {examples(missed)}")
    return [own if name is None else f"group_by {name}" for own, name in zip(otherwise, found, strict=True)]


def _with_splits(joining: Joining) -> list[Item]:
    """Every image with its split: made anew for each set by itself, so that adding one changes no other, or kept."""
    items, manifest = joining.items, joining.manifest
    if not isinstance(manifest.splits, dict):
        return _with_kept_splits(joining)
    result: dict[str, str] = {}
    for set_name in dict.fromkeys(item.set_name for item in items):
        members: dict[str, list[Item]] = {}
        for item in items:
            if item.set_name == set_name and str(item.sample.group) not in result:
                members.setdefault(str(item.sample.group), []).append(item)
        groups = [Group(name, len(group), _categories_in(group)) for name, group in members.items()]
        result.update(assign_splits(groups, {**manifest.splits}, manifest.seed))
    return [_in_split(item, result[str(item.sample.group)]) for item in items]


def _with_kept_splits(joining: Joining) -> list[Item]:
    """The sources' own splits; a group that was spread over several is collected in the first of them, and noted."""
    first: dict[str, str] = {}
    moved: list[str] = []
    for item in joining.items:
        own = item.sample.split or "train"
        split = first.setdefault(str(item.sample.group), own)
        if split != own:
            moved.append(f"{item.sample.source_id} from {own} to {split}")
    if moved:
        joining.notes.append(f"moved to the split of their copies: {amount(len(moved), 'image')}: {examples(moved)}")
    if joining.items and "validation" not in first.values():
        joining.notes.append("no image is for validation: `splits: {train: 0.8, validation: 0.2}` makes a split anew")
    return [_in_split(item, first[str(item.sample.group)]) for item in joining.items]


def _categories_in(items: Sequence[Item]) -> Counter[str]:
    return Counter(name for item in items for name in item.sample.categories)


def _in_split(item: Item, split: str) -> Item:
    return replace(item, sample=replace(item.sample, split=split))


def _with_stems(items: Sequence[Item]) -> list[Item]:
    """File stems that are unique in the whole build, as close to the sources' own as can be."""
    stems = FreeStems()
    result = []
    for item in items:
        own = safe_stem(item.sample.source_id)
        result.append(replace(item, stem=stems.take(own, safe_stem(f"{item.set_name}-{own}"))))
    return result


def _unique_names(names: Sequence[str]) -> list[str]:
    """The names that sets have in a build: of two that are called the same, the second gets a number."""
    result: list[str] = []
    for name in names:
        candidates = (name, *(f"{name}-{n}" for n in range(2, len(names) + 2)))
        result.append(next(candidate for candidate in candidates if candidate not in result))
    return result
