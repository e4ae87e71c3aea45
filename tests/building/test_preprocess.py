"""Builds whose images are preprocessed: complete ledgers, and what holds for every build holds for them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import cv2
import pytest
from small_builds import ledger, rebuild, small_build, tree, write_manifest, write_set

from amp_datasets.building.api import build
from amp_datasets.errors import ManifestError, SourceError
from amp_datasets.exchange.conversion import export
from amp_datasets.interface.commands import check
from amp_datasets.ledger.replay import replay
from amp_datasets.ledger.verify import verify
from amp_datasets.loading.load import load
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.rows.schema import load_annotations, load_image_labels

MORE = """
preprocess:
  - static_crop: {x: [0, 97], y: [0, 100]}
  - tile: {rows: 1, columns: 2}
  - auto_contrast
  - resize: {size: 24, how: shortest}
filters:
  flip: {how: horizontal}
  noise: {amount: 0.05}
mixes:
  two: {copies: 2, steps: [rotate: {degrees: [3, 15]}, brightness: {percent: [-30, 30], p: 0.5}]}
"""
INSIDE = (
    MORE[: MORE.index("filters:")]
    + """
filters:
  flip: {how: horizontal, within: objects, p: 0.7}
mixes:
  two:
    copies: 2
    steps:
      - rotate: {degrees: [3, 15], within: object}
      - brightness: {percent: [-30, 30], p: 0.5, within: objects}
      - zoom: {percent: [2, 15]}
balance: {to: max, limit: 6}
"""
)


@pytest.fixture(scope="module", params=[MORE, INSIDE], ids=["plain", "inside boxes, balanced"])
def more(request: pytest.FixtureRequest) -> str:
    """What is made of each image."""
    return str(request.param)


@pytest.fixture(scope="module")
def made(more: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of four images, each cut into two."""
    return small_build(tmp_path_factory.mktemp("preprocessed"), more=more, images=4)


def test_every_piece_is_there_and_says_what_was_done(made: Path) -> None:
    """Each image gives two originals, of the size that was asked for, with the steps in the ledger."""
    rows = ledger(made)
    originals = [row for row in rows if row["spec"] == "original"]
    assert Counter(row["source_id"] for row in originals) == {row["source_id"]: 2 for row in originals}
    assert {row["piece"] for row in rows} == {"r1c1", "r1c2"}
    for row in (row for row in rows if row["status"] == "made"):
        steps = json.loads(row["steps"])
        assert [s["filter"] for s in steps[:4]] == ["static_crop", "tile", "auto_contrast", "resize"]
        assert {s["stage"] for s in steps[:4]} == {"preprocess"}
        assert row["variant"].startswith(f"{row['piece']}.")
        image = cv2.imread(str(made / "images" / row["split"] / row["file_name"]))
        assert image.shape[:2] == (row["height"], row["width"])
        assert min(image.shape[:2]) == 24
    assert all(row["detail"].startswith("preprocessed") and row["encoding"] for row in originals)


def test_all_labels_are_there_or_counted(made: Path) -> None:
    """What goes in comes out or has a reason, in every row."""
    for row in (row for row in ledger(made) if row["status"] == "made"):
        assert row["labels_in"] == row["labels_out"] + sum(json.loads(row["labels_dropped"] or "{}").values())


def test_it_verifies_and_replays(made: Path, tmp_path: Path) -> None:
    """Every image is made again, bit for bit, from the ledger alone."""
    report = verify(made, replay="all")
    assert report.findings == []
    assert report.replayed == report.identical > 10
    row = next(row for row in ledger(made) if row["spec"] == "two" and row["status"] == "made")
    again = replay(made, f"{row['source_id']} {row['variant']}", tmp_path / "again")
    assert again.same_image
    assert again.same_labels


def test_more_workers_and_a_second_run_give_the_same(made: Path, more: str, tmp_path: Path) -> None:
    """The same bytes for two workers; nothing is made anew the second time."""
    other = small_build(tmp_path, more=more, images=4, jobs=2)
    strip = {k: v for k, v in tree(other).items() if k.startswith(("images/", "labels/", "annotations/"))}
    assert strip == {k: v for k, v in tree(made).items() if k.startswith(("images/", "labels/", "annotations/"))}
    report = rebuild(tmp_path)
    assert report.reused == report.originals + report.variants + sum(loss.count for loss in report.refused_variants)


def test_lazy_sets_show_the_built_files(made: Path, tmp_path: Path) -> None:
    """Read lazily, from a lazy set and from the manifest, every image is the built one."""
    build(made.parent / "amp.yaml", out=tmp_path / "lazy", lazy=True, jobs=1)
    built = {row["variant"] + row["source_id"]: row for row in load(made)["train"]}
    for lazy in (load(tmp_path / "lazy")["train"], load(made.parent / "amp.yaml")["train"]):
        assert len(lazy) == len(built)
        for row in lazy:
            other = built[row["variant"] + row["source_id"]]
            assert row["image"].tobytes() == other["image"].tobytes()
            assert row["objects"] == other["objects"]


def test_another_source_changes_nothing(made: Path, more: str, tmp_path: Path) -> None:
    """Every file of the first build is in that of more sources, to the bit; how many copies, a balance may change."""
    write_set(tmp_path / "set", 4)
    write_set(tmp_path / "more", 3, seed=9)
    write_manifest(tmp_path / "amp.yaml", ["set", "more"], more=more)
    build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)
    before = {(r["source_sha256"], r["variant"]): r["sha256"] for r in ledger(made)}
    after = {(r["source_sha256"], r["variant"]): r["sha256"] for r in ledger(tmp_path / "build")}
    if "balance" in more:
        before = {name: sha256 for name, sha256 in before.items() if name in after}
    assert before.items() <= after.items()
    assert len(before) > 20


def test_an_image_that_nothing_changes_is_copied(tmp_path: Path) -> None:
    """Where preprocessing has nothing to do the original stays the file that it was."""
    made = small_build(tmp_path, more="preprocess: [resize: {size: 500, how: fit}]\n", images=2)
    for row in ledger(made):
        name = row["source_id"].partition("/")[2]
        assert (made / "images" / row["split"] / row["file_name"]).read_bytes() == (
            tmp_path / "set" / name
        ).read_bytes()
        assert row["encoding"] == ""
    assert verify(made, replay="all").findings == []


def test_backgrounds_are_kept_by_their_share(tmp_path: Path) -> None:
    """filter_null leaves as many empty images as the share allows, and counts the others."""
    more = "preprocess: [tile: {size: 16}, filter_null: {percent: 75}]\n"
    made = small_build(tmp_path, more=more, images=4)
    rows = ledger(made)
    for split in {row["split"] for row in rows}:
        found = [row["labels_out"] > 0 for row in rows if row["split"] == split]
        assert sum(found) / len(found) >= 0.75
        assert not all(found)
    few = small_build(tmp_path / "few", more="preprocess: [tile: {size: 16, empty: 0.25}]\n", images=4)
    every = small_build(tmp_path / "all", more="preprocess: [tile: {size: 16}]\n", images=4)
    empty = [sum(row["labels_out"] == 0 for row in ledger(b)) for b in (few, every)]
    assert 0.1 < empty[0] / empty[1] < 0.45
    kept = {row["sha256"] for row in ledger(few)}
    assert kept <= {row["sha256"] for row in ledger(every)}


def test_isolated_objects_and_a_set_without_any(tmp_path: Path) -> None:
    """One image for each object; where none is left the build says why."""
    made = small_build(tmp_path, more="preprocess: {isolate_objects: {margin: 0.1}, grayscale: }\n", images=3)
    rows = ledger(made)
    assert len(rows) == sum(len(json.loads(r["source_labels"])) for r in {r["source_id"]: r for r in rows}.values())
    with pytest.raises(SourceError, match="preprocessing leaves no image"):
        small_build(tmp_path / "none", more="preprocess: [filter_tag: {require: [night]}]\n", images=2)


def test_isolated_objects_are_a_set_for_classification(tmp_path: Path) -> None:
    """Each object's class is that of its image, in every variant; made again bit for bit, and exported as folders."""
    more = "preprocess: {isolate_objects: {margin: 0.1, classify: true}}\nfilters: {flip: {}, noise: {amount: 0.05}}\n"
    made = small_build(
        tmp_path, more=more + "mixes: {m: {steps: [brightness: {percent: 30}], only: {classes: [drum]}}}\n"
    )
    rows = ledger(made)
    objects = {row["source_id"]: [a.category for a in load_annotations(row["source_labels"])] for row in rows}
    found = {name: [] for name in objects}
    for row in rows:
        assert row["labels_in"] == row["labels_out"] + sum(json.loads(row["labels_dropped"] or "{}").values())
        assert load_annotations(row["labels"]) == ()
        (category,) = load_image_labels(row["labels"])
        if row["spec"] == "original":
            found[row["source_id"]].append(category)
        assert row["spec"] != "m" or category == "drum"
    assert found == objects
    assert verify(made, replay="all").findings == []
    assert load(made)["train"].features["label"].names
    export(made, "yolo-classify", tmp_path / "folders", load_registry())
    kept = [*(tmp_path / "folders").rglob("*.jpg")]
    assert len(kept) == sum(row["status"] == "made" for row in rows)
    assert {path.parent.name for path in kept} == {name for names in objects.values() for name in names}
    alone = small_build(tmp_path / "filter", more="filters: {isolate_objects: {classify: true}}\n", images=2)
    assert {row["reason"] for row in ledger(alone) if row["spec"] != "original"} == {"`classify` is for preprocessing"}


def test_images_are_taken_by_their_tags(tmp_path: Path) -> None:
    """As Roboflow's COCO holds them; what is left out is counted, and `amp check` says that there are tags."""
    write_set(tmp_path / "set", 4)
    (file,) = (tmp_path / "set").rglob("*.json")
    document = json.loads(file.read_text(encoding="utf-8"))
    for number, entry in enumerate(document["images"]):
        entry["extra"] = {"user_tags": ["night", "blurred"][: number % 3]}
    file.write_text(json.dumps(document), encoding="utf-8")
    names = [entry["file_name"].rpartition("/")[2] for entry in document["images"]]
    for rule, kept in {
        "require: [night, blurred]": [2],
        "allow: [night]": [1, 2],
        "exclude: [blurred]": [0, 1, 3],
    }.items():
        out = tmp_path / rule.partition(":")[0]
        write_manifest(tmp_path / "amp.yaml", ["set"], more=f"preprocess: [filter_tag: {{{rule}}}]\n")
        report = build(tmp_path / "amp.yaml", out=out, jobs=1)
        assert sorted(row["source_id"].rpartition("/")[2] for row in ledger(out)) == sorted(names[i] for i in kept)
        assert sum(loss.count for loss in report.dropped) == 4 - len(kept)
    assert [each.rule for each in check(tmp_path / "set").findings].count("AMP546") == 2


@pytest.mark.parametrize(
    ("text", "told"),
    {
        "preprocess: [cutout]": "`cutout` is no preprocessing",
        "preprocess: [flip: {p: 0.5}]": "preprocessing is for all images",
        "preprocess: [filter_null: {percent: 101}]": "must be at most 100",
        "preprocess: [resiz: {size: 3}]": "did you mean `resize`?",
        "preprocess: [tile: {rows: 1, columns: 1}]": "leave the image whole",
    }.items(),
)
def test_what_is_no_preprocessing_is_told(text: str, told: str, tmp_path: Path) -> None:
    """In plain words, with the place."""
    with pytest.raises(ManifestError) as caught:
        small_build(tmp_path, more=text + "\n")
    assert told in str(caught.value)
