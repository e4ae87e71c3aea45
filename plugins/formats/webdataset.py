"""WebDataset shards: tar files of images and their labels, which a trainer reads from the first byte to the last.

train-000000.tar        KEY.jpg  KEY.json, image after image, KEY without dots
validation-000000.tar
classes.json            what a name cannot say of the classes
README.md               makes `load_dataset` of the folder a typed dataset

https://github.com/webdataset/webdataset. Write-only: sets come back by way of `load_dataset`, or from the build.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from posixpath import splitext
from typing import Annotated, Any, ClassVar, get_args

import yaml
from pydantic import Field

from amp_datasets.formats.base import Exporter, Feature, Options
from amp_datasets.model import LabelSet, classifies
from amp_datasets.plugin.registry import Registry
from amp_datasets.rows.parquet_writer import card, labelled_rows
from amp_datasets.rows.schema import features, kinds_of
from amp_datasets.storage.names import FreeStems

_BLOCK = 512


class WebDatasetOptions(Options):
    """`max_shard_mb`: what one file holds at most, in megabytes; an image is never cut."""

    max_shard_mb: Annotated[int, Field(ge=1, le=100_000)] = 500


class WebDatasetExporter(Exporter[WebDatasetOptions]):
    """Writes `<split>-00000n.tar` with each image's file as it is and its labels as JSON; the same bytes every time.

    The JSON has the fields of a build's rows, with the names of the classes in place of their numbers.
    """

    name: ClassVar[str] = "webdataset"
    title: ClassVar[str] = "WebDataset tar shards"
    options_type: ClassVar[type[Options]] = WebDatasetOptions
    holds: ClassVar[frozenset[Feature]] = frozenset(get_args(Feature)) - {"unlabelled"}

    def write(self, labels: LabelSet) -> None:
        """Write the shards, the list of classes and the card."""
        kinds = kinds_of(labels.samples)
        names = [category.name for category in labels.categories]
        stems, endings = FreeStems(), dict[str, None]()
        shards: dict[str, _Shards] = {}
        with ExitStack() as stack:
            for sample, row in labelled_rows(labels, kinds):
                split = str(sample.split)
                if split not in shards:
                    limit = self.options.max_shard_mb * 10**6
                    shards[split] = stack.enter_context(_Shards(self.target, split, limit))
                stem, suffix = splitext(sample.source_id)
                ending = {".jpeg": "jpg", ".tiff": "tif"}.get(suffix.lower(), suffix.lower()[1:])
                endings[ending] = None
                document = {"file_name": sample.source_id, **_with_names(row, names)}
                text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
                key = stems.take(re.sub(r"[.\s]+", "_", stem))
                shards[split].add(key, {ending: self.bytes_of(sample), "json": text.encode()})
        classes = json.dumps([asdict(category) for category in labels.categories], ensure_ascii=False, indent=1)
        (self.target / "classes.json").write_text(f"{classes}\n", encoding="utf-8", newline="\n")
        self._write_card(labels, kinds, shards, endings)

    def _write_card(
        self, labels: LabelSet, kinds: frozenset[str], splits: Iterable[str], endings: Iterable[str]
    ) -> None:
        """The card of all our exports, with the types of the labels: `datasets` would guess them from five images."""
        from datasets import DatasetInfo, Features, Image, Value
        from datasets.info import DatasetInfosDict

        row = features(labels.categories, kinds, file_name=True)
        text = Value("string")
        types = Features(
            {**{ending: Image() for ending in endings}, "json": dict(row), "__key__": text, "__url__": text}
        )
        known: dict[str, Any] = {}
        DatasetInfosDict({"default": DatasetInfo(features=types)}).to_dataset_card_data(known)
        paths = {split: f"{split}-*.tar" for split in splits}
        whole = card(labels.name, paths, whole_images=classifies(labels.samples))
        more = yaml.safe_dump({"dataset_info": known["dataset_info"]}, sort_keys=False, allow_unicode=True)
        head, rule, rest = whole.removeprefix("---\n").partition("---\n")
        (self.target / "README.md").write_text(f"---\n{head}{more}{rule}{rest}", encoding="utf-8", newline="\n")


class _Shards:
    """The tar files of one split, one open at a time."""

    def __init__(self, folder: Path, split: str, limit: int) -> None:
        self._folder, self._split, self._limit = folder, split, limit
        self._number, self._size = 0, 0
        self._tar: tarfile.TarFile | None = None

    def __enter__(self) -> _Shards:
        return self

    def __exit__(self, *_: object) -> None:
        if self._tar is not None:
            self._tar.close()

    def add(self, key: str, files: Mapping[str, bytes]) -> None:
        """The files of one image, in a new tar where they would not fit any more."""
        size = sum(_BLOCK + -(-len(data) // _BLOCK) * _BLOCK for data in files.values())
        if self._tar is None or self._size + size > self._limit:
            self.__exit__()
            self._tar = tarfile.open(self._folder / f"{self._split}-{self._number:06d}.tar", "w")  # noqa: SIM115
            self._number, self._size = self._number + 1, 0
        self._size += size
        for ending, data in files.items():
            entry = tarfile.TarInfo(f"{key}.{ending}")  # of nobody, at no time: the same bytes everywhere
            entry.size = len(data)
            self._tar.addfile(entry, io.BytesIO(data))


def _with_names(row: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    """A row whose classes are names."""
    named = dict(row)
    if row.get("label") is not None:
        named["label"] = names[row["label"]]
    if "labels" in row:
        named["labels"] = [names[number] for number in row["labels"]]
    if "objects" in row:
        named["objects"] = {**row["objects"], "category": [names[number] for number in row["objects"]["category"]]}
    return named


def register(registry: Registry) -> None:
    """Offer the exporter."""
    registry.add_exporter(WebDatasetExporter)
