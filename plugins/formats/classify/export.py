"""Writes a folder for each class: for Ultralytics, torchvision and Keras, and typed for Hugging Face.

    yolo-classify   train/cat/a.jpg  val/...  test/...         https://docs.ultralytics.com/datasets/classify
    imagefolder     train/cat/a.jpg  train/metadata.parquet    https://huggingface.co/docs/datasets/image_dataset

An image with several labels lies in the folder of its first; only the rows of `imagefolder` have them all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import ClassVar

from amp_datasets.formats.base import Exporter, Feature, Options
from amp_datasets.model import LabelSet, Sample
from amp_datasets.rows.parquet_writer import ParquetFile, card, labelled_rows
from amp_datasets.rows.schema import features, kinds_of
from amp_datasets.storage.names import FreeStems, safe_stem

_SPLITS = {"train": "train", "validation": "val", "test": "test"}


class YoloClassifyExporter(Exporter[Options]):
    """Writes `train`, `val` and `test` with a folder for each class."""

    name: ClassVar[str] = "yolo-classify"
    title: ClassVar[str] = "Ultralytics classification: a folder for each class (torchvision and Keras read it too)"
    classifies: ClassVar[bool] = True
    holds: ClassVar[frozenset[Feature]] = frozenset({"image label", "split"})

    def write(self, labels: LabelSet) -> None:
        """Write the images; a class without any in a split has an empty folder there, for the numbers depend on it."""
        folders = _folders(labels)
        splits = dict.fromkeys(str(sample.split) for sample in labels.samples)
        for split in splits:
            for folder in folders.values():
                (self.target / _SPLITS[split] / folder).mkdir(parents=True, exist_ok=True)
        for sample in _labelled(labels):
            self.place(sample, self.target / _SPLITS[str(sample.split)] / folders[sample.labels[0]] / sample.source_id)

    def losses(self, samples: Iterable[Sample]) -> Counter[str]:
        """Also the labels whose class is called otherwise as a folder, where a file system does not take its name."""
        renamed: Counter[str] = Counter()

        def watched() -> Iterator[Sample]:
            for sample in samples:
                renamed["class name"] += sum(_folder_of(name) != name for name in sample.labels[:1])
                yield sample

        return +(super().losses(watched()) + renamed)


class ImageFolderExporter(Exporter[Options]):
    """Writes a folder for each split with one for each class, and `metadata.parquet`, which types the labels."""

    name: ClassVar[str] = "imagefolder"
    title: ClassVar[str] = "Classification: a folder for each class, typed for Hugging Face"
    classifies: ClassVar[bool] = True
    holds: ClassVar[frozenset[Feature]] = frozenset({"image label", "several image labels", "split", "classes"})

    def write(self, labels: LabelSet) -> None:
        """Write images, rows and card."""
        samples = list(_labelled(labels))
        whole = LabelSet(labels.categories, [_without_objects(sample) for sample in samples], name=labels.name)
        kinds, folders = kinds_of(whole.samples), _folders(labels)
        types = features(labels.categories, kinds, file_name=True)
        files: dict[str, ParquetFile] = {}
        with ExitStack() as stack:
            for sample, row in labelled_rows(whole, kinds):
                split = str(sample.split)
                if split not in files:
                    file = ParquetFile(self.target / split / "metadata.parquet", types, labels.categories)
                    files[split] = stack.enter_context(file)
                name = f"{folders[sample.labels[0]]}/{sample.source_id}"
                self.place(sample, self.target / split / name)
                files[split].add({"file_name": name, **row})
        text = card(labels.name, {split: f"{split}/**" for split in files}, whole_images=True)
        (self.target / "README.md").write_text(text, encoding="utf-8")


def _labelled(labels: LabelSet) -> Iterator[Sample]:
    return (sample for sample in labels.samples if sample.labelled and sample.labels)


def _without_objects(sample: Sample) -> Sample:
    return replace(sample, annotations=())


def _folders(labels: LabelSet) -> dict[str, str]:
    """A folder's name for each class: the class's own where a file system takes it."""
    stems = FreeStems()
    return {c.name: stems.take(_folder_of(c.name)) for c in labels.categories}


def _folder_of(name: str) -> str:
    """A class name as a file system takes it."""
    return safe_stem(f"{name.replace('/', '-')}.x")
