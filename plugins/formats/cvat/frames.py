"""Which image is which frame of a video: CVAT writes `frame_000012`, other tools number images in their own ways."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal
from xml.etree import ElementTree

from amp_datasets.errors import SourceError
from amp_datasets.formats.kit.reading import Reading, finite

_NUMBER = re.compile(r"(\d+)\.[^.]+$")
_OWN_NAME = re.compile(r"(?:^|/)frame_\d{6,}\.[^./]+$", re.IGNORECASE)

Naming = Literal["number", "order"]


class VideoFrames:
    """The images of one video's frames, those below the folder of its XML."""

    def __init__(self, root: ElementTree.Element, reading: Reading, file: str, naming: Naming, first: int) -> None:
        self.start = _whole(root, "start_frame", 0)
        self.step = _step(root)
        size = _whole(root, "size", 0)
        self.stop = _whole(root, "stop_frame", self.start + (size - 1) * self.step if size else -1)
        self._file = file
        self._reading = reading
        near = file.rpartition("/")[0]
        inside = [name for name in reading.images.names if not near or name.startswith(f"{near}/")]
        self.images = self._ordered(inside) if naming == "order" else self._numbered(inside, first)

    def _ordered(self, names: Iterable[str]) -> dict[int, str]:
        """The images in the order of their names, as CVAT sorts them."""
        return {self.start + number * self.step: name for number, name in enumerate(names)}

    def _numbered(self, names: Iterable[str], first: int) -> dict[int, str]:
        """The images by the number at the end of their names; those of CVAT's own naming alone, if there are some."""
        known = list(names)
        own = [name for name in known if _OWN_NAME.search(name)]
        found: dict[int, list[str]] = {}
        for name in own or known:
            number = _NUMBER.search(name)
            if number is not None and len(number.group(1)) < 16:
                found.setdefault(int(number.group(1)) - first, []).append(name)
        for frame, several in found.items():
            if len(several) > 1:
                detail = f"frame {frame} of {self._file} is {' or '.join(several[:3])}"
                self._reading.drop(several[0], "image name is not unique in the set", detail)
        if not own and not first:
            self._judge_numbers(found)
        return {frame: several[0] for frame, several in sorted(found.items()) if len(several) == 1}

    def _judge_numbers(self, found: Mapping[int, object]) -> None:
        """Names of other tools count from 0 or from 1: say how they are read, refuse where that cannot be."""
        if not found:
            return
        if self.start not in found and self.stop + 1 in found and max(found) == self.stop + 1:
            raise SourceError(
                f"the images have the numbers {min(found)} to {max(found)}, the frames {self.start} to {self.stop}",
                where=self._reading.folder.path(self._file),
                fix=f"give the option `first_image: {min(found) - self.start}` if the first image is the first frame",
            )
        detail = f"frame {min(found)} is the image whose name ends in {min(found)}: check one of them"
        self._reading.repair(self._file, "frames found by the numbers in the images' names", detail)


def _whole(root: ElementTree.Element, key: str, default: int) -> int:
    """A whole number in the `meta` of a file, or the default."""
    text = next((node.text for node in root.iterfind(f"meta//{key}") if node.text), None)
    try:
        return default if text is None else int(finite(text.strip()))
    except ValueError:
        return default


def _step(root: ElementTree.Element) -> int:
    """Which of the video's frames the task has: `step=3` in its frame filter, else all."""
    text = next((node.text or "" for node in root.iterfind("meta//frame_filter")), "")
    found = re.search(r"step\s*=\s*(\d{1,6})", text)
    return max(1, int(found.group(1))) if found else 1
