"""Ledgers, locks and label files of strangers: what no build writes is an error of ours, or a finding; never more."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_builds import copy_of, ledger, small_build
from strangers import forge, seal_again

import amp_datasets as amp
from amp_datasets.building.api import build
from amp_datasets.building.merge import merge
from amp_datasets.errors import AmpError
from amp_datasets.exchange.conversion import export
from amp_datasets.exchange.hub import publish
from amp_datasets.ledger.diff import diff
from amp_datasets.ledger.replay import replay
from amp_datasets.ledger.verify import verify
from amp_datasets.plugin.discovery import load_formats


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a set, a build of it and a lazy set. Copy what you spoil."""
    folder = tmp_path_factory.mktemp("hostile")
    small_build(folder, images=2)
    build(folder / "amp.yaml", out=folder / "lazy", jobs=1, lazy=True)
    return folder


def first_name(build: Path) -> str:
    """A name for the first row, if it can have one."""
    row = ledger(build)[0]
    return f"{row['source_id']} {row['variant']}"


COMMANDS: dict[str, Callable[[Path, Path], object]] = {
    "verify": lambda b, _: verify(b, replay=2),
    "replay": lambda b, out: replay(b, first_name(b), out / "again.jpg"),
    "diff": lambda b, _: diff(b, b),
    "load": lambda b, _: [row["image"] for rows in amp.load(b).values() for row in rows],
    "export": lambda b, out: export(b, "coco", out / "exported", load_formats()),
    "publish": lambda b, _: publish(b, repo="me/x", dry_run=True),
}

ODD_LABELS: dict[str, bytes] = {
    "labels inf": b"inf 0.5 0.5 0.1 0.1\n",
    "labels nan": b"0 nan 0.5 0.1 0.1\n",
    "labels utf-16": "0 0.5".encode("utf-16"),
    "annotations list id": b'{"categories": [], "images": [{"id": [], "file_name": "a"}], "annotations": []}',
    "annotations deep": b"[" * 100_000,
    "annotations no map": b"[1, 2]",
    "data bomb": b"a: &a [1,1,1,1,1,1,1,1,1]\n"
    + b"".join(b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(9)),
    "rows short": b"PAR1",
}


def place_of(kind: str, build: Path) -> Path:
    """The label file that a case spoils."""
    places = {"labels": "labels/train/*.txt", "annotations": "annotations/train.json", "data": "data.yaml"}
    return next(build.glob(places.get(kind.split()[0], "images/train/metadata.parquet")))


@pytest.mark.parametrize("kind", [*ODD_LABELS, "labels pipe", "annotations pipe", "data pipe", "rows pipe"])
def test_verify_bears_any_label_file(home: Path, tmp_path: Path, kind: str) -> None:
    """Not numbers, not hashable, nested, bombs, pipes: a finding, at once."""
    spoilt = copy_of(home / "build", tmp_path / "set")
    file = place_of(kind, spoilt)
    file.unlink()
    if kind.endswith("pipe"):
        os.mkfifo(file)
    else:
        file.write_bytes(ODD_LABELS[kind])
        forge(spoilt)
    assert verify(spoilt).findings != []


@pytest.mark.parametrize("change", [{"category_id": []}, {"segmentation": [1, [2]]}, {"bbox": "x"}, {"iscrowd": None}])
def test_verify_bears_any_coco_label(home: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    """Values of any type where numbers belong."""
    spoilt = copy_of(home / "build", tmp_path / "set")
    file = place_of("annotations", spoilt)
    document = json.loads(file.read_text())
    document["annotations"][0] |= change
    file.unlink()
    file.write_text(json.dumps(document))
    assert {finding.rule for finding in verify(forge(spoilt)).findings} == {"coco"}


COLUMNS = ("labels", "file_name", "steps", "split", "source_labels", "sha256", "spec", "copy", "encoding", "status")


@pytest.mark.parametrize("kind", ["build", "lazy"])
@pytest.mark.parametrize("column", COLUMNS)
def test_a_ledger_without_values_is_an_error_of_ours(home: Path, tmp_path: Path, kind: str, column: str) -> None:
    """A null in any column."""
    spoilt = forge(copy_of(home / kind, tmp_path / "set"), rows=lambda rows: rows[0].update({column: None}))
    assert verify(spoilt, replay=1).findings != []
    with pytest.raises(AmpError, match="has no value"):
        replay(spoilt, "nobody", tmp_path / "again.jpg")


DEEP = "[" * 50_000
WORDS: dict[str, list[object]] = {
    "labels": [
        *("{", "[[]]", "[{}]", '[{"category": 3, "xyxy": [0, 0, 1, 1]}]', '[{"category": "a", "xyxy": [0, 0]}]'),
        *('[{"category": "a", "xyxy": [0, 0, 1, 1], "mask": [9, 9, "zzzz"]}]', "null", "7"),
        *('[{"category": "a", "xyxy": [0, 0, 1, 1e999]}]', '[{"category": "a", "xyxy": "abcd"}]', DEEP),
    ],
    "source_labels": ["{", "[[]]", '[{"category": "a", "xyxy": [0, 0, 1, 1], "mask": [9, 9, "zzzz"]}]', DEEP],
    "split": ["../x", "trian", ""],
    "encoding": ["[]", "1.5", '{"format": "exe"}', '{"format": "png", "quality": 10000000000}', "{", DEEP],
    "spec": ["nobody's"],
    "copy": [-1, 10**6],
    "attempt": [10**9],
    "width": [2**31 - 1, -5, 0],
    "height": [0],
    "source_file": ["[]", "{}", '["/etc/passwd", null]', '["sources/x", 3]', "[[], {}]", "null", DEEP],
    "steps": ["x" * (2**20 + 1), DEEP],
    "partners": [DEEP],
    "values": [DEEP],
    "labels_dropped": [DEEP],
    "source_id": ["y" * 10_000],
}


@pytest.mark.parametrize(
    ("column", "word"), [(c, w) for c, words in WORDS.items() for w in words], ids=lambda value: repr(value)[:30]
)
def test_a_ledger_with_other_values_is_an_error_of_ours(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str, word: object
) -> None:
    """What no build writes is refused, or does no harm; masks never reach the C code unchecked."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    spoilt = copy_of(home / "lazy", tmp_path / "set")
    forge(spoilt, rows=lambda rows: [row.update({column: word}) for row in rows])
    for run in COMMANDS.values():
        try:
            run(spoilt, tmp_path / "out")
        except AmpError:
            continue


@pytest.mark.parametrize("many", ["rows", "text"])
def test_a_small_file_with_much_in_it_is_refused(home: Path, tmp_path: Path, many: str) -> None:
    """Parquet packs tens of millions of equal rows, or long equal texts, into some kilobytes."""
    spoilt = copy_of(home / "build", tmp_path / "set")
    path = spoilt / "ledger.parquet"
    table = pq.read_table(path).slice(0, 1)
    if many == "rows":
        table = pa.table({"status": pa.array(["made"])}).take(pa.array(np.zeros(20_000_001, np.int8)))
    else:
        long = pa.array(["[" + " " * (15 * 2**20) + "]"] * 100)
        table = table.take(pa.array([0] * 100))
        table = table.set_column(table.schema.get_field_index("labels"), table.schema.field("labels"), long)
    path.unlink()
    pq.write_table(table, path, compression="zstd")
    assert path.stat().st_size < 2**22
    seal_again(spoilt)
    assert "ledger" in {finding.rule for finding in verify(spoilt).findings}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("categories",), None),
        (("categories", 0, "name"), 3),
        (("recipe", "variants", 0, "copies"), 10**9),
        (("recipe", "labels", "attempts"), 10**9),
        (("recipe", "variants", 0, "steps", 0, "settings"), {"sigma": "x"}),
        (("recipe", "seed"), "x"),
        (("files", "../../evil"), "0" * 64),
        (("sources",), [{}]),
        (("versions",), []),
        (("lazy",), "yes"),
    ],
    ids=str,
)
def test_a_forged_lock_is_an_error_of_ours(home: Path, tmp_path: Path, place: tuple[Any, ...], value: object) -> None:
    """Whatever it holds, in every command and in `merge --like`."""

    def change(lock: dict[str, Any]) -> None:
        for key in place[:-1]:
            lock = lock[key]
        lock[place[-1]] = value

    spoilt = forge(copy_of(home / "lazy", tmp_path / "set"), lock=change)
    commands = {**COMMANDS, "like": lambda b, out: merge([home / "set"], out / "merged", like=b)}
    for run in commands.values():
        try:
            run(spoilt, tmp_path / "out")
        except AmpError:
            continue
