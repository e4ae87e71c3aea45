"""The contract of a format: a `Source` reads a set into a `LabelSet`, an `Exporter` writes one.

A plugin holds both sides of one format in one file. It converts to and from pixel-edge float64 coordinates in a named
function with a link to the specification, and it says what the format cannot hold.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from amp_datasets.formats.kit.reading import Reading
from amp_datasets.model import Annotation, LabelSet, Sample
from amp_datasets.storage.folder import Folder


class Options(BaseModel):
    """Settings of a format, as a manifest or the command line gives them. Subclass to add some."""

    model_config = ConfigDict(frozen=True, extra="forbid")


O_co = TypeVar("O_co", bound=Options, covariant=True)

Feature = Literal[
    "polygon",
    "multipart",
    "hole",
    "mask",
    "corners",
    "keypoints",
    "crowd",
    "attributes",
    "empty",
    "unlabelled",
    "split",
    "classes",
    "image label",
    "several image labels",
    "object",
]
"""What a label can have beyond a box and a category, and what a set can have beyond labelled images.

`classes` is the whole list of them in its order, also those without labels. An `image label` is a class of the image
as a whole. An `object` is any label of a part of it, which formats for classification (`Exporter.classifies`) lack.
"""


@dataclass(frozen=True, slots=True)
class Detection:
    """Why a folder looks like a format. Of several, the highest `certainty` (0 to 100) is read first.

    `file` is the one that proves it: two formats that are equally certain of one file are an error. `by_images`: it is
    not proved by a label file, but by images and their folders alone, so that label files of any kind are against it.
    """

    reason: str
    certainty: int
    file: str = ""
    by_images: bool = False


class Source(ABC, Generic[O_co]):
    """Reads sets of one format. Create it with a folder and its options, then call `read` once."""

    name: ClassVar[str]
    title: ClassVar[str]
    options_type: ClassVar[type[Options]] = Options
    last: ClassVar[bool] = False
    """Whether it is only looked for where no other format is found: images and folders prove it, not label files."""
    labels_are_images: ClassVar[bool] = False
    """Whether its label files are images (masks), which may lie beside label files of other formats."""

    def __init__(self, folder: Folder, options: O_co, reading: Reading) -> None:
        self.folder = folder
        self.options = options
        self.reading = reading

    @classmethod
    @abstractmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """Why this folder holds label files of this format, or None. Looks, but never raises on odd content.

        It looks at structure (a root element, required keys), never at a word in the bytes.
        """

    @abstractmethod
    def read(self) -> LabelSet:
        """The set. Raises SourceError where the set as a whole cannot be trusted; single samples are dropped.

        Every label file that was read is noted by `reading.use`: other formats look at what is left, and what nobody
        uses is reported. A reader that notes none is taken to have read all.
        """


PlaceImage = Callable[[Sample, Path], None]
"""Puts a sample's image at a path, by hard link or copy as the user chose."""


class Exporter(ABC, Generic[O_co]):
    """Writes sets in one format into an empty folder."""

    name: ClassVar[str]
    title: ClassVar[str]
    options_type: ClassVar[type[Options]] = Options
    holds: ClassVar[frozenset[Feature]] = frozenset()
    """What this format keeps; all else that a set has is reported as lost."""
    classifies: ClassVar[bool] = False
    """Whether it is for classification: it holds labels of whole images, and no objects."""
    shares_images: ClassVar[bool] = False
    """Whether its images are `images/<split>/NAME`, so that it can lie around the images of a build."""
    file_per_image: ClassVar[bool] = False
    """Whether it writes a label file for each image: a build can seal about half a million of these."""

    def __init__(self, target: Path, options: O_co, place: PlaceImage) -> None:
        self.target = target
        self.options = options
        self.place = place

    @abstractmethod
    def write(self, labels: LabelSet) -> None:
        """Write all samples and whatever index files belong to them.

        Every sample has a split, and as `source_id` a file name without folders whose stem is unique in the set.
        """

    def bytes_of(self, sample: Sample) -> bytes:
        """A sample's image as it would lie in a folder: upright, and out of an archive."""
        path = self.target / f"image-{sample.source_id}"
        self.place(sample, path)
        try:
            return path.read_bytes()
        finally:
            path.unlink()

    def losses(self, samples: Iterable[Sample]) -> Counter[str]:
        """How many labels or images of some samples have something that this format cannot hold, by feature."""
        lost: Counter[str] = Counter()
        for sample in samples:
            found = [*sample_features(sample)]
            for annotation in sample.annotations:
                found += ["object"] if self.classifies else annotation_features(annotation)
            if found:
                lost.update(feature for feature in found if feature not in self.holds)
        return lost


@dataclass(frozen=True, slots=True)
class Part:
    """A run of a set's samples that is written by itself, with others at the same time.

    `images` and `annotations` say how many of each split come before it, `splits` which it has images of, `surveys` are
    the different things that `PartedExporter.survey` found in all parts. Pieces of files go into `folder`, this part's
    own, until they are joined.
    """

    folder: Path
    splits: tuple[str, ...]
    images: Mapping[str, int]
    annotations: Mapping[str, int]
    surveys: Collection[Any] = ()


class PartedExporter(Exporter[O_co]):
    """An exporter that can write a set in parts, in any processes; joined, they are what `write` writes, byte for byte.

    Every method may be called on an exporter of its own.
    """

    def survey(self, samples: Iterable[Sample]) -> Any:  # noqa: ARG002 - for those that have to know something
        """What the samples of one part tell that every part must know: plain data that can be in a set."""
        return None

    @abstractmethod
    def write_part(self, labels: LabelSet, part: Part) -> dict[str, str]:
        """Write the samples of one part. The name and sha256 of the files that are whole by now."""

    @abstractmethod
    def join_parts(self, labels: LabelSet, parts: Sequence[Part]) -> None:
        """Put the pieces of all parts together; `labels` has no samples."""


def sample_features(sample: Sample) -> list[Feature]:
    """What an image has that some formats cannot say."""
    if not sample.labelled:
        return ["unlabelled"]
    if sample.labels:
        return ["image label", "several image labels"] if len(sample.labels) > 1 else ["image label"]
    return [] if sample.annotations else ["empty"]


def _is_plain(annotation: Annotation) -> bool:
    """Whether a label is a box and a category, as most are."""
    outlines = annotation.polygons or annotation.mask or annotation.iscrowd or annotation.attributes
    return not outlines and annotation.corners is None and annotation.keypoints is None


def annotation_features(annotation: Annotation) -> list[Feature]:
    """What a label has beyond a box and a category."""
    if _is_plain(annotation):
        return []
    present: dict[Feature, bool] = {
        "polygon": bool(annotation.polygons),
        "multipart": len(annotation.polygons) > 1,
        "hole": any(polygon.holes for polygon in annotation.polygons),
        "mask": annotation.mask is not None,
        "corners": annotation.corners is not None,
        "keypoints": annotation.keypoints is not None,
        "crowd": annotation.iscrowd,
        "attributes": bool(annotation.attributes),
    }
    return [feature for feature, there in present.items() if there]
