"""Masks of objects whose numbers hold a class and an object: MOTS, KITTI.

    class * 1000 + object      MOTS, https://www.vision.rwth-aachen.de/page/mots: 10000 is a region that is ignored
    class * 256 + object       KITTI, https://www.cvlibs.net/datasets/kitti/eval_semantics.php: classes are Cityscapes'

Nothing in a file says so but the numbers: objects are counted from 0 or 1, so that what is left of each number is small
in one of the two ways alone. Only a class that a list, or KITTI's layout, gives a name is taken from them.
"""

from __future__ import annotations

from collections.abc import Iterable

IGNORED = 10_000
"""MOTS' number of what is no object."""
CITYSCAPES = (
    *("unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic", "ground", "road"),
    *("sidewalk", "parking", "rail track", "building", "wall", "fence", "guard rail", "bridge", "tunnel", "pole"),
    *("polegroup", "traffic light", "traffic sign", "vegetation", "terrain", "sky", "person", "rider", "car", "truck"),
    *("bus", "caravan", "trailer", "train", "motorcycle", "bicycle"),
)
"""The classes of Cityscapes by their ids, https://github.com/mcordts/cityscapesScripts."""
KITTI_IMAGES = "image_2"
_MOTS, _KITTI = 1000, 256
_SMALL = 0.25


def factor_of(numbers: Iterable[int]) -> int:
    """What the class is multiplied by in numbers of objects; 0 if they have none, or if both ways are possible."""
    some = {number for number in numbers if number != IGNORED}
    fitting = [factor for factor in (_MOTS, _KITTI) if some and all(_fits(number, factor) for number in some)]
    return fitting[0] if len(fitting) == 1 else 0


def class_of_kitti(number: int, image: str, factor: int) -> str | None:
    """Cityscapes' name of a class in a set that is laid out as KITTI's; None in others."""
    is_kitti = factor == _KITTI and KITTI_IMAGES in image.split("/") and number < len(CITYSCAPES)
    return CITYSCAPES[number] if is_kitti else None


def _fits(number: int, factor: int) -> bool:
    return number >= factor and number % factor < _SMALL * factor
