"""Builds whose variants take parts of other images: what holds for every build holds for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_builds import ledger, rebuild, small_build, tree, write_manifest, write_set

from amp_datasets.building.api import build
from amp_datasets.building.choosing.pool import Pool
from amp_datasets.ledger.verify import verify
from amp_datasets.loading.load import load

MORE = """
filters: {mosaic: {}}
mixes:
  paste: {copies: 2, steps: [copy_paste: {count: 1}, rotate: {degrees: [2, 8]}, mosaic: {p: 0.3}]}
"""
WITH_TILES = "preprocess: [tile: {rows: 1, columns: 2}]" + MORE
WITH_VALUES = "preprocess: [static_crop: {x: [0, 95]}, auto_contrast: , resize: {size: 44, how: longest}]" + MORE


@pytest.fixture(scope="module", params=[MORE, WITH_TILES, WITH_VALUES], ids=["whole", "tiles", "values"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A build of eight images with polygons, and its filters."""
    return small_build(tmp_path_factory.mktemp("joined"), more=request.param, images=8), request.param


def test_the_ledger_names_others_of_the_same_split(made: tuple[Path, str]) -> None:
    """Source, digest, labels and piece of each other image, none of them from another split."""
    rows = ledger(made[0])
    split_of = {row["source_id"]: row["split"] for row in rows}
    joined = [row for row in rows if row["status"] == "made" and row["partners"]]
    assert len(joined) >= 8
    for row in joined:
        used = [step for step in json.loads(row["steps"]) if "partners" in step]
        named = [other for step in json.loads(row["partners"]) for other in step]
        assert {p["sha256"] for step in used for p in step["partners"]} <= {other["source_sha256"] for other in named}
        assert {split_of[other["source_id"]] for other in named} == {row["split"]}
        assert all(other["source_sha256"] != row["source_sha256"] or other["piece"] != row["piece"] for other in named)
    assert all(not row["partners"] for row in rows if row["spec"] == "original")


def test_every_image_is_made_again(made: tuple[Path, str]) -> None:
    """Bit for bit, from the ledger and the sources."""
    report = verify(made[0], replay="all")
    assert report.findings == []
    assert report.replayed == report.identical


def test_workers_resumption_and_lazy_sets_hold(made: tuple[Path, str], tmp_path: Path) -> None:
    """Two workers give the same bytes, a second run makes nothing, lazy sets show the built files."""
    other = small_build(tmp_path, more=made[1], images=8, jobs=2)
    same = [{k: v for k, v in tree(b).items() if k.startswith(("images/", "labels/"))} for b in (made[0], other)]
    assert same[0] == same[1]
    report = rebuild(tmp_path)
    assert report.reused == len(ledger(other))
    build(tmp_path / "amp.yaml", out=tmp_path / "lazy", lazy=True, jobs=1)
    built = {row["variant"] + row["source_id"]: row for row in load(other)["train"]}
    for lazy in (load(tmp_path / "lazy")["train"], load(tmp_path / "amp.yaml")["train"]):
        assert len(lazy) == len(built)
        for row in lazy:
            assert row["image"].tobytes() == built[row["variant"] + row["source_id"]]["image"].tobytes()


def test_a_new_source_changes_only_variants_that_name_it(made: tuple[Path, str], tmp_path: Path) -> None:
    """Every row of the smaller build is in the larger one, to the bit, unless there it names a new image."""
    write_set(tmp_path / "set", 8)
    write_set(tmp_path / "more", 3, seed=9)
    write_manifest(tmp_path / "amp.yaml", ["set", "more"], more=made[1])
    build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)
    after = {(r["source_sha256"], r["variant"]): r for r in ledger(tmp_path / "build")}
    old = {row["source_sha256"] for row in ledger(made[0])}
    changed = 0
    for row in ledger(made[0]):
        now = after[row["source_sha256"], row["variant"]]
        if (now["sha256"], now["labels_sha256"]) != (row["sha256"], row["labels_sha256"]):
            changed += 1
            named = {other["source_sha256"] for step in json.loads(now["partners"]) for other in step}
            assert named - old
    assert 0 < changed < len(after)


def test_an_image_takes_places_only_where_it_is_named() -> None:
    """The law of the choice itself, over 2000 variants: what changes with a new image names it, and few do."""
    names = [f"image {n}" for n in range(40)]
    before, after = Pool(names), Pool([*names, "new"])
    changed = 0
    for variant in range(2000):
        was, now = (pool.choose(f"variant {variant}", 3, "image 7") for pool in (before, after))
        assert len(set(was)) == 3
        assert "image 7" not in was
        changed += was != now
        assert (was != now) == ("new" in now)
        assert [name for name in now if name != "new"] == was[: len([n for n in now if n != "new"])]
    assert changed / 2000 == pytest.approx(3 / 40, abs=0.02)
