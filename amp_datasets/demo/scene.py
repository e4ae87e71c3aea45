"""Draws the demo's images: things with outlines known exactly, on textured ground in slanting light.

Flat colours would flatter every filter and every detector; noise, shadow and shading make the images behave like
photographs while their labels stay exact: each thing is painted by how much of every pixel its polygon covers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from amp_datasets.model import FloatArray, Image, Size

Plane = NDArray[np.float32]

_LINES = 8
_LIGHT = np.array((-0.55, -0.65, 0.52), dtype=np.float32)
"""Towards the light: from the upper left, above the ground."""


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """One object in an image: its class and its outline (n, 2) in edge coordinates; `pose` maps unit shape to it."""

    category: str
    outline: FloatArray
    pose: FloatArray


def thing(category: str, rng: np.random.Generator, centre: tuple[float, float], radius: float) -> Thing:
    """A thing of a class at a place, turned at random; `radius` is half its length."""
    unit = _SHAPES[category](rng)
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = radius * np.cos(angle), radius * np.sin(angle)
    pose = np.array([(cos, -sin, centre[0]), (sin, cos, centre[1])])
    return Thing(category, unit @ pose[:, :2].T + pose[:, 2], pose)


def coverage(outline: FloatArray, size: Size) -> Plane:
    """The share (height, width) of every pixel that an outline inside the image covers.

    Along each of 8 lines a pixel the crossings with the outline are exact: each adds a step at its place, and the
    running sum of the steps is the cover.
    """
    first, last = (int(edge) for edge in (np.floor(outline[:, 1].min()), np.ceil(outline[:, 1].max())))
    lines = np.arange(first * _LINES, last * _LINES) / _LINES + 0.5 / _LINES
    start, end = outline[:, None, :], np.roll(outline, -1, axis=0)[:, None, :]
    down = (start[..., 1] <= lines) & (lines < end[..., 1])
    up = (end[..., 1] <= lines) & (lines < start[..., 1])
    edge, line = np.nonzero(down | up)
    (x0, y0), (x1, y1) = start[edge, 0].T, end[edge, 0].T
    x = x0 + (lines[line] - y0) * (x1 - x0) / (y1 - y0)
    column, row = np.floor(x).astype(int), first + line // _LINES
    step, share = np.where(down[edge, line], 1 / _LINES, -1 / _LINES), x - np.floor(x)
    canvas = np.zeros((size[1], size[0] + 2))
    np.add.at(canvas, (row, column), step * (1 - share))
    np.add.at(canvas, (row, column + 1), step * share)
    return np.abs(np.cumsum(canvas, axis=1)[:, : size[0]]).clip(0, 1).astype(np.float32)


def image(things: list[Thing], rng: np.random.Generator, size: Size, ground: int) -> Image:
    """The things with their shadows on moss (`ground` 0), planks, sand or slate, and round again."""
    grounds = (_moss, _planks, _sand, _slate)
    canvas = grounds[ground % len(grounds)](rng, size) * _daylight(rng, size)[..., None]
    covers = [coverage(each.outline, size) for each in things]
    canvas *= _shadow(covers, size)[..., None]
    for each, cover in zip(things, covers, strict=True):
        _paint(canvas, each, cover, rng)
    canvas += rng.normal(0, 1.5, canvas.shape[:2]).astype(np.float32)[..., None]
    pixels: Image = np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
    return pixels


def _leaf(rng: np.random.Generator) -> FloatArray:
    """A serrated blade with a stalk, its spine bent."""
    t = np.linspace(0.02, 1, 61)
    teeth = 1 + 0.09 * (1 - (t * 13) % 1)
    half = 0.52 * rng.uniform(0.75, 1) * np.sin(np.pi * t**0.8) ** 0.9 * teeth
    half[-1] = 0
    x, bend = 1.5 * t - 0.5, rng.uniform(-0.22, 0.22)
    upper, lower = np.column_stack([x, -half]), np.column_stack([x, half])[-2::-1]
    stalk = np.array([(-0.5, 0.035), (-0.98, 0.05), (-1, -0.01), (-0.5, -0.035)])
    ring = np.concatenate([upper, lower, stalk])
    ring[:, 1] += bend * (ring[:, 0] ** 2 - 0.3)
    return ring


def _starfish(rng: np.random.Generator) -> FloatArray:
    """Five tapering arms of unequal length."""
    angle = np.linspace(0, 2 * np.pi, 160, endpoint=False)
    arms = rng.uniform(0.86, 1, 5)[np.rint(angle / (2 * np.pi / 5)).astype(int) % 5]
    radius = 0.36 + (arms - 0.36) * np.abs(np.cos(2.5 * angle)) ** 2.2
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


def _fish(rng: np.random.Generator) -> FloatArray:
    """Body, forked tail and fins: corner points cut four times (Chaikin), which leaves a smooth concave ring."""
    depth = rng.uniform(0.85, 1.1)
    back = [(1, 0), (0.86, -0.17), (0.45, -0.34), (0.22, -0.37), (-0.02, -0.58), (-0.14, -0.34), (-0.58, -0.11)]
    tail = [(-0.98, -0.46), (-0.94, -0.4), (-0.8, 0), (-0.94, 0.4), (-0.98, 0.46)]
    belly = [(-0.58, 0.11), (-0.3, 0.25), (-0.22, 0.43), (-0.04, 0.33), (0.45, 0.33), (0.86, 0.15)]
    corners = np.array([*back, *tail, *belly]) * (1, depth)
    for _ in range(4):
        following = np.roll(corners, -1, axis=0)
        corners = np.stack([0.75 * corners + 0.25 * following, 0.25 * corners + 0.75 * following], 1).reshape(-1, 2)
    return corners


def _pebble(rng: np.random.Generator) -> FloatArray:
    """An ellipse."""
    angle = np.linspace(0, 2 * np.pi, 128, endpoint=False)
    return np.column_stack([np.cos(angle), rng.uniform(0.6, 0.85) * np.sin(angle)])


_SHAPES: dict[str, Callable[[np.random.Generator], FloatArray]] = {
    "fish": _fish,
    "leaf": _leaf,
    "pebble": _pebble,
    "starfish": _starfish,
}
CATEGORIES = tuple(_SHAPES)
"""The classes of things that can be drawn."""


def _leaf_colour(u: Plane, v: Plane, rng: np.random.Generator) -> Plane:
    base = np.array([(188, 92, 30), (196, 150, 38), (110, 140, 46), (160, 48, 34)], np.float32)[rng.integers(4)]
    spine, side = np.exp(-((v / 0.03) ** 2)), np.abs((u * 7 - np.abs(v) * 9) % 1 - 0.5)
    veins = np.maximum(spine, 0.55 * np.exp(-((side / 0.07) ** 2)))[..., None]
    tint = _tint(base, u * 2, v * 2, 26)
    return np.asarray(tint * (1 - 0.5 * veins) + veins * np.array((118, 108, 58), np.float32), np.float32)


def _starfish_colour(u: Plane, v: Plane, rng: np.random.Generator) -> Plane:
    base = np.array([(206, 88, 52), (168, 60, 84), (214, 140, 56)], np.float32)[rng.integers(3)]
    along = np.hypot(u, v)
    ridge = np.cos(2.5 * np.arctan2(v, u)) ** 8
    dots = np.exp(-((np.abs((along * 11) % 1 - 0.5) / 0.2) ** 2)) * ridge
    bumps = np.maximum(0, np.sin(u * 44) * np.sin(v * 44)) ** 2
    return np.asarray(_tint(base, u, v, 20) + (58 * dots + 26 * bumps)[..., None], np.float32)


def _fish_colour(u: Plane, v: Plane, rng: np.random.Generator) -> Plane:
    back, belly = np.array((46, 92, 128), np.float32), np.array((206, 214, 208), np.float32)
    if rng.random() < 0.5:
        back, belly = np.array((196, 84, 30), np.float32), np.array((244, 206, 140), np.float32)
    share = np.clip((v + 0.22) / 0.4, 0, 1)[..., None]
    colour = back * (1 - share) + belly * share
    row = np.floor(v * 15)
    scale = np.hypot((u * 13 + 0.5 * (row % 2)) % 1 - 0.2, (v * 15) % 1 - 0.5)
    body = (np.abs(u - 0.02) < 0.52) & (np.abs(v) < 0.34)
    colour = colour * np.where(body, 0.82 + 0.3 * np.clip(scale, 0, 0.8), 1.0)[..., None]
    fins = (u < -0.6) | (v < -0.38) | (v > 0.35)
    colour = np.where(fins[..., None], colour * (0.84 + 0.16 * np.sin(36 * (u + v)))[..., None], colour)
    gill = np.exp(-(((np.hypot(u - 0.84, v) - 0.32) / 0.018) ** 2)) * (np.abs(v) < 0.2)
    eye = np.hypot(u - 0.72, v + 0.09)
    colour = colour * (1 - 0.5 * gill)[..., None]
    colour = np.where((eye < 0.07)[..., None], np.array((238, 226, 170), np.float32), colour)
    return np.where((eye < 0.042)[..., None], np.array((18, 18, 22), np.float32), colour).astype(np.float32)


def _pebble_colour(u: Plane, v: Plane, rng: np.random.Generator) -> Plane:
    base = np.array([(150, 150, 156), (176, 146, 124), (96, 104, 116), (188, 180, 164)], np.float32)[rng.integers(4)]
    tilt = rng.uniform(-1, 1)
    band = np.exp(-(((v - tilt * u - 0.15 * np.sin(4 * u) - 0.1) / 0.06) ** 2))
    return np.asarray(_tint(base, u, v, 16) + (62 * band)[..., None], np.float32)


_COLOURS: dict[str, Callable[[Plane, Plane, np.random.Generator], Plane]] = {
    "fish": _fish_colour,
    "leaf": _leaf_colour,
    "pebble": _pebble_colour,
    "starfish": _starfish_colour,
}


def _tint(base: Plane, u: Plane, v: Plane, strength: float) -> Plane:
    """A colour that drifts a little over the surface."""
    drift = np.sin(3.1 * u + 1.7 * v) + np.sin(2.3 * v - 4.1 * u + 1)
    return np.asarray(base + (strength / 2 * drift)[..., None], np.float32)


def _paint(canvas: Plane, each: Thing, cover: Plane, rng: np.random.Generator) -> None:
    """Lay one shaded thing over the canvas."""
    x0, y0 = np.maximum(np.floor(each.outline.min(axis=0)).astype(int) - 2, 0)
    x1, y1 = np.ceil(each.outline.max(axis=0)).astype(int) + 2
    alpha = cover[y0:y1, x0:x1]
    height, width = alpha.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) + np.float32(0.5)
    placed = np.stack([x + (x0 - each.pose[0, 2]), y + (y0 - each.pose[1, 2])], axis=-1)
    unit = (placed @ np.linalg.inv(each.pose[:, :2]).T).astype(np.float32)
    radius = float(np.linalg.norm(each.pose[:, 0]))
    colour = _COLOURS[each.category](unit[..., 0], unit[..., 1], rng)
    colour = colour * (1 + 0.09 * _noise(rng, (width, height), radius / 5))[..., None]
    light, gloss = _relief(alpha, radius, {"leaf": 0.1}.get(each.category, 0.32))
    shaded = np.clip(colour * light[..., None] + gloss[..., None], 0, 255)
    patch = canvas[y0:y1, x0:x1]
    patch += alpha[..., None] * (shaded - patch)


def _relief(alpha: Plane, radius: float, roundness: float) -> tuple[Plane, Plane]:
    """Light and gloss of a body that bulges inwards from its outline."""
    inside = cv2.copyMakeBorder((alpha > 0.5).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1] / (roundness * radius)
    bulge = np.sqrt(1 - (1 - np.clip(depth, 0, 1)) ** 2) * roundness * radius * 0.8
    bulge = cv2.GaussianBlur(bulge, (0, 0), max(radius / 28, 0.8))
    slope_x, slope_y = cv2.Sobel(bulge, -1, 1, 0, scale=1 / 8), cv2.Sobel(bulge, -1, 0, 1, scale=1 / 8)
    towards = (-slope_x * _LIGHT[0] - slope_y * _LIGHT[1] + _LIGHT[2]) / np.sqrt(1 + slope_x**2 + slope_y**2)
    lambert = np.clip(towards, 0, 1)
    return (0.5 + 0.85 * lambert).astype(np.float32), (70 * lambert**9).astype(np.float32)


def _shadow(covers: list[Plane], size: Size) -> Plane:
    """What the things leave of the light on the ground: a soft shadow to the lower right, dark where they touch it."""
    whole = sum(covers, np.zeros((size[1], size[0]), np.float32))
    reach = min(size) / 60
    moved = cv2.warpAffine(whole, np.array([(1, 0, reach), (0, 1, 1.2 * reach)], np.float32), size)
    cast, contact = cv2.GaussianBlur(moved, (0, 0), 0.8 * reach), cv2.GaussianBlur(whole, (0, 0), 0.3 * reach)
    return np.asarray((1 - 0.5 * cast) * (1 - 0.35 * contact), np.float32)


def _noise(rng: np.random.Generator, size: Size, cell: float, stretch: float = 1.0) -> Plane:
    """Smooth noise in about [-1, 1]: octaves from `cell` pixels down to 2, each with 0.6 of the one before."""
    total, weight, strength = np.zeros((size[1], size[0]), np.float32), 0.0, 1.0
    while cell >= 2 or weight == 0:
        shape = (int(size[1] / cell) + 2, int(size[0] / (cell * stretch)) + 2)
        grid = rng.uniform(-1, 1, shape).astype(np.float32)
        total += np.float32(strength) * cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)
        weight += strength**2
        cell, strength = cell / 2, strength * 0.6
    return np.asarray(total / np.float32(np.sqrt(weight)), np.float32)


def _daylight(rng: np.random.Generator, size: Size) -> Plane:
    """Light that falls off across the image, dappled by something above it."""
    y, x = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j].astype(np.float32)
    slant = 1.06 - 0.13 * (x * rng.uniform(0.3, 1) + y * rng.uniform(0.3, 1)) - 0.08 * (x**2 + y**2)
    dapple = np.clip(1.6 * _noise(rng, size, max(size) / 2.2) + 0.5, 0, 1)
    return np.asarray(slant * (0.74 + 0.26 * cv2.GaussianBlur(dapple, (0, 0), min(size) / 50)), np.float32)


def _ramp(values: Plane, *colours: tuple[int, int, int]) -> Plane:
    """Colours from dark to light by values in [-1, 1]."""
    stops = np.linspace(-1, 1, len(colours))
    channels = [np.interp(values, stops, channel) for channel in zip(*colours, strict=True)]
    return np.stack(channels, axis=-1).astype(np.float32)


def _sand(rng: np.random.Generator, size: Size) -> Plane:
    y = np.arange(size[1], dtype=np.float32)[:, None]
    drift = _noise(rng, size, min(size) / 2)
    ripples = np.sin(y * (2 * np.pi * 11 / min(size)) + 4 * drift)
    grain = rng.normal(0, 0.3, (size[1], size[0])).astype(np.float32)
    values = 0.3 * ripples + 0.35 * drift + cv2.GaussianBlur(grain, (0, 0), 0.7)
    return _ramp(values, (136, 112, 82), (190, 166, 128), (226, 206, 170))


def _planks(rng: np.random.Generator, size: Size) -> Plane:
    plank = size[1] / rng.integers(3, 6)
    y = np.broadcast_to(np.arange(size[1], dtype=np.float32)[:, None], (size[1], size[0]))
    board = (y / plank).astype(int)
    fibre, figure = _noise(rng, size, 6, stretch=14), _noise(rng, size, min(size) / 5, stretch=6)
    rings = np.sin(9 * figure + 5 * board)
    values = 0.42 * fibre + 0.25 * rings + rng.uniform(-0.3, 0.3, board.max() + 1)[board]
    gap = np.abs((y + 0.5 * plank) % plank - 0.5 * plank) < max(1.0, size[1] / 250)
    return _ramp(values.astype(np.float32), (88, 62, 44), (140, 104, 74), (186, 148, 110)) * (1 - 0.6 * gap[..., None])


def _moss(rng: np.random.Generator, size: Size) -> Plane:
    values = 0.55 * _noise(rng, size, 9) + 0.4 * _noise(rng, size, min(size) / 4)
    return _ramp(values, (28, 44, 22), (72, 98, 42), (142, 158, 84))


def _slate(rng: np.random.Generator, size: Size) -> Plane:
    layers, speckle = _noise(rng, size, min(size) / 6, stretch=2.5), _noise(rng, size, 5)
    values = 0.45 * layers + 0.25 * speckle + 0.2 * np.sin(7 * layers)
    return _ramp(values.astype(np.float32), (50, 56, 66), (92, 100, 112), (146, 152, 158))
