"""One reading of a set: opens images' headers, takes in labels, and counts everything that was lost or repaired.

What readers of formats need besides (`parse_json`, `finite`, `split_of` ...) is offered here too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from amp_datasets.errors import ImageError, SourceError, UnreadableError
from amp_datasets.formats.kit.cleaning import clean, transform
from amp_datasets.formats.kit.image_lookup import ImageLookup, roboflow_group
from amp_datasets.formats.kit.meaning.claims import Claims
from amp_datasets.formats.kit.meaning.class_lists import ClassLists, checked_names
from amp_datasets.formats.kit.meaning.references import is_called
from amp_datasets.formats.kit.meaning.resolver import BY_MIRROR
from amp_datasets.formats.kit.meaning.split_lists import SplitLists
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
from amp_datasets.formats.kit.report import UNUSED_CLASS, bounded, note_loss, note_repair
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


@dataclass
class Reading:
    """One reading of a set: opens images' headers, cleans labels, and keeps the list of what was lost or repaired."""

    folder: Folder
    limits: Limits = field(default_factory=Limits)
    alone: bool = True
    """Whether no other format is read from the folder, so that images that nobody names were never labelled."""
    used: dict[str, None] = field(default_factory=dict)
    """The label files that were read, as far as the reader says so. `contested`: images that may be meant by one."""
    dropped: list[Dropped] = field(default_factory=list)
    repairs: list[Repair] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.images = ImageLookup(self.folder)
        self.left_out: set[str] = set()
        self.contested: dict[str, str] = {}
        self._named_in: dict[str, str] = {}
        self.classes = ClassLists(self.folder, self)
        self.splits = SplitLists(self.folder, self.images.resolver, self)
        self._claims = Claims(self)
        self._samples = self._claims.samples
        self._found: dict[tuple[str, str], list[str]] = {}
        for name in self.images.unusable:
            self.drop(ascii(name)[1:-1], "file name is not UTF-8", "rename the file")

    def __contains__(self, image: object) -> bool:
        """Whether an image has been taken in already."""
        return image in self._samples

    def drop(self, name: str, reason: str, detail: str = "") -> None:
        """Set something aside: `reason` is a constant, `detail` what was special."""
        note_loss(self.dropped, Dropped(name, reason, detail), self.folder.root)

    def repair(self, name: str, rule: str, detail: str = "") -> None:
        """Count a mistake that was repaired without doubt about its meaning."""
        note_repair(self.repairs, Repair(name, rule, detail))

    def leave_out(self, *images: str) -> None:
        """Note image files as no images of the set: masks, say, which belong to the labels of others."""
        self.left_out.update(images)

    def use(self, *files: str) -> None:
        """Note label files as read, as asking for their images does: what no reader uses is reported as left."""
        self.used.update(dict.fromkeys(files))

    def name_loosely(self, label_file: str, image: str, reference: str) -> None:
        """Note that a label file may mean another image, which is not there: files that name this one go first."""
        self._claims.name_loosely(label_file, image, reference)

    @property
    def loose(self) -> frozenset[str]:
        """The images that are only named so."""
        return self._claims.loose()

    @property
    def lists(self) -> list[str]:
        """The files that were taken for lists of classes and of splits."""
        return [*self.classes.used, *self.splits.used]

    def image_of(self, reference: str, label_file: str, *, split: str | None = None) -> str | None:
        """The image that a label file of several images means by `reference`; None, and counted, if there is none.

        `label_file` is its path in the set, `split` the one that it is known to be for. How an image was found that
        is not at the stated place is counted too.
        """
        self.use(label_file)
        found = self.images.resolve(reference, label_file, split=split)
        if found.image is None:
            self.contested.update(dict.fromkeys(found.candidates, label_file))
            self.drop(reference, found.reason, "; ".join(filter(None, (f"named in {label_file}", found.detail))))
            return None
        self._named_in[found.image] = label_file
        if found.reason:
            self._found.setdefault((label_file, found.reason), []).append(found.image)
        if found.loose:
            self.name_loosely(label_file, found.image, reference)
        return found.image

    def image_for(self, label_file: str, stated: str = "", *, or_inside: bool = False) -> str | None:
        """The image of a label file that is for this image alone; None, and counted, if there is none.

        The image that is called as the label file wins over the one that it states: files are renamed and copied, and
        what is written in them stays. With `or_inside`, no image is no loss: the label file holds one itself.
        """
        self.use(label_file)
        own = self.images.of_label_file(label_file)
        stem = label_file.rpartition("/")[2].rpartition(".")[0]
        if own.image is not None and not own.loose and stated in ("", own.image.rpartition("/")[2], stem):
            self._named_in[own.image] = label_file
            return own.image
        named = self.images.resolve(stated, label_file, own=True) if stated else own
        best = own if own.image is not None and (named.image is None or not is_called(named.image, stem)) else named
        best = own if own.image == named.image else best
        if best.image is None and not or_inside:
            self.contested.update(dict.fromkeys(best.candidates, label_file))
            self.drop(label_file, best.reason, "; ".join(filter(None, (f"it names {stated[:60]!r}", best.detail))))
        elif best.image is None:
            return None
        elif stated and best is own and own.image != named.image:
            self.repair(label_file, "label file names another image", f"{stated[:60]}, read for {own.image}")
        elif best.reason:
            self._found.setdefault((label_file, best.reason), []).append(best.image)
        if best.image is not None:
            self._named_in[best.image] = label_file
            if best.loose:
                self.name_loosely(label_file, best.image, stem)
        return best.image

    def header(self, image: str) -> Header | None:
        """The header of an image of the folder; None, and counted as dropped, if it is not usable."""
        return self.header_of(image, self.folder.image(image))

    def size_of(self, image: str) -> Size | None:
        """The size of an image of the folder, for evidence: None, and not counted, if it is not usable."""
        try:
            return probe(self.folder.image(image), self.limits).size
        except (ImageError, SourceError):
            return None

    def header_of(self, source_id: str, file: ImageFile) -> Header | None:
        """The header of an image wherever it is; None, and counted as dropped, if it is not usable."""
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
        label_file: str = "",
        known: Collection[str] | None = None,
        tags: Iterable[str] = (),
    ) -> None:
        """Take in one image with its labels in pixels; dropped and counted if nothing usable is left, or far too many.

        `declared` is the size that the label file states; it tells whether labels refer to the image as stored or
        as shown (EXIF). Without it they refer to the upright image, as annotation tools show it. Without a `group`
        the copies that Roboflow made of one image form one. `labels` are classes of the image as a whole. `label_file`
        (by default the one in which it was found last) and the classes `known` to it settle what is said of one image
        by several files: see `meaning.agreement`. `tags` are words that people gave the image, for `filter_tag`.
        """
        image = file or self.folder.image(image_name)
        header = header or self.header_of(image_name, image)
        given = bounded(image_name, annotations, self)
        if header is None or given is None:
            return
        upright = self._upright(image_name, given, header, declared)
        if upright is None:
            return
        kept = clean(image_name, upright, header.size, self)
        if upright and not kept:
            self.drop(image_name, "no usable label", f"all {len(upright)} labels were dropped")
            return
        group = group or roboflow_group(image_name)
        turned, whole, words = header.orientation != 1, tuple(dict.fromkeys(labels)), frozenset(tags)
        sample = Sample(
            image_name, image, header.size, tuple(kept), labelled, split, group, turned=turned, labels=whole, tags=words
        )
        if words:
            self.repair(image_name, "image has tags", ", ".join(sorted(words))[:200])
        self._claims.take(sample, label_file or self._named_in.get(image_name, ""), known)

    def finish(self, categories: Iterable[Category], name: str = "", *, unlisted_is_empty: bool = False) -> LabelSet:
        """The set, with images that no label file mentioned as unlabelled samples (or as confirmed empty ones)."""
        self._say_how_images_were_found()
        gone = {item.id for item in self.dropped} | self.left_out
        if self.alone or unlisted_is_empty:
            gone.update(self.images.companions())
            for image in self.images.names:
                if image not in self._samples and image not in gone:
                    self.add(image, (), labelled=unlisted_is_empty, split=self.splits.of(image))
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
                self.repair("classes", UNUSED_CLASS, category.name)
            other = alike.setdefault("".join(category.name.casefold().split()), category.name)
            if other != category.name:
                self.repair("classes", "class names differ only in case or spaces", f"{other} / {category.name}")
            yield category


def class_list(reading: Reading, near: str = "") -> list[str]:
    """The names in the list of classes nearest to the folder `near`, in order; none if there is no list."""
    return list(reading.classes.near(f"{near}/labels" if near not in ("", ".") else "labels").names)
