"""What is to be made of every image, as plain data that travels to workers as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, Literal

from amp_datasets.images.codec import EncodeSettings, Limits
from amp_datasets.images.kinds import MAX_PIXELS

_DIGEST_BYTES = 16
_PIECES_AT_ONCE = 4096
ORIGINAL = "original"
"""Name of the variant that is the untouched source."""


@dataclass(frozen=True, slots=True)
class Step:
    """One filter with all its settings, and when and where it is applied.

    `p` is the probability that it is, `within` that it works inside the boxes of all `objects`, or of one `object`
    drawn at random, `only` the classes of which an image must show one.
    """

    filter: str
    settings: dict[str, Any] = field(default_factory=dict)
    p: float = 1.0
    within: Literal["", "objects", "object"] = ""
    only: tuple[str, ...] = ()

    def conditions(self) -> dict[str, Any]:
        """What is not as it is for a plain filter, as a manifest says it."""
        said: dict[str, Any] = {"p": self.p} if self.p != 1 else {}
        said |= {"within": self.within} if self.within else {}
        return said | ({"only": {"classes": list(self.only)}} if self.only else {})


@dataclass(frozen=True, slots=True)
class VariantSpec:
    """One kind of variant: steps in order, or `pick` of them drawn anew for each of `copies`."""

    name: str
    steps: tuple[Step, ...]
    copies: int = 1
    pick: int | None = None
    max_severity: int = 4
    only: tuple[str, ...] = ()

    def concerns(self, categories: Iterable[str]) -> bool:
        """Whether it is made of an image that shows these categories."""
        return not self.only or not set(self.only).isdisjoint(categories)

    def label(self, copy: int) -> str:
        """The name of one variant in file names and the ledger."""
        return self.name if self.copies == 1 else f"{self.name}-{copy + 1}"


@dataclass(frozen=True, slots=True)
class LabelSettings:
    """The manifest's `labels`, as far as single images are concerned."""

    min_visibility: float = 0.4
    drop_below: float = 0.1
    min_side_px: float = 2.0
    outline: Literal["ellipse", "rect"] = "ellipse"
    outlines: dict[str, Literal["ellipse", "rect"]] = field(default_factory=dict)
    attempts: int = 10
    min_difference: float = 0.5
    assumed: bool = False
    """Whether nobody said what shape objects have, so that boxes must not be turned by more than this angle."""
    max_box_rotation: float = 15.0


@dataclass(frozen=True, slots=True)
class CategoryRules:
    """What mirror images need to know of the categories of a build."""

    sides: dict[str, str] = field(default_factory=dict)
    one_sided: tuple[str, ...] = ()
    flip_pairs: dict[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    ordered: tuple[str, ...] = ()
    """Categories whose keypoints have names, and none of them a side: a mirror image keeps their order."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides how a variant looks, apart from the source itself."""

    seed: int
    variants: tuple[VariantSpec, ...]
    labels: LabelSettings = field(default_factory=LabelSettings)
    encode: EncodeSettings = field(default_factory=EncodeSettings)
    categories: CategoryRules = field(default_factory=CategoryRules)
    max_pixels: int = MAX_PIXELS
    max_bytes: int = 256 * 2**20
    plugin_dirs: tuple[str, ...] = ()
    preprocess: tuple[Step, ...] = ()

    @property
    def limits(self) -> Limits:
        """What a single image may cost."""
        return Limits(self.max_bytes, self.max_pixels)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every step that there is, of preprocessing and of all kinds of variant."""
        return (*self.preprocess, *(step for spec in self.variants for step in spec.steps))

    def dump(self) -> str:
        """Canonical JSON."""
        return canonical(asdict(self))


def load_recipe(text: str) -> Recipe:
    """The recipe that `Recipe.dump` wrote."""
    raw = json.loads(text)
    rules = raw.pop("categories")
    return Recipe(
        variants=tuple(load_spec(spec) for spec in raw.pop("variants")),
        labels=LabelSettings(**raw.pop("labels")),
        encode=EncodeSettings(**raw.pop("encode")),
        categories=CategoryRules(
            rules["sides"],
            tuple(rules["one_sided"]),
            {name: tuple((i, j) for i, j in pairs) for name, pairs in rules["flip_pairs"].items()},
            tuple(rules.get("ordered", ())),
        ),
        plugin_dirs=tuple(raw.pop("plugin_dirs", ())),
        preprocess=tuple(load_step(step) for step in raw.pop("preprocess", ())),
        **raw,
    )


def load_spec(raw: dict[str, Any]) -> VariantSpec:
    """One kind of variant from its JSON."""
    steps = tuple(load_step(step) for step in raw["steps"])
    return VariantSpec(**{**raw, "steps": steps, "only": tuple(raw.get("only", ()))})


def load_step(raw: dict[str, Any]) -> Step:
    """One step from its JSON."""
    return Step(**{**raw, "only": tuple(raw.get("only", ()))})


def canonical(value: Any) -> str:
    """JSON that is the same text for the same content."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def digest(value: Any) -> str:
    """32 hexadecimal digits that name a JSON value's content."""
    return hashlib.blake2b(canonical(value).encode(), digest_size=_DIGEST_BYTES).hexdigest()


def digest_of_large(value: Any) -> str:
    """The same digits; slower, and without the whole JSON in memory."""
    digits = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for piece in json_pieces(value, separators=(",", ":")):
        digits.update(piece.encode())
    return digits.hexdigest()


def json_pieces(value: Any, **style: Any) -> Iterator[str]:
    """The JSON of a value with sorted names, some kilobytes at a time; `style` is of `json.JSONEncoder`."""
    pieces = json.JSONEncoder(ensure_ascii=False, sort_keys=True, **style).iterencode(value)
    while some := "".join(islice(pieces, _PIECES_AT_ONCE)):
        yield some
