"""Images of seven things on black, each in a corner colour of the RGB cube, with outlines known exactly.

Seen through any resampling a pixel belongs to the nearest of the eight corners, which is a threshold on each channel:
mixing a corner with black never gives a third corner.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .raster import Ring, ellipse_pixels, fill

Size = tuple[int, int]
Place = tuple[float, float, float, float]
"""Centre x, y and half extents: where a thing has to fit in."""

SIZE = (900, 480)
MARGIN = 6
"""Pixels between a thing and its cell's side, so that a replicated edge is always black."""


@dataclass(frozen=True, eq=False)
class Thing:
    """A painted thing: its colour code, its outline, its pixels, and how much of it its label tells."""

    code: int
    kind: str
    rings: tuple[Ring, ...]
    pixels: NDArray[np.bool_]

    @property
    def name(self) -> str:
        """The category that tells things of one image apart."""
        return f"thing {self.code}"

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The tight box of the outline."""
        points = np.concatenate(self.rings)
        return (*points.min(axis=0), *points.max(axis=0))

    @property
    def centre(self) -> NDArray[np.float64]:
        """The centre of mass of the painted pixels, in edge coordinates."""
        y, x = np.nonzero(self.pixels)
        return np.array([x.mean() + 0.5, y.mean() + 0.5])


@dataclass(frozen=True, eq=False)
class Scene:
    """An image and the things in it."""

    image: NDArray[np.uint8]
    things: tuple[Thing, ...]
    name: str


def paint(name: str, size: Size, outlines: Sequence[tuple[str, tuple[Ring, ...]]]) -> Scene:
    """The image of at most seven outlines, each with the kind of its label."""
    things = []
    image = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    for code, (kind, rings) in enumerate(outlines, start=1):
        pixels = _ellipse(rings[0], size) if kind == "ellipse box" else fill(rings, (0, 0, *size))
        image[pixels] = [255 * (code >> channel & 1) for channel in range(3)]
        things.append(Thing(code, kind, rings, pixels))
    return Scene(image, tuple(things), name)


def scene(seed: int, kinds: Sequence[str] | None = None, size: Size = SIZE, margin: float = MARGIN) -> Scene:
    """Seven things at random places of a 4 x 2 grid; kinds take turns from one scene to the next."""
    draw = random.Random(seed)
    kinds = kinds or tuple(SHAPES)
    cells = draw.sample(range(8), 7)
    outlines = []
    for number, cell in enumerate(cells):
        kind = kinds[(seed * 7 + number) % len(kinds)]
        outlines.append((kind, SHAPES[kind](draw, _place(draw, cell, size, margin))))
    return paint(f"scene {seed}", size, outlines)


@functools.cache
def scenes(count: int, first: int = 0) -> tuple[Scene, ...]:
    """The first scenes, with all kinds of thing."""
    return tuple(scene(seed) for seed in range(first, first + count))


def blocks(seed: int, size: Size = (160, 90)) -> Scene:
    """Things whose corners are corners of pixels, so that a box of whole pixels is their exact outline's box."""
    draw = random.Random(seed)
    outlines: list[tuple[str, tuple[Ring, ...]]] = []
    for number, cell in enumerate(draw.sample(range(8), 7)):
        unit = draw.randint(3, 8)
        corner = (cell % 4 * size[0] // 4 + draw.randint(0, 8), cell // 4 * size[1] // 2 + draw.randint(0, 12))
        kind, rings = BLOCKS[(seed + number) % len(BLOCKS)]
        outlines.append((kind, tuple(np.array(ring, dtype=np.float64) * unit + corner for ring in rings)))
    return paint(f"blocks {seed}", size, outlines)


def discs(seed: int, size: Size = (120, 90), radius: float = 11, count: int = 3) -> Scene:
    """Discs whose outlines are known, at places that are no whole pixels."""
    draw = random.Random(seed)
    width, height = size
    places = [((n + 0.5) * width / count, draw.uniform(radius + 2, height - radius - 2)) for n in range(count)]
    rings = [
        (_around(_CIRCLE, np.ones(len(_CIRCLE)), (x + draw.uniform(-5, 5), y, radius, radius)),) for x, y in places
    ]
    return paint(f"discs {seed}", size, [("oval", ring) for ring in rings])


_CIRCLE = np.arange(120) * np.pi / 60


def _place(draw: random.Random, cell: int, size: Size, margin: float) -> Place:
    width, height = size[0] / 4, size[1] / 2
    most = (width / 2 - margin, height / 2 - margin)
    a, b = (half * draw.uniform(0.45, 1.0) for half in most)
    x = (cell % 4 + 0.5) * width + draw.uniform(-1, 1) * (most[0] - a)
    y = (cell // 4 + 0.5) * height + draw.uniform(-1, 1) * (most[1] - b)
    return x, y, a, b


def _ellipse(ring: Ring, size: Size) -> NDArray[np.bool_]:
    low, high = ring.min(axis=0), ring.max(axis=0)
    return ellipse_pixels((low + high) / 2, (high - low) / 2, size)


def _around(angles: Sequence[float], radii: Sequence[float], place: Place) -> Ring:
    x, y, a, b = place
    angle, radius = np.array(angles), np.array(radii)
    return np.stack([x + a * radius * np.cos(angle), y + b * radius * np.sin(angle)], axis=1)


def _oval(draw: random.Random, place: Place) -> tuple[Ring, ...]:
    return (_around(np.arange(720) * np.pi / 360, np.ones(720), place),)


def _convex(draw: random.Random, place: Place) -> tuple[Ring, ...]:
    corners = draw.randint(3, 8)
    angles = [(i + draw.uniform(0, 0.8)) * 2 * np.pi / corners for i in range(corners)]
    return (_around(angles, np.ones(corners), place),)


def _star(draw: random.Random, place: Place) -> tuple[Ring, ...]:
    tips, turn = draw.randint(4, 6), draw.uniform(0, np.pi)
    angles = [turn + i * np.pi / tips for i in range(2 * tips)]
    return (_around(angles, [1.0, 0.5] * tips, place),)


def _rectangle(draw: random.Random, place: Place) -> tuple[Ring, ...]:
    x, y, a, b = place
    return (np.array([(x - a, y - b), (x + a, y - b), (x + a, y + b), (x - a, y + b)]),)


def _bar(draw: random.Random, place: Place, width: float = 0.12) -> tuple[Ring, ...]:
    x, y, a, b = place
    turn, half = draw.uniform(0, np.pi), 0.95 * min(a, b)
    along = np.array([np.cos(turn), np.sin(turn)]) * half
    across = np.array([-np.sin(turn), np.cos(turn)]) * half * width
    return (np.array([along + across, across - along, -along - across, along - across]) + np.array([x, y]),)


def _tilted(draw: random.Random, place: Place) -> tuple[Ring, ...]:
    x, y, a, b = place
    return _bar(draw, (x, y, 0.8 * a, 0.8 * b), 0.6)


def _horseshoe(draw: random.Random, place: Place) -> tuple[Ring, ...]:
    bend = np.linspace(0.25 * np.pi, 1.75 * np.pi, 24) + draw.uniform(0, 2 * np.pi)
    return (_around([*bend, *bend[::-1]], [1.0] * 24 + [0.55] * 24, place),)


def _pair(draw: random.Random, place: Place) -> tuple[Ring, ...]:
    x, y, a, b = place
    halves = ((x - 0.55 * a, y, 0.45 * a, b), (x + 0.55 * a, y, 0.45 * a, 0.7 * b))
    return tuple(ring for half in halves for ring in _convex(draw, half))


def _ring(draw: random.Random, place: Place) -> tuple[Ring, ...]:
    x, y, a, b = place
    return (*_star(draw, place), *_convex(draw, (x, y, 0.3 * a, 0.3 * b)))


SHAPES: dict[str, Callable[[random.Random, Place], tuple[Ring, ...]]] = {
    "convex": _convex,
    "concave": _star,
    "horseshoe": _horseshoe,
    "oval": _oval,
    "thin": _bar,
    "two parts": _pair,
    "hole": _ring,
    "ellipse box": _oval,
    "rectangle box": _rectangle,
    "oriented box": _tilted,
    "mask": _star,
}
"""What is painted, by what the label knows: an outline, unless the name says that it is only a box or a mask."""

BLOCKS: tuple[tuple[str, tuple[list[tuple[int, int]], ...]], ...] = (
    ("rectangle box", ([(0, 0), (3, 0), (3, 4), (0, 4)],)),
    ("concave", ([(0, 0), (3, 0), (3, 4), (2, 4), (2, 1), (1, 1), (1, 4), (0, 4)],)),
    ("concave", ([(0, 0), (4, 0), (4, 1), (1, 1), (1, 3), (0, 3)],)),
    ("hole", ([(0, 0), (4, 0), (4, 4), (0, 4)], [(1, 1), (3, 1), (3, 3), (1, 3)])),
    ("two parts", ([(0, 0), (1, 0), (1, 4), (0, 4)], [(2, 1), (4, 1), (4, 3), (2, 3)])),
    ("mask", ([(1, 0), (2, 0), (2, 1), (3, 1), (3, 2), (2, 2), (2, 3), (1, 3), (1, 2), (0, 2), (0, 1), (1, 1)],)),
)
"""Kinds of label with outlines on whole coordinates."""

KNOWN = tuple(kind for kind in SHAPES if not kind.endswith("box"))
"""Kinds whose label holds the whole outline."""
