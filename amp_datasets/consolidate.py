"""Several sets become one: categories merged by name, labels mapped, duplicates found, splits made, names unique."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import PurePosixPath

from amp_datasets.duplicates import fingerprints, join_groups, near_pairs, repeated
from amp_datasets.errors import SourceError
from amp_datasets.image import Limits
from amp_datasets.labels import keypoint_pairs
from amp_datasets.manifest import Manifest
from amp_datasets.model import Annotation, Category, Dropped, LabelSet, Repair, Sample
from amp_datasets.registry import nearest
from amp_datasets.splits import Group, assign_splits

_MAX_STEM_BYTES = 120


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One source image of a build: `sample.source_id` is unique over all sets, `stem` names its files."""

    sample: Sample
    stem: str
    sha256: str
    set_name: str


@dataclass(frozen=True, slots=True, eq=False)
class Consolidated:
    """All sets as one, and what joining them did."""

    categories: tuple[Category, ...]
    items: tuple[Item, ...]
    dropped: tuple[Dropped, ...] = ()
    repairs: tuple[Repair, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class _Joining:
    """What comes together while sets are joined."""

    categories: dict[str, Category] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    repairs: list[Repair] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def consolidate(
    sets: Sequence[LabelSet], renames: Sequence[Mapping[str, str]], manifest: Manifest, order: Sequence[str] = ()
) -> Consolidated:
    """Join sets in their order; `renames` maps each set's class names, `order` are categories that keep their ids."""
    joining = _Joining()
    names = ClassNames(manifest.classes, manifest.unknown_classes)
    for name in (*order, *(manifest.classes or ())):
        joining.categories.setdefault(name, Category(name))
    set_names = unique_names([s.name for s in sets])
    limits = Limits(**manifest.limits.model_dump())
    for labels, rename, set_name in zip(sets, renames, set_names, strict=True):
        _take_in(joining, labels, names.mapping(labels, rename), set_name, manifest, limits)
    _note_alike(joining)
    _handle_duplicates(joining, manifest, limits)
    items = _with_stems(_with_splits(joining.items, manifest))
    categories = tuple(joining.categories.values())
    lost = (tuple(joining.dropped), tuple(joining.repairs), tuple(joining.notes))
    return Consolidated(categories, tuple(items), *lost)


class ClassNames:
    """Class names of sources to names in the build."""

    def __init__(self, classes: Mapping[str, Iterable[str]] | None, unknown: str) -> None:
        self.closed = classes is not None
        self.unknown = unknown
        self.canonical = {alias: name for name, aliases in (classes or {}).items() for alias in (name, *aliases)}

    def mapping(self, labels: LabelSet, rename: Mapping[str, str]) -> dict[str, str | None]:
        """The build's name for each category of a set; None drops its labels."""
        stray = [name for name in rename if name not in {category.name for category in labels.categories}]
        if stray:
            known = [category.name for category in labels.categories]
            near = nearest(stray[0], known)
            raise SourceError(
                f"`classes` renames `{stray[0]}`, which {labels.name} does not have",
                fix=f"did you mean `{near}`?" if near else f"it has: {', '.join(known)}",
            )
        return {c.name: self._one(rename.get(c.name, c.name), labels) for c in labels.categories}

    def _one(self, name: str, labels: LabelSet) -> str | None:
        if not self.closed or name in self.canonical:
            return self.canonical.get(name, name)
        if self.unknown == "drop" or not any(a.category == name for s in labels.samples for a in s.annotations):
            return None if self.unknown != "keep" else name
        if self.unknown == "keep":
            return name
        near = nearest(name, self.canonical)
        raise SourceError(
            f"the class `{name}` of {labels.name} is not in `classes`",
            fix=(f"did you mean `{near}`? " if near else "")
            + "add it, map it to another (`name: [alias]`), or set unknown_classes to keep or drop",
        )


def _take_in(
    joining: _Joining,
    labels: LabelSet,
    mapping: Mapping[str, str | None],
    set_name: str,
    manifest: Manifest,
    limits: Limits,
) -> None:
    for category in labels.categories:
        name = mapping[category.name]
        if name is not None:
            joining.categories[name] = _merged(joining.categories.get(name), replace(category, name=name))
    joining.dropped += [replace(item, id=f"{set_name}/{item.id}") for item in labels.dropped]
    joining.repairs += [replace(item, id=f"{set_name}/{item.id}") for item in labels.repairs]
    samples = list(labels.samples)
    for sample, found in zip(samples, fingerprints([s.image for s in samples], limits, near=False), strict=True):
        source_id = f"{set_name}/{sample.source_id}"
        if isinstance(found, SourceError):
            joining.dropped.append(Dropped(source_id, "picture cannot be read", found.what))
            continue
        if not sample.labelled and manifest.unlabelled == "drop":
            joining.dropped.append(Dropped(source_id, "picture has no label", "`unlabelled: empty` takes it as empty"))
            continue
        mapped = _mapped(sample, source_id, mapping, joining)
        if mapped is not None:
            joining.items.append(Item(mapped, "", found[0], set_name))


def _mapped(sample: Sample, source_id: str, mapping: Mapping[str, str | None], joining: _Joining) -> Sample | None:
    """A sample with the build's class names; None (and counted) if none of its labels is wanted."""
    kept: list[Annotation] = []
    for number, annotation in enumerate(sample.annotations, start=1):
        name = mapping[annotation.category]
        if name is None:
            joining.dropped.append(Dropped(f"{source_id}#{number}", "class is not in `classes`", annotation.category))
        else:
            kept.append(annotation if name == annotation.category else replace(annotation, category=name))
    if sample.annotations and not kept:
        joining.dropped.append(Dropped(source_id, "no usable label", "none of its classes is in `classes`"))
        return None
    return replace(sample, source_id=source_id, annotations=tuple(kept), labelled=True)


def _merged(old: Category | None, new: Category) -> Category:
    """One category from two sets: keypoints of the first that has some, flip pairs found by name if not given."""
    merged = new if old is None or (new.keypoints and not old.keypoints) else old
    pairs = merged.flip_pairs or keypoint_pairs(merged.keypoints)
    return replace(merged, flip_pairs=pairs, supercategory=merged.supercategory or new.supercategory)


def _note_alike(joining: _Joining) -> None:
    alike: dict[str, list[str]] = {}
    for name in joining.categories:
        alike.setdefault(re.sub(r"[\s_-]+", "", unicodedata.normalize("NFKC", name).casefold()), []).append(name)
    for group in alike.values():
        if len(group) > 1:
            joining.notes.append(
                f"classes that differ by case or spaces only: {', '.join(group)}; merge with `classes`"
            )


def _handle_duplicates(joining: _Joining, manifest: Manifest, limits: Limits) -> None:
    """Exact copies are joined in one split group, or dropped if the manifest says so; near copies always joined."""
    items = joining.items
    again = {i for indices in repeated([item.sha256 for item in items]).values() for i in indices[1:]}
    if again:
        what = "dropped" if manifest.duplicates == "drop" else "kept in one split"
        joining.notes.append(f"{len(again)} pictures are byte-for-byte copies of others ({what})")
    if manifest.duplicates == "drop":
        joining.dropped += [Dropped(items[i].sample.source_id, "exact copy of another picture") for i in sorted(again)]
        items = [item for i, item in enumerate(items) if i not in again]
    pairs: list[tuple[int, int]] = []
    if isinstance(manifest.splits, dict) and len(manifest.splits) > 1:
        found = fingerprints([item.sample.image for item in items], limits, near=True)
        pairs = list(near_pairs([0 if isinstance(f, SourceError) else f[1] for f in found]))
        if pairs:
            joining.notes.append(f"{len(pairs)} pairs of pictures look the same; each pair is kept in one split")
    same = [
        (i, j) for indices in repeated([item.sha256 for item in items]).values() for i, j in pairwise(indices)
    ]
    names = [_group_name(item, manifest) for item in items]
    groups = join_groups(names, [*pairs, *same])
    joining.items = [replace(item, sample=replace(item.sample, group=groups[i])) for i, item in enumerate(items)]


def _group_name(item: Item, manifest: Manifest) -> str:
    if manifest.group_by is not None:
        match = re.search(manifest.group_by, item.sample.source_id)
        if match is not None and match.group(1) is not None:
            return match.group(1)
    return f"{item.set_name}/{item.sample.group}" if item.sample.group else item.sample.source_id


def _with_splits(items: Sequence[Item], manifest: Manifest) -> list[Item]:
    """Every image with its split: made anew for each set by itself, so that adding one changes no other, or kept."""
    if manifest.splits == "keep":
        first: dict[str, str] = {}
        for item in items:  # a group that was spread over splits is collected in the first of them
            first.setdefault(str(item.sample.group), item.sample.split or "train")
        return [_in_split(item, first[str(item.sample.group)]) for item in items]
    result: dict[str, str] = {}
    for set_name in dict.fromkeys(item.set_name for item in items):
        members: dict[str, list[Item]] = {}
        for item in items:
            if item.set_name == set_name and str(item.sample.group) not in result:
                members.setdefault(str(item.sample.group), []).append(item)
        groups = [Group(name, len(group), _categories_in(group)) for name, group in members.items()]
        result.update(assign_splits(groups, {**manifest.splits}, manifest.seed))
    return [_in_split(item, result[str(item.sample.group)]) for item in items]


def _categories_in(items: Sequence[Item]) -> Counter[str]:
    return Counter(name for item in items for name in {a.category for a in item.sample.annotations})


def _in_split(item: Item, split: str) -> Item:
    return replace(item, sample=replace(item.sample, split=split))


def _with_stems(items: Sequence[Item]) -> list[Item]:
    """File stems that are unique in the whole build, as close to the sources' own as can be."""
    taken: set[str] = set()
    result = []
    for item in items:
        own = safe_stem(item.sample.source_id)
        candidates = (own, safe_stem(f"{item.set_name}-{own}"), *(f"{own}-{n}" for n in range(2, len(items) + 2)))
        stem = next(name for name in candidates if name.casefold() not in taken)
        taken.add(stem.casefold())
        result.append(replace(item, stem=stem))
    return result


def safe_stem(source_id: str) -> str:
    """A file's stem without what file systems, shells' globs or our own `__` give a meaning to."""
    stem = PurePosixPath(source_id).stem
    stem = re.sub(r"[\x00-\x1f\x7f<>:\"/\\|?*%#]+", "-", unicodedata.normalize("NFC", stem))
    stem = re.sub(r"_{2,}", "_", stem).strip(" .-_") or "image"
    return stem.encode()[:_MAX_STEM_BYTES].decode(errors="ignore")


def unique_names(names: Sequence[str]) -> list[str]:
    """The names that sets have in a build: of two that are called the same, the second gets a number."""
    result: list[str] = []
    for name in names:
        candidates = (name, *(f"{name}-{n}" for n in range(2, len(names) + 2)))
        result.append(next(candidate for candidate in candidates if candidate not in result))
    return result
