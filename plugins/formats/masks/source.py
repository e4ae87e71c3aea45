"""Folders of images and masks: each pixel has the number, or the colour, of its class or object.

    images/a.jpg  masks/a.png          also images/train, train/images, train and trainannot, a.jpg and a_mask.png
    JPEGImages/a.jpg  SegmentationClass/a.png  SegmentationObject/a.png  ImageSets/Segmentation/train.txt  labelmap.txt
    a/images/a.png  a/masks/*.png      one mask for each object

http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html#SECTION00035000000000000000: 0 is background, 255
is void: nobody says what is there. Names come from the lists that tools write beside masks: labelmap.txt (CVAT),
label_colors.txt and dataset_meta.json (Datumaro), class_dict.csv, _classes.csv (Roboflow), class_names.txt (labelme),
classes.txt. A mask of classes does not tell objects apart: each class is one label, or each connected part of it if
`parts` is given. With a mask of objects beside it, or one for each object, labels are objects. In the numbers of MOTS
and KITTI the class is a part of that of the object.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from amp_datasets.errors import ImageError, SourceError
from amp_datasets.formats.base import Detection, Options, Source
from amp_datasets.formats.kit.image_lookup import ImageLookup
from amp_datasets.formats.kit.reading import category_name, split_of
from amp_datasets.images.codec import Limits
from amp_datasets.images.label_image import LabelImage, read_label_image
from amp_datasets.model import Annotation, Category, LabelSet
from amp_datasets.storage.folder import Folder

from .classes import mask_classes, nearest
from .naming import Found, MaskNames
from .pairs import MaskFile, find_pairs
from .regions import Region, looks_like_labels, objects_in, regions_in, without_soft_edges

_TRIED = 4


class MaskOptions(Options):
    """`pixels`: what numbers are, by default what the folder's name says; `parts`: whether each part is a label.

    `category` is the class of masks that have none. `first_value` is the number of the first name in a list without a
    background.
    """

    pixels: Literal["auto", "classes", "objects"] = "auto"
    parts: bool = False
    category: str = "object"
    first_value: Annotated[int, Field(ge=0, le=1)] = 1


class MaskSource(Source[MaskOptions]):
    """Reads every mask of a folder that is of an image."""

    name: ClassVar[str] = "masks"
    title: ClassVar[str] = "Images and masks, of classes or objects (also Pascal VOC's segmentation)"
    last: ClassVar[bool] = True
    labels_are_images: ClassVar[bool] = True
    options_type: ClassVar[type[Options]] = MaskOptions

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """Image files that are masks of others by their names, and by their pixels."""
        pairs = [mask for mask in find_pairs(ImageLookup(folder).names, folder.root.name).masks if mask.image]
        if not pairs:
            return None
        for mask in pairs[:_TRIED]:
            try:
                if not looks_like_labels(read_label_image(folder.image(mask.name), Limits())):
                    return None
            except (ImageError, SourceError):
                continue
        first = pairs[0]
        return Detection(f"{first.name} is a mask of {first.image}", 50 if first.sure else 35, by_images=True)

    def read(self) -> LabelSet:
        """The set; images without a mask are unlabelled, those whose mask is background alone are empty."""
        try:
            category = category_name(self.options.category)
        except ValueError as error:
            raise SourceError(f"the option `category`: {error}", where=self.folder.root) from error
        pairs = find_pairs(self.reading.images.names, self.folder.root.name)
        if not pairs.masks:
            raise SourceError("no image file is a mask of another", where=self.folder.root)
        self.reading.leave_out(*(mask.name for mask in pairs.masks), *pairs.previews)
        self._lists = mask_classes(self.folder, self.options.first_value)
        self.reading.use(*(mask.name for mask in pairs.masks), *pairs.previews, *(each.file for each in self._lists))
        found: Found = {}
        for mask in pairs.masks:
            if mask.image is None:
                reason, _, detail = mask.reason.partition("|")
                self.reading.drop(mask.name, reason, detail)
            elif (regions := self._regions(mask)) is not None:
                found.setdefault(mask.image, []).append((mask, regions))
        names = MaskNames(self._lists, found, category, is_chosen="category" in self.options.model_fields_set)
        for image, masks in found.items():
            self._add(image, masks, names)
        for rule, count in names.noted.items():
            self.reading.repair("masks", rule, f"{count} times")
        return self.reading.finish([Category(name) for name in names.ordered()])

    def _regions(self, mask: MaskFile) -> list[Region] | None:
        """What is in a mask; None, and counted, if it cannot be read."""
        try:
            found = read_label_image(self.folder.image(mask.name), self.reading.limits)
        except (ImageError, SourceError) as error:
            self.reading.drop(mask.image or mask.name, "label file cannot be read", f"{mask.name}: {error.what}")
            return None
        if not looks_like_labels(found):
            self.reading.drop(
                mask.image or mask.name, "label file cannot be read", f"{mask.name} is no image of labels"
            )
            return None
        hard = without_soft_edges(found, lossy=mask.name.lower().endswith((".jpg", ".jpeg", ".webp")))
        if hard is not found:
            self.reading.repair(mask.name, "soft edges of a mask cut at half")
        return self._parted(mask, hard)

    def _parted(self, mask: MaskFile, found: LabelImage) -> list[Region]:
        parts = self.options.parts and self._kind(mask) == "classes"
        known = nearest(self._lists, mask.name) if self._kind(mask) == "classes" else None
        zero = known is not None and bool(known.by_value.get(0))
        return regions_in(found, parts=parts, whole=mask.kind == "each", zero=zero)

    def _kind(self, mask: MaskFile) -> str:
        return mask.kind if mask.kind == "each" or self.options.pixels == "auto" else self.options.pixels

    def _add(self, image: str, masks: list[tuple[MaskFile, list[Region]]], names: MaskNames) -> None:
        """One image with the objects of its masks; masks of classes then only say what these are."""
        objects = [(mask, regions) for mask, regions in masks if self._kind(mask) == "objects"]
        classes = [(mask, regions) for mask, regions in masks if self._kind(mask) != "objects"]
        labels: list[Annotation] = []
        for mask, regions in objects:
            named = [(region, names.of(own, region, self.reading)) for own, found in classes for region in found]
            for region in objects_in(regions):
                name = region.class_among(named) if classes else names.of_object(mask, region)
                if name:
                    labels.append(region.annotation(name))
                elif name is None:
                    self.reading.drop(f"{mask.name}: {region.value}", "object of a mask has no class")
        for mask, regions in () if objects else classes:
            for region in regions:
                name = names.of(mask, region, self.reading)
                if name:
                    labels.append(region.annotation(name))
        size = next((region.mask.size for _, regions in masks for region in regions), None)
        split = self.reading.splits.of(image) or split_of(masks[0][0].name)
        self.reading.add(image, labels, declared=size, split=split)
