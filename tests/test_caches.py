"""What the cache keeps is checked by its digest, and made again where it is not what was written there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import datasets
import pytest
from small_builds import small_build

import amp_datasets as amp
from amp_datasets.building.api import build
from amp_datasets.formats.kit.arrow_reader import spool
from amp_datasets.loading.lazy import LazySet
from amp_datasets.sources.dataset import spool_dataset

DAMAGE: dict[str, Callable[[Path, Path], object]] = {
    "emptied": lambda file, _: file.write_bytes(b""),
    "cut": lambda file, _: file.write_bytes(file.read_bytes()[:-9]),
    "exchanged": lambda file, other: shutil.copyfile(other, file),
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return tmp_path / "cache" / "amp"


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_copy_of_a_ledger_is_made_again(tmp_path: Path, cache: Path, damage: str) -> None:
    """Attack 10a: neither do another ledger's rows serve, nor does a cut copy fail for ever."""
    small_build(tmp_path / "other", images=1)
    small_build(tmp_path / "one", images=2)
    for name in ("other", "one"):
        build(tmp_path / name / "amp.yaml", out=tmp_path / name / "lazy", lazy=True, jobs=1)
    LazySet(tmp_path / "other" / "lazy")
    (other,) = (cache / "ledgers").glob("*/*.arrow")
    before = LazySet(tmp_path / "one" / "lazy")._rows.to_list()
    (copy,) = set((cache / "ledgers").glob("*/*.arrow")) - {other}
    DAMAGE[damage](copy, other)
    assert LazySet(tmp_path / "one" / "lazy")._rows.to_list() == before
    assert LazySet(tmp_path / "one" / "lazy")._rows.to_list() == before


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_image_in_the_cache_is_written_again(tmp_path: Path, damage: str) -> None:
    """Attack 10a: another image never comes to stand under the labels, and none is dropped for an empty file."""
    (tmp_path / "other").write_bytes(b"other image")
    path = spool(b"an image of a parquet file", ".jpg")
    DAMAGE[damage](path, tmp_path / "other")
    assert spool(b"an image of a parquet file", ".jpg").read_bytes() == b"an image of a parquet file"


@pytest.mark.parametrize("damage", [*DAMAGE, "added"])
def test_damaged_rows_in_the_cache_are_written_again(tmp_path: Path, damage: str) -> None:
    """A dataset in memory is read from the files that were written of it, and no others."""
    rows = amp.load(small_build(tmp_path / "one", images=2))
    other = amp.load(small_build(tmp_path / "other", images=1))
    wrong = next(spool_dataset(other).glob("*.parquet"))
    root = spool_dataset(rows)
    before = {file.name: file.read_bytes() for file in root.iterdir()}
    if damage == "added":
        shutil.copyfile(wrong, root / "more-00000-of-00001.parquet")
    else:
        DAMAGE[damage](next(root.glob("*.parquet")), wrong)
    assert {file.name: file.read_bytes() for file in spool_dataset(rows).iterdir()} == before
