"""One reading of a set: opens images' headers, takes in labels, and counts everything that was lost or repaired.

What readers of formats need besides (`parse_json`, `finite`, `split_of` ...) is offered here too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from amp_datasets.errors import ImageError, SourceError, UnreadableError
from amp_datasets.formats.kit.cleaning import clean, transform
from amp_datasets.formats.kit.image_lookup import ImageLookup, roboflow_group
from amp_datasets.formats.kit.parsing import (
    brief,
    category_name,
    finite,
    first_lines,
    is_number,
    is_prose,
    is_readme,
    looks_like,
    parse_json,
    parse_text,
    parse_xml,
    points,
    split_name,
    split_of,
)
from amp_datasets.formats.kit.resolver import BY_MIRROR, without_suffix
from amp_datasets.geometry.warp import Affine
from amp_datasets.images.codec import Header, Limits, orientation_matrix
from amp_datasets.images.header import probe
from amp_datasets.model import UNREADABLE, Annotation, Category, Dropped, ImageFile, LabelSet, Repair, Sample, Size
from amp_datasets.storage.folder import Folder

__all__ = [
    "ImageLookup",
    "Reading",
    "brief",
    "category_name",
    "checked_names",
    "class_list",
    "finite",
    "first_lines",
    "is_number",
    "is_prose",
    "is_readme",
    "looks_like",
    "parse_json",
    "parse_text",
    "parse_xml",
    "points",
    "split_name",
    "split_of",
    "transform",
]

CLASS_LISTS = ("classes.txt", "obj.names", "_darknet.labels", "labels.txt")
"""Files, one class name a line, that tools write beside labels which do not hold a list of classes."""


@dataclass
class Reading:
    """One reading of a set: opens images' headers, cleans labels, and keeps the list of what was lost or repaired."""

    folder: Folder
    limits: Limits = field(default_factory=Limits)
    dropped: list[Dropped] = field(default_factory=list)
    repairs: list[Repair] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.images = ImageLookup(self.folder)
        self._samples: dict[str, Sample] = {}
        self._left_out: set[str] = set()
        self._found: dict[tuple[str, str], list[str]] = {}
        for name in self.images.unusable:
            self.drop(ascii(name)[1:-1], "file name is not UTF-8", "rename the file")

    def __contains__(self, image: object) -> bool:
        """Whether an image has been taken in already."""
        return image in self._samples

    def drop(self, name: str, reason: str, detail: str = "") -> None:
        """Set something aside: `reason` is a constant, `detail` what was special."""
        self.dropped.append(Dropped(name, reason, detail))

    def repair(self, name: str, rule: str, detail: str = "") -> None:
        """Count a mistake that was repaired without doubt about its meaning."""
        self.repairs.append(Repair(name, rule, detail))

    def leave_out(self, *images: str) -> None:
        """Note image files as no images of the set: masks, say, which belong to the labels of others."""
        self._left_out.update(images)

    def image_of(self, reference: str, label_file: str, *, split: str | None = None) -> str | None:
        """The image that a label file of several images means by `reference`; None, and counted, if there is none.

        `label_file` is its path in the set, `split` the one that it is known to be for. How an image was found that
        is not at the stated place is counted too.
        """
        found = self.images.resolve(reference, label_file, split=split)
        if found.image is None:
            self.drop(reference, found.reason, "; ".join(filter(None, (f"named in {label_file}", found.detail))))
        elif found.reason:
            self._found.setdefault((label_file, found.reason), []).append(found.image)
        return found.image

    def image_for(self, label_file: str, stated: str = "") -> str | None:
        """The image of a label file that is for this image alone; None, and counted, if there is none.

        The image that is called as the label file wins over the one that it states: files are renamed and copied, and
        what is written in them stays.
        """
        stem = label_file.rpartition("/")[2].rpartition(".")[0]
        own = self.images.resolve(stem, label_file, own=True)
        named = self.images.resolve(stated, label_file, own=True) if stated else own
        best = named if own.image is None or (named.image and without_suffix(named.image).endswith(stem)) else own
        if best.image is None:
            self.drop(label_file, best.reason, "; ".join(filter(None, (f"it names {stated[:60]!r}", best.detail))))
        elif stated and best is own and own.image != named.image:
            self.repair(label_file, "label file names another image", f"{stated[:60]}, read for {own.image}")
        elif best.reason:
            self._found.setdefault((label_file, best.reason), []).append(best.image)
        return best.image

    def header(self, image: str) -> Header | None:
        """The header of a image of the folder; None, and counted as dropped, if it is not usable."""
        return self.header_of(image, self.folder.image(image))

    def size_of(self, image: str) -> Size | None:
        """The size of an image of the folder, for evidence: None, and not counted, if it is not usable."""
        try:
            return probe(self.folder.image(image), self.limits).size
        except (ImageError, SourceError):
            return None

    def header_of(self, source_id: str, file: ImageFile) -> Header | None:
        """The header of a image wherever it is; None, and counted as dropped, if it is not usable."""
        try:
            return probe(file, self.limits)
        except UnreadableError as error:
            self.drop(source_id, UNREADABLE, error.what)
            return None
        except (ImageError, SourceError) as error:
            self.drop(source_id, "image cannot be read", error.what)
            return None

    def add(
        self,
        image_name: str,
        annotations: Iterable[Annotation],
        *,
        header: Header | None = None,
        file: ImageFile | None = None,
        declared: Size | None = None,
        labelled: bool = True,
        split: str | None = None,
        group: str | None = None,
        labels: Iterable[str] = (),
    ) -> None:
        """Take in one image with its labels in pixels; dropped and counted if nothing usable is left of it.

        `declared` is the size that the label file states; it tells whether labels refer to the image as stored or
        as shown (EXIF). Without it they refer to the upright image, as annotation tools show it. Without a `group`
        the copies that Roboflow made of one image form one. `labels` are classes of the image as a whole.
        """
        image = file or self.folder.image(image_name)
        header = header or self.header_of(image_name, image)
        if header is None:
            return
        if image_name in self._samples:
            self.drop(image_name, "image is listed twice", "the first entry is kept")
            return
        upright = self._upright(image_name, list(annotations), header, declared)
        if upright is None:
            return
        kept = clean(image_name, upright, header.size, self)
        if upright and not kept:
            self.drop(image_name, "no usable label", f"all {len(upright)} labels were dropped")
            return
        group = group or roboflow_group(image_name)
        turned, whole = header.orientation != 1, tuple(dict.fromkeys(labels))
        self._samples[image_name] = Sample(
            image_name, image, header.size, tuple(kept), labelled, split, group, turned=turned, labels=whole
        )

    def finish(self, categories: Iterable[Category], name: str = "", *, unlisted_is_empty: bool = False) -> LabelSet:
        """The set, with images that no label file mentioned as unlabelled samples (or as confirmed empty ones)."""
        self._say_how_images_were_found()
        gone = {item.id for item in self.dropped} | self._left_out
        for image in self.images.names:
            if image not in self._samples and image not in gone:
                self.add(image, (), labelled=unlisted_is_empty, split=split_of(image))
        samples = tuple(self._samples[name] for name in sorted(self._samples))
        kept = tuple(self._judged(categories, samples))
        return LabelSet(kept, samples, tuple(self.dropped), tuple(self.repairs), name)

    def _say_how_images_were_found(self) -> None:
        """Count what was found elsewhere than stated, once for each label file; a mirrored folder is no surprise."""
        for (label_file, reason), images in self._found.items():
            if reason != BY_MIRROR:
                self.repair(label_file, reason, f"{len(images)} images, such as {images[0]}")
        self._found.clear()

    def _upright(
        self, image: str, annotations: list[Annotation], header: Header, declared: Size | None
    ) -> list[Annotation] | None:
        """Labels in the frame of the upright image; None if the declared size fits neither frame."""
        if declared is None or declared == header.size:
            return annotations
        if declared == header.stored:
            self.repair(image, "labels turned upright", f"EXIF orientation {header.orientation}")
            return [transform(a, Affine(orientation_matrix(header))) for a in annotations]
        self.drop(
            image,
            "label file contradicts the image's size",
            f"label file says {declared[0]}x{declared[1]}, the image is {header.size[0]}x{header.size[1]}",
        )
        return None

    def _judged(self, categories: Iterable[Category], samples: Iterable[Sample]) -> Iterator[Category]:
        """The categories, each name once; what is odd about them is noted, and nothing is renumbered."""
        used = {name for sample in samples for name in sample.categories}
        alike: dict[str, str] = {}
        seen: set[str] = set()
        for category in categories:
            if category.name in seen:
                self.repair("classes", "class is listed twice", category.name)
                continue
            seen.add(category.name)
            if category.name not in used:
                self.repair("classes", "class without labels kept", category.name)
            other = alike.setdefault("".join(category.name.casefold().split()), category.name)
            if other != category.name:
                self.repair("classes", "class names differ only in case or spaces", f"{other} / {category.name}")
            yield category


def class_list(reading: Reading, near: str = "") -> list[str]:
    """The names in a set's `classes.txt` or its like (in the folder `near`, else at the top), in order; else none.

    A line that is no class name stays in the list as an empty name, so that the numbers of the others hold.
    """
    prefixes = dict.fromkeys((f"{near}/" if near not in ("", ".") else "", ""))
    file = next((f"{p}{name}" for p in prefixes for name in CLASS_LISTS if f"{p}{name}" in reading.folder), None)
    if file is None:
        return []
    lines = parse_text(reading.folder.read(file, 2**24), reading.folder.path(file)).rstrip().split("\n")
    return checked_names(reading, file, lines)


def checked_names(reading: Reading, where: str, names: Iterable[object]) -> list[str]:
    """Class names as text, in order; one that cannot be a name becomes empty and is counted."""
    checked = []
    for name in names:
        try:
            checked.append(category_name(name))
        except ValueError as error:
            checked.append("")
            reading.drop(f"{where}: {brief(name)}", "class name is not usable", str(error))
    return checked
