"""Reads the tracks of a CVAT XML: puts each object on the images of the frames that it is on."""

from __future__ import annotations

from xml.etree import ElementTree

from amp_datasets.errors import SourceError
from amp_datasets.formats.kit.reading import finite, split_name, split_of

from .collecting import Collected, Collector
from .frames import VideoFrames
from .shapes import HELD, KINDS, declared_size, read_shape
from .tracks import Place, on_frames

_MAX_DIGITS = 12
"""Of a frame's number; of thousands Python makes no integer at all."""


class Video:
    """One XML of a video and the images of its frames."""

    def __init__(self, file: str, root: ElementTree.Element, collector: Collector, group: str | None) -> None:
        self._file = file
        self._collector = collector
        self._reading = collector.reading
        options = collector.options
        self._frames = VideoFrames(root, self._reading, file, options.frames, options.first_image)
        numbers = (node.get("frame") or "" for node in root.iterfind("track/*"))
        listed = [int(number) for number in numbers if number.isdecimal() and len(number) <= _MAX_DIGITS]
        self._last = self._frames.stop if self._frames.stop >= 0 else max(listed, default=-1)
        self._images = self._collected(root, group)
        self._dense = root.find("track/*[@keyframe='0']") is not None
        self._missing: dict[int, int] = {}

    def read(self, root: ElementTree.Element) -> None:
        """All tracks, then all images: those that no track is on are confirmed empty."""
        if len({track.get("task_id") for track in root.iterfind("track")}) > 1:
            raise SourceError(
                "this XML has the tracks of several videos, and their frames have the same numbers",
                where=self._reading.folder.path(self._file),
                fix="export each task by itself, each into a folder of its own",
            )
        for number, track in enumerate(root.iterfind("track")):
            self._read_track(track, f"{self._file}: track {track.get('id') or number}")
        for frame, labels in sorted(self._missing.items()):
            self._reading.drop(f"{self._file}: frame {frame}", "image is missing", f"{labels} labels")
        self._collector.images += self._images.values()

    def _collected(self, root: ElementTree.Element, group: str | None) -> dict[int, Collected]:
        """The images of the frames that the task has and that are wanted."""
        frames, every = self._frames, self._collector.options.every
        declared = declared_size(root.find("meta//original_size"))
        subset = next((track.get("subset") or "" for track in root.iterfind("track")), "")
        found: dict[int, Collected] = {}
        for frame, name in frames.images.items():
            if not frames.start <= frame <= self._last:
                continue
            if (frame - frames.start) // frames.step % every:
                self._reading.drop(name, "frame is not wanted", f"by the option `every: {every}`")
                continue
            header = self._reading.header(name)
            if header is not None:
                split = (
                    self._reading.splits.listed(name) or split_name(subset) or split_of(name) or split_of(self._file)
                )
                found[frame] = Collected(name, header, declared, split, group, file=self._file)
        return found

    def _read_track(self, track: ElementTree.Element, report: str) -> None:
        label = track.get("label") or ""
        places = [place for node in track if node.tag in KINDS and (place := self._place(node, label, report))]
        for place in places:
            if not place.outside and place.frame not in self._frames.images:
                self._missing[place.frame] = self._missing.get(place.frame, 0) + 1
        places.sort(key=lambda place: place.frame)
        alone = len(places) == 1 and self._last - places[0].frame <= self._frames.step  # CVAT leaves its end out then
        stays = None if self._dense or alone else self._last
        for frame, shape in on_frames(places, sorted(self._images), stays):
            image = self._images[frame]
            if shape is None:
                image.shapes += 1
            else:
                self._collector.take(image, shape, label, track.get("group_id"), f"{image.name} ({report})")

    def _place(self, node: ElementTree.Element, label: str, report: str) -> Place | None:
        """A shape of a track with its frame; without a shape, and counted, if it cannot be held or read."""
        try:
            frame = int(finite(node.get("frame") or ""))
        except ValueError as error:
            self._reading.drop(report, "label cannot be read", f"frame: {error}")
            return None
        image, where = self._images.get(frame), f"{report} on frame {frame}"
        outside = _is_outside(node)
        if node.tag not in HELD:
            if not outside:
                self._collector.drop_kind(node.tag, label, where)
                if image is not None:
                    image.shapes += 1
            return Place(frame, outside, None)
        if node.tag == "mask" and (image is None or outside):
            return Place(frame, outside, None)
        try:
            return Place(frame, outside, read_shape(node, image.frame if image is not None else None))
        except ValueError as error:
            if image is not None and not outside:
                self._collector.drop(image, where, error)
            return Place(frame, outside, None)


def _is_outside(node: ElementTree.Element) -> bool:
    """Whether the object is not in the frame; a skeleton is not where none of its points is."""
    points = [part.get("outside") == "1" for part in node.iterfind("points")]
    return node.get("outside") == "1" or (node.tag == "skeleton" and all(points))
