"""What comes together while sets are joined, and what they are in the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from amp_datasets.images.kinds import Header, ValueRange
from amp_datasets.manifest.model import Manifest
from amp_datasets.model import Annotation, Category, Dropped, Repair, Sample
from amp_datasets.sources.classes import MergedCategories

_EXAMPLES = 3


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One source image of a build: `sample.source_id` is unique over all sets, `stem` names its files.

    `values` are what is black and white in its set, if it is deeper than 8 bits.
    """

    sample: Sample
    stem: str
    sha256: str
    set_name: str
    one_sided: tuple[str, ...] = ()
    """Classes of its set that have a side, and no counterpart in this set or the manifest."""
    header: Header | None = None
    values: ValueRange | None = None
    piece: str = ""
    """Which part of its image it is, where preprocessing makes several of one."""
    shown: tuple[Annotation, ...] | None = None
    """The labels after preprocessing, if there is any."""
    category: str | None = None
    """The class of the image as a whole that preprocessing gave it."""
    copies: Mapping[str, int] = field(default_factory=dict)
    """How many copies it gets of a kind of variant, where that is not what the kind says."""

    @property
    def seen(self) -> tuple[Annotation, ...]:
        """The labels that variants are made with."""
        return self.sample.annotations if self.shown is None else self.shown

    @property
    def classes(self) -> list[str]:
        """The class of each label that variants are made with, those of the image as a whole last."""
        whole = self.sample.labels if self.category is None else (self.category,)
        return [*(annotation.category for annotation in self.seen), *whole]


@dataclass(frozen=True, slots=True, eq=False)
class Consolidated:
    """All sets as one, and what joining them did."""

    categories: tuple[Category, ...]
    items: tuple[Item, ...]
    set_names: tuple[str, ...] = ()
    """What each set is called in the build, in the order in which they were given."""
    dropped: tuple[Dropped, ...] = ()
    repairs: tuple[Repair, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class Joining:
    """What comes together while sets are joined as a manifest says."""

    manifest: Manifest
    categories: MergedCategories
    items: list[Item] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    repairs: list[Repair] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def examples(texts: Iterable[str]) -> str:
    """The first few."""
    listed = list(islice(texts, _EXAMPLES + 1))
    return ", ".join(listed[:_EXAMPLES]) + (", ..." if len(listed) > _EXAMPLES else "")
