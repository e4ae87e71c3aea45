"""Classes of several sets as one list: names mapped, categories merged, keypoints that must agree."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from amp_datasets.errors import SourceError, nearest
from amp_datasets.model import Category, LabelSet, Sample
from amp_datasets.variants.mirror import keypoint_pairs


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
        if self.unknown == "drop" or not any(name in s.categories for s in labels.samples):
            return None if self.unknown != "keep" else name
        if self.unknown == "keep":
            return name
        near = nearest(name, self.canonical)
        raise SourceError(
            f"the class `{name}` of {labels.name} is not in `classes`",
            fix=(f"did you mean `{near}`? " if near else "")
            + "add it, map it to another (`name: [alias]`), or set unknown_classes to keep or drop",
        )


class MergedCategories:
    """The build's categories in the order of their ids, and which classes of which sets each of them was."""

    def __init__(self, names: Iterable[str]) -> None:
        self.by_name = {name: Category(name) for name in names}
        self.origins: dict[str, list[str]] = {}

    def add(self, new: Category, origin: str) -> None:
        """Take in a category by its name in the build; `origin` is its set and its name there.

        Keypoints are those of the set that has some, and so are flip pairs. Raises SourceError where both have
        some and they are not the same ones: a point would change its meaning.
        """
        old = self.by_name.get(new.name, Category(new.name))
        known = self.origins.setdefault(new.name, [])
        if old.keypoints and new.keypoints and old.keypoints != new.keypoints:
            raise _conflict(new.name, "keypoints", old.keypoints, new.keypoints, [*known, origin])
        if old.flip_pairs and new.flip_pairs and _unordered(old) != _unordered(new):
            raise _conflict(new.name, "flip pairs", old.flip_pairs, new.flip_pairs, [*known, origin])
        named = new if new.keypoints and not old.keypoints else old
        self.by_name[new.name] = replace(
            named,
            flip_pairs=old.flip_pairs or new.flip_pairs,
            skeleton=named.skeleton or new.skeleton or old.skeleton,
            supercategory=old.supercategory or new.supercategory,
        )
        known.append(origin)

    def of_set(self, name: str) -> frozenset[str]:
        """The categories of the build that one set has."""
        origins = self.origins.items()
        return frozenset(own for own, found in origins if any(origin.startswith(f"{name}/") for origin in found))

    def categories(self) -> tuple[Category, ...]:
        """All of them in order; keypoints without flip pairs get those that their names tell."""
        return tuple(replace(c, flip_pairs=c.flip_pairs or keypoint_pairs(c.keypoints)) for c in self.by_name.values())

    def check(self, samples: Iterable[Sample]) -> None:
        """All labels of a category have one number of keypoints: that of its names, where it has some."""
        numbers = {name: (len(c.keypoints), "its names") for name, c in self.by_name.items() if c.keypoints}
        for sample in samples:
            for annotation in sample.annotations:
                if annotation.keypoints is None:
                    continue
                found = len(annotation.keypoints)
                number, known = numbers.setdefault(annotation.category, (found, sample.source_id))
                if found != number:
                    raise SourceError(
                        f"a label of `{annotation.category}` has {found} keypoints, not {number} as {known}",
                        where=sample.source_id,
                        fix=_RENAME,
                    )

    def notes(self) -> list[str]:
        """Which classes became one, and which look as if they should."""
        joined = [
            f"{', '.join(origins)} are joined as the class {name}"
            for name, origins in self.origins.items()
            if len({origin.partition("/")[2] for origin in origins}) > 1
        ]
        return joined + [
            f"classes that differ by case or spaces only: {', '.join(group)}; merge with `classes`"
            for group in alike(list(self.by_name))
        ]


_RENAME = "give one of the classes another name: `sources: [{path: ..., classes: {old name: new name}}]`"


def alike(names: Sequence[str]) -> list[list[str]]:
    """Groups of names that are one if case, spaces, dashes and ways to write an accent do not count."""
    groups: dict[str, list[str]] = {}
    for name in names:
        key = re.sub(r"[\s_-]+", "", unicodedata.normalize("NFKC", name).casefold())
        groups.setdefault(key, []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _unordered(category: Category) -> frozenset[frozenset[int]]:
    return frozenset(frozenset(pair) for pair in category.flip_pairs)


def _conflict(
    name: str, what: str, ours: Sequence[object], theirs: Sequence[object], origins: Sequence[str]
) -> SourceError:
    return SourceError(
        f"the {what} of `{name}` are not the same in all sets: {_listed(ours)} and {_listed(theirs)}",
        where=" and ".join(origins),
        fix=f"give the sets the same ones in the same order, or {_RENAME}",
    )


def _listed(values: Sequence[object]) -> str:
    shown = ", ".join(map(str, values[:6]))
    return f"{len(values)} ({shown}{', ...' if len(values) > 6 else ''})"
