"""Scenes as labelled originals, and labels as claims: the only place of the oracle that knows the package's model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from amp_datasets.model import Annotation, Mask, Polygon
from amp_datasets.variants.maker import Original

from .scenes import Scene, Thing
from .verdict import Claim


def original(scene: Scene) -> Original:
    """The scene as a decoded source; its name stands in for the digest of a file."""
    digest = hashlib.sha256(scene.name.encode()).hexdigest()
    return Original(scene.image, digest, tuple(annotation(thing) for thing in scene.things))


def annotation(thing: Thing) -> Annotation:
    """What a label of this kind knows of the thing, and a keypoint at its centre of mass."""
    keypoints = np.array([[*thing.centre, 2.0]])
    plain = Annotation(thing.name, thing.box, keypoints=keypoints)
    if thing.kind in {"ellipse box", "rectangle box"}:
        return plain
    if thing.kind == "oriented box":
        return Annotation(thing.name, thing.box, corners=thing.rings[0], keypoints=keypoints)
    if thing.kind == "mask":
        y, x = np.nonzero(thing.pixels)
        box = (float(x.min()), float(y.min()), float(x.max() + 1), float(y.max() + 1))
        packed = coco_mask.encode(np.asfortranarray(thing.pixels, dtype=np.uint8))["counts"]
        return Annotation(thing.name, box, mask=Mask(thing.pixels.shape[::-1], packed), keypoints=keypoints)
    if thing.kind == "hole":
        polygons: tuple[Polygon, ...] = (Polygon(thing.rings[0], thing.rings[1:]),)
    else:
        polygons = tuple(Polygon(ring) for ring in thing.rings)
    return Annotation(thing.name, thing.box, polygons=polygons, keypoints=keypoints)


def claims(annotations: Iterable[Annotation]) -> list[Claim]:
    """Labels in the oracle's form; a keypoint that is not labelled any more claims nothing."""
    return [_claim(annotation) for annotation in annotations]


def rectangles(scene: Scene) -> dict[str, str]:
    """The `outlines` setting that a scene's plain boxes of rectangles need."""
    return {thing.name: "rect" for thing in scene.things if thing.kind == "rectangle box"}


def _claim(label: Annotation) -> Claim:
    rings = tuple(ring for polygon in label.polygons for ring in polygon.rings) or None
    if label.corners is not None:
        rings = (label.corners,)
    mask = None
    if label.mask is not None:
        mask = _unpacked(label.mask)
    point = None
    if label.keypoints is not None and label.keypoints[0, 2] > 0:
        point = label.keypoints[0, :2]
    return Claim(int(label.category.split()[-1]), label.xyxy, rings, mask, point)


def _unpacked(mask: Mask) -> NDArray[np.bool_]:
    """COCO's run lengths as pixels: 5 bits a character, from the third on as differences, column by column."""
    runs: list[int] = []
    value = shift = 0
    for character in mask.counts:
        value |= (character - 48 & 31) << shift
        shift += 5
        if character - 48 & 32:
            continue
        value -= (character - 48 & 16) << shift - 4
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    covered = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return covered.reshape(mask.size).T
