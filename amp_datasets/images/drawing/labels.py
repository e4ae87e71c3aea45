"""Labels drawn on images, once for all who show them: preview, report, studio, notebooks, the documentation.

Lines are as wide as the shown size asks for, with a dark rim, so that they are seen on white, black and busy images; a
name is written where it covers no other name, or left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Box, Category, FloatArray, Image, Size
from amp_datasets.shown import shortened

Colour = tuple[int, int, int]

PALETTE: tuple[Colour, ...] = (
    (255, 51, 51), (51, 51, 255), (0, 255, 255), (153, 51, 102), (255, 204, 0),
    (153, 102, 204), (255, 102, 153), (51, 204, 102), (204, 153, 255), (153, 0, 204),
    (153, 255, 153), (0, 153, 51), (204, 102, 255), (204, 0, 153), (255, 153, 204),
    (255, 153, 51), (0, 255, 102), (204, 102, 102), (204, 0, 0), (0, 102, 255),
)  # fmt: skip
"""A colour for each class index. Any two differ by 13 or more in CIE Lab, also for eyes without red, green
or blue cones (Machado, Oliveira and Fernandes 2009); chosen by maximising the smallest of these differences."""

_LEFT, _RIGHT, _MIDDLE = (0, 170, 255), (255, 150, 0), (0, 230, 120)
_RIM: Colour = (20, 20, 20)
_FRACTION_BITS = 4
_FILL = 0.3
_CURVE = {"lineType": cv2.LINE_AA, "shift": _FRACTION_BITS}


def colour_of(index: int) -> Colour:
    """The colour (red, green, blue) of the class with this index."""
    return PALETTE[index % len(PALETTE)]


def draw_labels(
    image: Image,
    annotations: Sequence[Annotation],
    categories: Sequence[Category],
    *,
    size: Size | None = None,
    names: bool = True,
) -> PillowImage.Image:
    """An image (h, w, 3) with its labels, shrunk to fit into `size` first, so that lines keep their width.

    Boxes and oriented boxes are lines, polygons and masks also tinted, keypoints dots joined by the skeleton of their
    category (left ones blue, right ones orange). `names=False` leaves the class names out.
    """
    shown, scale = _fitted(image, size)
    canvas = np.ascontiguousarray(shown)
    index = {category.name: number for number, category in enumerate(categories)}
    by_name = {category.name: category for category in categories}
    width = max(1, round(min(canvas.shape[:2]) / 200))
    largest_first = sorted(annotations, key=lambda a: -_area(a.xyxy))
    for annotation in largest_first:
        colour = colour_of(index.get(annotation.category, len(index)))
        _tint(canvas, annotation, scale, colour)
        for ring in _lines(annotation, scale):
            _outline(canvas, ring, colour, width)
        _points(canvas, annotation, by_name.get(annotation.category), scale, width)
    drawn = PillowImage.fromarray(canvas)
    if names:
        _write_names(drawn, largest_first, index, scale)
    return drawn


def _fitted(image: Image, size: Size | None) -> tuple[Image, FloatArray]:
    """The image at its shown size, and by what coordinates (x, y) are multiplied."""
    height, width = image.shape[:2]
    factor = 1.0 if size is None else min(1.0, size[0] / width, size[1] / height)
    if factor == 1.0:
        return image.copy(), np.ones(2)
    target = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = np.asarray(cv2.resize(image, target, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return small, np.array([target[0] / width, target[1] / height])


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _lines(annotation: Annotation, scale: FloatArray) -> Iterator[FloatArray]:
    """The closed lines (n, 2) of a label in shown pixels: its box, or what says more than it."""
    if annotation.corners is not None:
        yield annotation.corners * scale
        return
    yield geometry.rectangle(annotation.xyxy) * scale
    for polygon in annotation.polygons:
        yield from (ring * scale for ring in polygon.rings)


def _outline(canvas: Image, ring: FloatArray, colour: Colour, width: int) -> None:
    # Coordinates are pixel edges, OpenCV's are pixel centres.
    points = [np.rint((ring - 0.5) * 2**_FRACTION_BITS).astype(np.int32)]
    cv2.polylines(canvas, points, True, _RIM, width + 2, **_CURVE)
    cv2.polylines(canvas, points, True, colour, width, **_CURVE)


def _tint(canvas: Image, annotation: Annotation, scale: FloatArray, colour: Colour) -> None:
    """Colour what lies inside a polygon or a mask, and let the image show through."""
    height, width = canvas.shape[:2]
    if annotation.mask is not None:
        mask = geometry.decode_mask(annotation.mask).astype(np.uint8)
        inside = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)
    elif annotation.polygons:
        rings = [np.rint(ring * scale - 0.5).astype(np.int32) for p in annotation.polygons for ring in p.rings]
        filled = np.zeros((height, width), dtype=np.uint8)
        cv2.fillPoly(filled, rings, 1)  # even-odd, so that holes stay open
        inside = filled.astype(bool)
    else:
        return
    canvas[inside] = np.rint(canvas[inside] * (1 - _FILL) + np.array(colour) * _FILL).astype(np.uint8)


def _points(canvas: Image, annotation: Annotation, category: Category | None, scale: FloatArray, width: int) -> None:
    if annotation.keypoints is None:
        return
    points = (annotation.keypoints[:, :2] * scale - 0.5) * 2**_FRACTION_BITS
    places = [(int(x), int(y)) for x, y in np.rint(points)]
    labelled = annotation.keypoints[:, 2] > 0
    for one, other in category.skeleton if category is not None else ():
        if max(one, other) < len(places) and labelled[one] and labelled[other]:
            cv2.line(canvas, places[one], places[other], _RIM, width + 2, **_CURVE)
            cv2.line(canvas, places[one], places[other], _MIDDLE, width, **_CURVE)
    names = category.keypoints if category is not None else ()
    radius = (width + 1) * 2**_FRACTION_BITS
    for number, place in enumerate(places):
        if not labelled[number]:
            continue
        colour = _side_colour(names[number] if number < len(names) else "")
        cv2.circle(canvas, place, radius + 2**_FRACTION_BITS, _RIM, -1, **_CURVE)
        if annotation.keypoints[number, 2] == 2:  # a hidden point stays a dark ring
            cv2.circle(canvas, place, radius, colour, -1, **_CURVE)
        else:
            cv2.circle(canvas, place, radius, colour, 1, **_CURVE)


def _side_colour(name: str) -> Colour:
    words = name.lower().replace("-", "_").split("_")
    if {"left", "l"} & set(words):
        return _LEFT
    return _RIGHT if {"right", "r"} & set(words) else _MIDDLE


def _write_names(
    drawn: PillowImage.Image, annotations: Sequence[Annotation], index: Mapping[str, int], scale: FloatArray
) -> None:
    """Write class names beside their boxes, each where no other name is; one that finds no place is left out."""
    pen = ImageDraw.Draw(drawn)
    font = ImageFont.load_default(size=max(10, min(drawn.size) / 24))
    taken: list[Box] = []
    for annotation in reversed(annotations):  # the smallest first: they have the fewest places
        text = shortened(annotation.category) + (" (crowd)" if annotation.iscrowd else "")
        left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
        width, height = right - left + 6, bottom - top + 4
        box = tuple(np.multiply(annotation.xyxy, [*scale, *scale]))
        place = next((p for p in _places(box, width, height, drawn.size) if not _meets(p, taken)), None)
        if place is None:
            continue
        taken.append(place)
        colour = colour_of(index.get(annotation.category, len(index)))
        pen.rectangle(place, fill=colour, outline=_RIM)
        dark = float(np.dot(colour, (0.299, 0.587, 0.114))) < 140
        pen.text((place[0] + 3 - left, place[1] + 2 - top), text, fill="white" if dark else "black", font=font)


def _places(box: Sequence[float], width: float, height: float, size: Size) -> Iterator[Box]:
    """Where a name of this size may go inside the image: above its box, inside it, below, beside."""
    x0, y0, x1, y1 = box
    corners = [(x0, y0 - height), (x0, y0), (x0, y1), (x1 - width, y0 - height), (x1, y0), (x0 - width, y0)]
    corners += [(x1 - width, y1), (x0, y1 - height)]
    for x, y in corners:
        x, y = min(max(x, 0), size[0] - width - 1), min(max(y, 0), size[1] - height - 1)
        if x >= 0 and y >= 0:
            yield (x, y, x + width, y + height)


def _meets(place: Box, taken: Sequence[Box]) -> bool:
    x0, y0, x1, y1 = place
    return any(x0 < right and left < x1 and y0 < bottom and top < y1 for left, top, right, bottom in taken)
