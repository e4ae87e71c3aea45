"""What a mirror image does to names: left and right change places, in categories and in keypoints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from amp_datasets.model import Annotation, Category


def mirrored(annotation: Annotation, sides: Mapping[str, str], categories: Mapping[str, Category]) -> Annotation:
    """A label in a mirror image: left and right change their names."""
    keypoints, category = annotation.keypoints, categories.get(annotation.category)
    if keypoints is not None and category is not None and category.flip_pairs:
        order = np.arange(len(keypoints))
        for left, right in category.flip_pairs:
            order[[left, right]] = order[[right, left]]
        keypoints = keypoints[order]
    corners = annotation.corners
    if corners is not None:  # clockwise again, and the first edge is still the same edge of the object
        corners = corners[[1, 0, 3, 2]]
    name = sides.get(annotation.category, annotation.category)
    return replace(annotation, category=name, keypoints=keypoints, corners=corners)


def side_pairs(names: Sequence[str]) -> tuple[dict[str, str], frozenset[str]]:
    """Categories whose names differ by left and right alone, both ways, and those with a side but no counterpart."""
    known, pairs, single = set(names), {}, set()
    for name in names:
        other = _other_side(name)
        if other is None:
            continue
        if other in known:
            pairs[name] = other
        else:
            single.add(name)
    return pairs, frozenset(single)


def keypoint_pairs(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Indices of keypoints whose names differ by left and right alone, each pair once."""
    index: dict[str, Any] = {name: i for i, name in enumerate(names)}
    others = [(i, index.get(_other_side(name) or _other_corner(name) or "")) for name, i in index.items()]
    return tuple((i, j) for i, j in others if j is not None and i < j)


def is_numbered(names: Sequence[str]) -> bool:
    """Whether names of keypoints are none, but numbers that stand for them."""
    return all(_NUMBERED.fullmatch(name) for name in names)


_NUMBERED = re.compile(r"(?:key)?(?:point|pt|kpt|kp|landmark|lm|p|k)?[\s_-]*\d*", re.IGNORECASE)
_CORNERS = {"tl": "tr", "tr": "tl", "bl": "br", "br": "bl", "ul": "ur", "ur": "ul", "ll": "lr", "lr": "ll"}


def _other_corner(name: str) -> str | None:
    """`TR` for `TL`: corners of a page by their initials."""
    other = _CORNERS.get(name.lower())
    return other.upper() if other is not None and name.isupper() else other


def _other_side(name: str) -> str | None:
    """`left_eye` for `right_eye`, `Eye-R` for `Eye-L`; None for a name without a side."""
    words = {"left": "right", "right": "left", "l": "r", "r": "l"}
    parts = _words(name)
    sides = [i for i, part in enumerate(parts) if part.lower() in words]
    if len(sides) != 1 or (len(parts) == 1 and len(name) == 1):
        return None
    part = parts[sides[0]]
    other = words[part.lower()]
    parts[sides[0]] = other.upper() if part.isupper() else other.title() if part[:1].isupper() else other
    return "".join(parts)


def _words(name: str) -> list[str]:
    """A name cut into words and what is between them."""
    return [part for part in re.split(r"([^A-Za-z]+|(?<=[a-z])(?=[A-Z]))", name) if part]
