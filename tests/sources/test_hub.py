"""Sets of the Hub: fetched once for each commit, whole or not at all, and only from there."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import pytest
from datasets import ClassLabel, Dataset, Features, Image, IterableDatasetDict, List, Value
from PIL import Image as PillowImage

from amp_datasets.errors import SourceError
from amp_datasets.formats.kit.reading import Reading
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.sources import hub as hub_source
from amp_datasets.storage.folder import Folder

TYPES = Features(
    {
        "picture": Image(),
        "file_name": Value("string"),
        "objects": {"bbox": List(List(Value("float32"), length=4)), "category": List(ClassLabel(names=["cat", "dög"]))},
    }
)


def rows(count: int, path: str | None = "a.png") -> Dataset:
    """Images inside, one box each."""
    stream = io.BytesIO()
    PillowImage.new("RGB", (64, 48)).save(stream, "PNG")
    data = stream.getvalue() if path == "a.png" else None
    objects = {"bbox": [[1.0, 2.0, 10.0, 20.0]], "category": [1]}
    row = {"picture": {"bytes": data, "path": path}, "file_name": "x", "objects": objects}
    return Dataset.from_list([row] * count, features=TYPES)


class Hub:
    """Stands in for the Hub: one repository, whose head moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **splits: Dataset) -> None:
        self.splits, self.head, self.loads = splits, "c0ffee", list[dict[str, Any]]()
        monkeypatch.setattr(hub_source, "HfApi", lambda: SimpleNamespace(dataset_info=self.info))
        monkeypatch.setattr(datasets, "load_dataset", self.load)

    def info(self, repo: str, revision: str | None) -> SimpleNamespace:
        """What the Hub says of a revision."""
        if repo != "owner/name":
            raise OSError("404: no such repository")
        return SimpleNamespace(sha=revision or self.head)

    def load(self, repo: str, **options: Any) -> IterableDatasetDict:
        """The streamed splits."""
        self.loads.append(options)
        return IterableDatasetDict({name: split.to_iterable_dataset() for name, split in self.splits.items()})


def test_a_fetched_set_reads_like_any_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Streamed at the very commit; splits, classes and boxes are there."""
    hub = Hub(monkeypatch, train=rows(2), test=rows(1))
    folder = Folder(hub_source.open_hub("hf://datasets/owner/name@v1.0", tmp_path))
    assert hub.loads == [{"revision": "v1.0", "streaming": True}]
    source = load_registry().source("huggingface")
    labels = source(folder, source.options_type(), Reading(folder)).read()
    assert [c.name for c in labels.categories] == ["cat", "dög"]
    assert [s.split for s in labels.samples] == ["test", "train", "train"]
    assert {(a.category, a.xyxy) for s in labels.samples for a in s.annotations} == {("dög", (1, 2, 11, 22))}


def test_each_commit_is_fetched_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A moved branch is fetched anew; the old commit stays as it was."""
    hub = Hub(monkeypatch, train=rows(1))
    first = hub_source.open_hub("hf://datasets/owner/name", tmp_path)
    assert hub_source.open_hub("hf://datasets/owner/name/", tmp_path) == first
    hub.head = "facade"
    assert hub_source.open_hub("hf://datasets/owner/name", tmp_path) != first
    assert [load["revision"] for load in hub.loads] == ["c0ffee", "facade"]


def test_what_broke_off_is_not_taken_for_a_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The second try starts over and succeeds."""
    hub = Hub(monkeypatch, train=rows(1), test=rows(1, path="/etc/hostname"))
    with pytest.raises(SourceError, match="neither in its row nor in the repository"):
        hub_source.open_hub("hf://datasets/owner/name", tmp_path)
    hub.splits = {"train": rows(1)}
    folder = hub_source.open_hub("hf://datasets/owner/name", tmp_path)
    assert [path.name for path in (folder / "images").iterdir()] == ["train"]


@pytest.mark.parametrize("path", ["/etc/hostname", "hf://datasets/other/name@main/a.png", "http://127.0.0.1/a.png"])
def test_rows_cannot_name_files_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str) -> None:
    """Neither of this machine nor of another repository."""
    Hub(monkeypatch, train=rows(1, path=path))
    with pytest.raises(SourceError, match="neither in its row nor in the repository"):
        hub_source.open_hub("hf://datasets/owner/name", tmp_path)
    assert not list(tmp_path.rglob("*.png"))


@pytest.mark.parametrize(
    "uri", ["hf://datasets/", "hf://models/owner/name", "hf://datasets/a/b/c", "hf://datasets/a b"]
)
def test_other_addresses_are_refused_before_anything_is_asked(uri: str, tmp_path: Path) -> None:
    """With the form that is understood."""
    with pytest.raises(SourceError, match="no address of a dataset"):
        hub_source.open_hub(uri, tmp_path)


def test_a_missing_repository_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the Hub said is in it."""
    Hub(monkeypatch)
    with pytest.raises(SourceError, match="404: no such repository"):
        hub_source.open_hub("hf://datasets/owner/other", tmp_path)


def test_a_dataset_without_images_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is left behind."""
    Hub(monkeypatch, train=Dataset.from_dict({"text": ["a"]}))
    with pytest.raises(SourceError, match="no column of images"):
        hub_source.open_hub("hf://datasets/owner/name", tmp_path)
