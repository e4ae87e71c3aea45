"""OpenImages' masks: an image of black and white for each object, found by its name."""

from __future__ import annotations

import cv2
import numpy as np

from amp_datasets.errors import AmpError
from amp_datasets.formats.kit.reading import Reading
from amp_datasets.geometry.shapes import encode_mask, mask_box
from amp_datasets.images.label_image import read_label_image
from amp_datasets.model import Box, Mask, Size
from amp_datasets.storage.folder import Folder

_LEAST_INSIDE = 0.5


class MaskFiles:
    """The mask images of a set by their names; they are no images of the set."""

    def __init__(self, folder: Folder, reading: Reading) -> None:
        self._folder, self._reading = folder, reading
        self._by_name: dict[str, list[str]] | None = None

    def find(self, label: str, name: str, size: Size, box: Box) -> Mask | None:
        """The mask of a name, stretched to the image's size; None, and counted, if it is missing, empty or elsewhere.

        Masks were drawn inside their boxes, so one that lies mostly outside its own is that of another object.
        """
        found = self._places().get(name.strip().rpartition("/")[2], [])
        if len(found) != 1:
            self._reading.repair(label, "mask image is missing", f"{name[:60]}: its box is the label")
            return None
        self._reading.leave_out(found[0])
        self._reading.use(found[0])
        try:
            pixels = read_label_image(self._folder.image(found[0]), self._reading.limits).values
        except AmpError as error:
            self._reading.repair(label, "mask image is missing", f"{found[0]}: {error.what}")
            return None
        here = np.asarray(cv2.resize((pixels > 0).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST), dtype=bool)
        if not here.any():
            self._reading.repair(label, "mask image is missing", f"{found[0]} is empty: its box is the label")
            return None
        mask = encode_mask(here)
        if _share_inside(mask_box(mask), box) < _LEAST_INSIDE:
            self._reading.repair(label, "mask is not where its box is", f"{found[0]}: its box is the label")
            return None
        return mask

    def _places(self) -> dict[str, list[str]]:
        if self._by_name is None:
            self._by_name = {}
            for image in self._reading.images.names:
                self._by_name.setdefault(image.rpartition("/")[2], []).append(image)
        return self._by_name


def _share_inside(inner: Box, outer: Box) -> float:
    """How much of the area of a box lies inside another."""
    width = min(inner[2], outer[2]) - max(inner[0], outer[0])
    height = min(inner[3], outer[3]) - max(inner[1], outer[1])
    return max(width, 0.0) * max(height, 0.0) / ((inner[2] - inner[0]) * (inner[3] - inner[1]))
