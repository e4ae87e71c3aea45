"""Labels of whole images, by a folder for each class or by a table.

    train/cat/a.jpg  val/dog/b.jpg  test/...        torchvision's ImageFolder, Ultralytics, Keras; also without splits
    a.jpg  b.jpg  labels.csv: `filename,label`      Kaggle; a `split` column is read too
    a.jpg  train/_classes.csv: `filename,cat,dog`   Roboflow: a column of 0 and 1 for each class, several may be 1

https://docs.pytorch.org/vision/stable/generated/torchvision.datasets.ImageFolder.html: classes are numbered in the
order of their names; here a `classes.txt` that lists them goes before that. An image to which a table gives one class
and a folder of that table's classes another is set aside, and both are named. A tree with label files of any other kind
is never taken for one of classes. Folders with a `metadata` file are read by the Hugging Face source.
"""

from __future__ import annotations

import posixpath
from typing import ClassVar

from amp_datasets.formats.base import Detection, Options, Source
from amp_datasets.formats.kit.image_lookup import ImageLookup
from amp_datasets.formats.kit.meaning.agreement import CONTRADICTION
from amp_datasets.formats.kit.reading import category_name, parse_text, split_name, split_of
from amp_datasets.model import Category, LabelSet
from amp_datasets.storage.folder import Folder

from .folders import LISTS, Place, are_classes, places
from .table import ClassTable, class_tables, forms


class ImageFolderSource(Source[Options]):
    """Reads the tables of classes of a folder; where there is none, the names of its folders."""

    name: ClassVar[str] = "imagefolder"
    title: ClassVar[str] = "Classification: a folder for each class, or a table of files and classes"
    last: ClassVar[bool] = True

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """A table that gives classes to images, or nothing but images in folders that can only be classes."""
        images = ImageLookup(folder)
        table = next(class_tables(folder, images), None)
        if table is not None:
            return Detection(f"{table[0]} gives images a class", 40, table[0], by_images=True)
        if not images.names or not are_classes(folder, images.names):
            return None
        classes = sorted({place.category for place in places(images.names).values() if place.category is not None})
        return Detection(
            f"{len(classes)} folders of classes ({', '.join(classes[:3])} ...), no label files", 30, by_images=True
        )

    def read(self) -> LabelSet:
        """The set; images in no class are unlabelled."""
        self._names: dict[str, None] = {}
        tables = list(class_tables(self.folder, self.reading.images))
        for form in forms(self.folder):
            self.reading.use(form)
            self.reading.drop(form, "label file of another task not read", "a form for predictions")
        listed = self._listed()
        for file, table in tables:
            self.reading.use(file)
            self._read_table(file, table, listed)
        if not tables:
            for image, place in places(self.reading.images.names).items():
                self._read_image(image, place)
        names = sorted(self._names) if not tables else list(self._names)
        return self.reading.finish(map(Category, listed if {*names} <= {*listed} else names))

    def _listed(self) -> list[str]:
        """The names in a list of classes, in order."""
        for file in (name for name in self.folder.files if posixpath.basename(name).lower() in LISTS):
            lines = parse_text(self.folder.read(file, 2**24), self.folder.path(file)).split("\n")
            return list(dict.fromkeys(line.strip() for line in lines if line.strip()))
        return []

    def _read_image(self, image: str, place: Place) -> None:
        """An image by its place; one in no class is left for the end, where it is unlabelled."""
        if place.category is None:
            return
        try:
            name = category_name(place.category)
        except ValueError as error:
            self.reading.drop(image, "class name is not usable", str(error))
            return
        self._names[name] = None
        self.reading.add(image, (), split=place.split, labels=[name])

    def _read_table(self, file: str, table: ClassTable, listed: list[str]) -> None:
        self._names.update(dict.fromkeys(name for name in table.marks.values() if name))
        by_image: dict[str, tuple[list[str], str]] = {}
        for line, row in table.rows:
            reference = row[table.image].strip() if table.image < len(row) else ""
            if not reference:
                self.reading.drop(f"{file}:{line}", "row names no image")
                continue
            image = self.reading.images.find(reference, posixpath.dirname(file))
            if image is None:
                self.reading.drop(reference, self.reading.images.why_missing(reference), f"named in {file}")
                continue
            split = row[table.split] if table.split is not None and table.split < len(row) else ""
            labels, _ = by_image.setdefault(image, ([], split))
            labels += self._classes(f"{file}:{line}", table, row, listed)
        named = {name.lower(): name for labels, _ in by_image.values() for name in labels}
        for image, (labels, split) in by_image.items():
            self._names.update(dict.fromkeys(labels))
            folders = [named[part] for part in image.lower().split("/")[:-1] if part in named]
            if labels and folders and not {*folders} & {*labels}:
                detail = f"{file} says {' and '.join(labels)}, its folder says {folders[-1]}"
                self.reading.drop(image, CONTRADICTION, detail)
                continue
            split_of_image = split_name(split.strip()) or split_of(image) or split_of(file)
            self.reading.add(image, (), labelled=bool(labels), split=split_of_image, labels=labels)

    def _classes(self, where: str, table: ClassTable, row: list[str], listed: list[str]) -> list[str]:
        """The classes of a row; numbers are those of a list of classes, if there is one."""
        found = []
        for text in table.classes_of(row):
            numbered = listed and text.isdecimal() and text not in listed and int(text[:9]) < len(listed)
            try:
                found.append(category_name(listed[int(text)] if numbered else text))
            except ValueError as error:
                self.reading.drop(where, "class name is not usable", str(error))
        return found
