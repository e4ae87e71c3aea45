"""Verification finds and names whatever is not as it was made, and finds nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_builds import copy_of, ledger, small_build, write_manifest, write_set

from amp_datasets.building.api import build
from amp_datasets.errors import BuildError
from amp_datasets.ledger import replay as replaying
from amp_datasets.ledger.keys import library_versions
from amp_datasets.ledger.lock import seal
from amp_datasets.ledger.verify import VerifyReport, verify


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a set, a manifest and a build in two splits. Copy it before you spoil it."""
    folder = tmp_path_factory.mktemp("verify")
    small_build(folder, images=5, splits="{train: 0.6, validation: 0.4}")
    return folder


@pytest.fixture
def spoilt(home: Path, tmp_path: Path) -> Path:
    """The build in a copy of all of it."""
    return copy_of(home, tmp_path / "copy") / "build"


def found(report: VerifyReport) -> set[tuple[str, str]]:
    """Rule and file of each finding."""
    return {(finding.rule, finding.file) for finding in report.findings}


def flip_byte(path: Path, position: float = 0.5) -> None:
    """Change one byte of a file."""
    data = bytearray(path.read_bytes())
    data[min(len(data) - 1, int(position * len(data)))] ^= 1
    path.write_bytes(data)


def test_a_fresh_build_is_all_right(home: Path) -> None:
    """Nothing is found in what was just made, and every image is made again bit for bit."""
    report = verify(home / "build", replay="all")
    assert report.findings == []
    assert report.identical == report.replayed == report.images == len(ledger(home / "build"))
    assert report.labels == sum(row["labels_out"] for row in ledger(home / "build"))
    assert report.as_text()[-1] == "all is as it was made"


def test_a_build_may_move(home: Path, tmp_path: Path) -> None:
    """It is the same build in another place, and finds its sources if they move along."""
    report = verify(copy_of(home, tmp_path / "else" / "where") / "build", replay=3)
    assert report.findings == []
    assert report.replayed == 3


def test_one_changed_byte_in_any_file_is_named(home: Path, spoilt: Path) -> None:
    """Whatever file of the build it is, image, label, card, parquet, manifest or lock."""
    names = [file.relative_to(home / "build") for file in (home / "build").rglob("*") if file.is_file()]
    assert {"amp.lock.json", "amp.yaml", "ledger.parquet", "README.md"} < {name.as_posix() for name in names}
    for name in names:
        kept = (spoilt / name).read_bytes()
        if kept:
            flip_byte(spoilt / name)
            assert name.as_posix() in {finding.file for finding in verify(spoilt).findings}, name
            (spoilt / name).write_bytes(kept)
    assert verify(spoilt).findings == []


@pytest.mark.parametrize("position", [0.0, 0.1, 0.25, 0.4, 0.6, 0.8, 0.95, 1.0])
def test_a_changed_byte_anywhere_in_the_lock_is_found(spoilt: Path, position: float) -> None:
    """The lock has no other file that would vouch for it."""
    flip_byte(spoilt / "amp.lock.json", position)
    assert ("lock", "amp.lock.json") in found(verify(spoilt))


def test_bytes_after_the_lock_are_found(spoilt: Path) -> None:
    """A JSON reader would not see another space."""
    with (spoilt / "amp.lock.json").open("a") as file:
        file.write(" ")
    assert ("lock", "amp.lock.json") in found(verify(spoilt))


def test_a_missing_and_a_foreign_file_are_named(spoilt: Path) -> None:
    """What trainers would read is a finding; their caches are ignored, notes and runs are not ours: it says which."""
    gone = next((spoilt / "images").rglob("*.jpg"))
    gone.unlink()
    (spoilt / "images" / "train" / "holiday.jpg").write_bytes(b"x")
    (spoilt / "labels" / "train.cache").write_bytes(b"x")
    (spoilt / "runs").mkdir()
    (spoilt / "runs" / "best.pt").write_bytes(b"x")
    report = verify(spoilt)
    assert ("missing", gone.relative_to(spoilt).as_posix()) in found(report)
    assert ("not ours", "images/train/holiday.jpg") in found(report)
    assert report.ignored == ["labels/train.cache"]
    assert report.not_ours == ["runs/best.pt"]
    assert any("not ours" in line and "runs/best.pt" in line for line in report.as_text())


def test_a_link_in_place_of_an_image_is_found(spoilt: Path) -> None:
    """A build consists of files; a link may change what it shows at any time."""
    image = next((spoilt / "images").rglob("*.jpg"))
    image.rename(spoilt.parent / "elsewhere.jpg")
    image.symlink_to(spoilt.parent / "elsewhere.jpg")
    assert found(verify(spoilt)) == {("changed", image.relative_to(spoilt).as_posix())}


def reseal(folder: Path) -> None:
    """Write the lock anew, so that nothing but the content itself can give a change away."""
    lock = json.loads((folder / "amp.lock.json").read_text())
    plain = {name: value for name, value in lock.items() if name not in {"files", "lock_digest"}}
    seal(folder, plain)


def change_rows(folder: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Rewrite the ledger and seal the build again."""
    table = pq.read_table(folder / "ledger.parquet")
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), folder / "ledger.parquet")
    reseal(folder)


def test_a_source_in_two_splits_is_found(spoilt: Path) -> None:
    """A test image whose variant was trained on measures nothing."""

    def leak(rows: list[dict[str, Any]]) -> None:
        train = next(row for row in rows if row["split"] == "train")
        other = next(row for row in rows if row["split"] == "validation")
        other["group"] = train["group"]

    change_rows(spoilt, leak)
    report = verify(spoilt)
    assert found(report) == {("split leak", "ledger.parquet")}
    assert "is in train and in validation" in report.findings[0].what


def test_labels_that_contradict_their_digest_are_found(spoilt: Path) -> None:
    """Each line of the ledger vouches for its own labels."""

    def move(rows: list[dict[str, Any]]) -> None:
        rows[0]["labels"] = rows[0]["labels"].replace("xyxy", "xyyx")

    change_rows(spoilt, move)
    assert ("ledger", "ledger.parquet") in found(verify(spoilt))


def nudge_coco(document: dict[str, Any]) -> None:
    """Move one box by a fiftieth of a pixel."""
    document["annotations"][0]["bbox"][0] += 0.02


def rename_coco(document: dict[str, Any]) -> None:
    """Give one label another class."""
    label = document["annotations"][0]
    label["category_id"] = next(c["id"] for c in document["categories"] if c["id"] != label["category_id"])


def lose_coco(document: dict[str, Any]) -> None:
    """Lose the last label."""
    document["annotations"].pop()


def turn_coco(document: dict[str, Any]) -> None:
    """Move one point of an outline."""
    next(a for a in document["annotations"] if "segmentation" in a)["segmentation"][0][0] += 1


def swap_coco(document: dict[str, Any]) -> None:
    """Call the classes by each other's names."""
    one, other, *_ = document["categories"]
    one["name"], other["name"] = other["name"], one["name"]


@pytest.mark.parametrize("change", [nudge_coco, rename_coco, lose_coco, turn_coco, swap_coco])
def test_coco_labels_that_are_not_the_ledgers_are_found(spoilt: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Even where every digest is right: what is compared are the labels themselves."""
    path = spoilt / "annotations" / "train.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    reseal(spoilt)
    assert found(verify(spoilt)) == {("coco", "annotations/train.json")}


def first_rows(folder: Path) -> tuple[Path, list[list[str]]]:
    """A label file with several rows, and their values."""
    path = next(f for f in sorted((folder / "labels" / "train").iterdir()) if len(f.read_text().splitlines()) > 1)
    return path, [line.split() for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows[0].__setitem__(1, str(float(rows[0][1]) + 0.02 / 64)),
        lambda rows: rows[1].__setitem__(4, str(float(rows[1][4]) + 0.02 / 48)),
        lambda rows: rows[0].__setitem__(0, str((int(rows[0][0]) + 1) % 4)),
        lambda rows: rows[0].__setitem__(0, "4"),
        lambda rows: rows[0].__setitem__(2, "half"),
        lambda rows: rows[0].pop(),
        lambda rows: rows.pop(),
        lambda rows: rows.insert(0, rows[-1]),
    ],
    ids=["x moved", "height", "class", "no class", "text", "short", "one less", "one more"],
)
def test_yolo_rows_that_are_not_the_ledgers_are_found(spoilt: Path, change: Callable[[list[list[str]]], None]) -> None:
    """A fiftieth of a pixel is seen, though every digest is right."""
    path, rows = first_rows(spoilt)
    change(rows)
    path.write_text("".join(" ".join(row) + "\n" for row in rows))
    reseal(spoilt)
    assert found(verify(spoilt)) == {("yolo", path.relative_to(spoilt).as_posix())}


def test_class_names_of_the_trainers_file_are_compared(spoilt: Path) -> None:
    """Two names swapped in data.yaml would train the wrong classes without an error."""
    text = (spoilt / "data.yaml").read_text()
    (spoilt / "data.yaml").write_text(text.replace("fish", "FISH", 1))
    reseal(spoilt)
    assert found(verify(spoilt)) == {("yolo", "data.yaml")}


@pytest.mark.parametrize("task", ["yolo-segment", "yolo-pose", "yolo-obb"])
def test_every_form_of_yolo_rows_agrees_with_the_ledger(tmp_path: Path, task: str) -> None:
    """Outlines, keypoints and corners are read for what they are; a point that moves is found where it can be."""
    folder = small_build(tmp_path, images=2, exports=f"[{task}]")
    assert verify(folder).findings == []
    path, rows = first_rows(folder)
    rows[0][1 if task == "yolo-segment" else 0] = "1" if rows[0][0] != "1" else "0"
    path.write_text("".join(" ".join(row) + "\n" for row in rows))
    reseal(folder)
    assert found(verify(folder)) == {("yolo", path.relative_to(folder).as_posix())}


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows[0]["objects"]["bbox"][0].__setitem__(0, rows[0]["objects"]["bbox"][0][0] + 0.02),
        lambda rows: rows[0]["objects"]["category"].__setitem__(0, (rows[0]["objects"]["category"][0] + 1) % 4),
        lambda rows: rows[0].update(width=63),
        lambda rows: rows[0].update(variant="another"),
        lambda rows: rows.pop(),
    ],
    ids=["box", "class", "size", "variant", "one less"],
)
def test_rows_beside_the_images_that_are_not_the_ledgers_are_found(
    spoilt: Path, change: Callable[[list[dict[str, Any]]], None]
) -> None:
    """The file that `load_dataset` reads."""
    path = spoilt / "images" / "train" / "metadata.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    reseal(spoilt)
    assert found(verify(spoilt)) == {("rows", "images/train/metadata.parquet")}


def test_a_manifest_of_another_build_is_found(spoilt: Path) -> None:
    """The lock names the settings that it was made for."""
    text = (spoilt / "amp.yaml").read_text()
    (spoilt / "amp.yaml").write_text(text.replace("seed: 3", "seed: 4"))
    reseal(spoilt)
    assert found(verify(spoilt)) == {("manifest", "amp.yaml")}


def test_replays_are_spread_and_counted(home: Path) -> None:
    """More than there are is all of them."""
    assert verify(home / "build", replay=4).replayed == 4
    assert verify(home / "build", replay=10**6).replayed == len(ledger(home / "build"))


def test_a_replay_that_differs_says_by_how_much_and_since_what(spoilt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pixels of the file are compared with those that come out, and the versions with those of the lock."""
    row = next(row for row in ledger(spoilt) if row["variant"] == "brightness")
    other = next(row for row in ledger(spoilt) if row["variant"] == "flip" and row["source_id"] == row["source_id"])
    shutil.copyfile(
        spoilt / "images" / other["split"] / other["file_name"], spoilt / "images" / row["split"] / row["file_name"]
    )
    other_digest = {"sha256": "0" * 64}
    change_rows(spoilt, lambda rows: next(r for r in rows if r["file_name"] == row["file_name"]).update(other_digest))
    versions = {**library_versions(), "numpy": "0.1"}
    monkeypatch.setattr(replaying, "library_versions", lambda: versions)
    report = verify(spoilt, replay="all")
    assert report.identical == report.replayed - 1
    finding = next(finding for finding in report.findings if finding.rule == "replay")
    assert finding.file == f"images/{row['split']}/{row['file_name']}"
    assert "pixels differ by at most" in finding.what
    assert any(line.startswith("numpy") and line.endswith("became 0.1") for line in report.differences)


def test_a_changed_source_is_named(spoilt: Path) -> None:
    """It cannot be made again from another image."""
    flip_byte(next((spoilt.parent / "set").rglob("*.jpg")))
    report = verify(spoilt, replay="all")
    assert {finding.rule for finding in report.findings} == {"replay"}
    assert report.replayed > report.identical > 0


def test_sources_can_be_somewhere_else(spoilt: Path, tmp_path: Path) -> None:
    """`--source` finds them; without it the lock's place counts."""
    (spoilt.parent / "set").rename(tmp_path / "moved")
    assert verify(spoilt, replay=2).identical == 0
    assert verify(spoilt, replay=2, sources=[tmp_path / "moved"]).findings == []


def test_a_folder_that_is_no_build_is_refused(tmp_path: Path) -> None:
    """With a hint what to give instead."""
    with pytest.raises(BuildError, match="not a build"):
        verify(tmp_path)


@pytest.mark.parametrize("name", ["ledger.parquet", "amp.lock.json"])
def test_a_truncated_ledger_or_lock_is_a_finding(spoilt: Path, name: str) -> None:
    """Not a traceback, even if the other one is right."""
    data = (spoilt / name).read_bytes()
    for length in (0, 10, len(data) // 2, len(data) - 1):
        (spoilt / name).write_bytes(data[:length])
        assert name in {finding.file for finding in verify(spoilt).findings}
    (spoilt / name).unlink()
    assert name in {finding.file for finding in verify(spoilt).findings}


@pytest.mark.parametrize("damage", [b"[]", b"{}", b'{"recipe": 1}', b"\xff\xfe", b"[" * 100_000])
def test_a_lock_that_is_something_else_is_a_finding(spoilt: Path, damage: bytes) -> None:
    """Deep, empty and foreign JSON alike."""
    (spoilt / "amp.lock.json").write_bytes(damage)
    assert ("lock", "amp.lock.json") in found(verify(spoilt, replay=1))


def test_a_lock_cannot_name_a_folder_of_code(tmp_path: Path) -> None:
    """A build that comes from elsewhere must not run code here: only the command line names plugin folders."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "evil.py").write_text("raise SystemExit('run')\n\ndef register(registry): pass\n")
    folder = small_build(tmp_path, images=1)
    lock = json.loads((folder / "amp.lock.json").read_text())
    assert "plugin_dirs" not in lock["recipe"]
    lock["recipe"]["plugin_dirs"] = [str(tmp_path / "plugins")]
    (folder / "amp.lock.json").write_text(json.dumps(lock))
    reseal(folder)
    assert verify(folder, replay="all").findings == []


def test_a_lazy_set_is_verified_by_its_sources(tmp_path: Path) -> None:
    """It has no images to compare, but all of them can be made from what it holds; a changed source is found."""
    write_set(tmp_path / "set", 2)
    write_manifest(tmp_path / "amp.yaml", ["set"])
    build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1, lazy=True)
    shutil.rmtree(tmp_path / "set")
    report = verify(tmp_path / "build", replay="all")
    assert report.findings == []
    assert report.identical == report.images == 12
    held = sorted((tmp_path / "build" / "sources").iterdir())[0]
    flip_byte(held)
    report = verify(tmp_path / "build", replay="all")
    assert ("changed", f"sources/{held.name}") in found(report)
    assert report.identical == 6


def test_every_split_group_is_kept_together(tmp_path: Path) -> None:
    """The ledger says which group a source belongs to, so that a leak can be seen."""
    write_set(tmp_path / "set", 4)
    write_manifest(tmp_path / "amp.yaml", ["set"], group_by='"(demo_00)[12]"', splits="{train: 0.5, test: 0.5}")
    build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)
    groups = {row["source_id"][-5]: (row["group"], row["split"]) for row in ledger(tmp_path / "build")}
    assert groups["1"] == groups["2"]
    assert len({group for group, _ in groups.values()}) == 3
    assert verify(tmp_path / "build").findings == []
