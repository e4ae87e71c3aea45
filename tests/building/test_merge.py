"""Several sets as one: classes by name, names unique, nothing lost without a word."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import image_bytes, write_files
from small_builds import ledger, tree

from amp_datasets.building.merge import class_order, merge
from amp_datasets.errors import AmpError, BuildError, SourceError
from amp_datasets.ledger.lock import read_lock
from amp_datasets.loading.load import load

HEAD = "filename,width,height,class,xmin,ymin,xmax,ymax"


def write_csv(folder: Path, **classes: str) -> Path:
    """A set with an image for each keyword, which names it, labelled with one box of the class; sizes differ."""
    width = 40 + 2 * sum(map(ord, folder.name)) % 50
    rows = [HEAD]
    for number, (stem, category) in enumerate(classes.items()):
        write_files(folder, {f"{stem}.jpg": image_bytes((width + 100 * number, 48))})
        rows.append(f"{stem}.jpg,{width + 100 * number},48,{category},5,6,25,36")
    (folder / "labels.csv").write_text("\n".join(rows))
    return folder


def classes(build: Path) -> list[str]:
    """Class names in the order of their ids, as the built rows have them."""
    (split,) = load(build).values()
    return list(split.features["objects"]["category"].feature.names)


def labels(build: Path) -> dict[str, str]:
    """The class of each file's one label."""
    (split,) = load(build).values()
    names = classes(build)
    return {row["source_id"]: names[row["objects"]["category"][0]] for row in split.remove_columns("image")}


def test_classes_are_merged_by_name(tmp_path: Path) -> None:
    """In the order in which they come; ids of the second set do not matter."""
    one = write_csv(tmp_path / "one", a="zebra", b="cat")
    two = write_csv(tmp_path / "two", c="dog", d="zebra")
    report = merge([one, two], tmp_path / "all")
    assert (report.sources, report.originals, report.variants) == (4, 4, 0)
    assert classes(tmp_path / "all") == ["zebra", "cat", "dog"]
    expected = {"one/a.jpg": "zebra", "one/b.jpg": "cat", "two/c.jpg": "dog", "two/d.jpg": "zebra"}
    assert labels(tmp_path / "all") == expected


def test_aliases_make_two_names_one_class(tmp_path: Path) -> None:
    """`-s classes=...` as in a manifest; a class that is in no list is an error that names it."""
    one = write_csv(tmp_path / "one", a="drum")
    two = write_csv(tmp_path / "two", b="Drum", c="snare", d="horn")
    merge([one, two], tmp_path / "all", settings=["classes={horn: [], drum: [Drum, snare]}"])
    assert classes(tmp_path / "all") == ["horn", "drum"]
    assert sorted(labels(tmp_path / "all").values()) == ["drum", "drum", "drum", "horn"]
    with pytest.raises(SourceError, match="the class `horn` of two is not in `classes`"):
        merge([one, two], tmp_path / "other", settings=["classes={drum: [Drum, snare]}"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all", "one", "two"]


def test_like_keeps_ids_and_appends_new_classes(tmp_path: Path) -> None:
    """Also of classes that no label has any more: a trained model's outputs keep their meaning."""
    first = write_csv(tmp_path / "first", a="zebra", b="cat", c="ape")
    merge([first], tmp_path / "v1")
    second = write_csv(tmp_path / "second", d="ant", e="cat", f="zebra")
    merge([second], tmp_path / "v2", like=tmp_path / "v1")
    assert classes(tmp_path / "v2") == ["zebra", "cat", "ape", "ant"]
    merge([second], tmp_path / "alone")
    assert classes(tmp_path / "alone") == ["ant", "cat", "zebra"]
    assert class_order(tmp_path / "v2") == [c["name"] for c in read_lock(tmp_path / "v2")["categories"]]
    before = tree(tmp_path)
    with pytest.raises(BuildError, match="--like needs a build"):
        merge([second], tmp_path / "v3", like=first)
    assert tree(tmp_path) == before


def test_colliding_names_stay_apart_and_traceable(tmp_path: Path) -> None:
    """The same file name in two sets, two sets of one name, and one stem with two endings."""
    one = write_csv(tmp_path / "x" / "photos", a="cat")
    two = write_csv(tmp_path / "y" / "photos", b="dog")
    (two / "b.jpg").rename(two / "a.jpg")
    (two / "labels.csv").write_text((two / "labels.csv").read_text().replace("b.jpg", "a.jpg"))
    (two / "a.jpg").write_bytes(image_bytes((120, 48)))
    (two / "labels.csv").write_text(f"{HEAD}\na.jpg,120,48,dog,5,6,25,36\n")
    merge([one, two], tmp_path / "all")
    rows = ledger(tmp_path / "all")
    assert len({row["file_name"].rpartition(".")[0] for row in rows}) == 2
    assert len({row["source_id"] for row in rows}) == 2
    by_width = {row["width"]: row["labels"] for row in rows}
    assert '"cat"' in by_width[next(w for w in by_width if w != 120)]
    assert '"dog"' in by_width[120]


def test_duplicates_are_reported_or_dropped(tmp_path: Path) -> None:
    """The same bytes in two sets."""
    one = write_csv(tmp_path / "one", a="cat", b="cat")
    two = write_csv(tmp_path / "two", c="cat")
    (two / "c.jpg").write_bytes((one / "a.jpg").read_bytes())
    width = (one / "labels.csv").read_text().splitlines()[1].split(",")[1]
    (two / "labels.csv").write_text(f"{HEAD}\nc.jpg,{width},48,cat,5,6,25,36\n")
    report = merge([one, two], tmp_path / "all")
    assert report.originals == 3
    assert any("one/a.jpg" in note and "two/c.jpg" in note for note in report.notes), report.notes
    report = merge([one, two], tmp_path / "fewer", settings=["duplicates=drop"])
    assert report.originals == 2
    assert [loss.count for loss in report.dropped] == [1]


def test_images_keep_their_bytes(tmp_path: Path) -> None:
    """Joining encodes nothing again."""
    one = write_csv(tmp_path / "one", a="cat", b="dog")
    merge([one], tmp_path / "all")
    made = {path.read_bytes() for path in (tmp_path / "all" / "images").rglob("*.jpg")}
    assert made == {path.read_bytes() for path in one.glob("*.jpg")}


@pytest.mark.parametrize("name", ["my set!", "__", "a" * 200, "日本", "null", "12"])
def test_any_folder_can_be_the_target(tmp_path: Path, name: str) -> None:
    """Its name becomes the dataset's as far as it can."""
    one = write_csv(tmp_path / "one", a="cat")
    assert merge([one], tmp_path / name).originals == 1


def test_a_set_that_cannot_be_read_ends_the_merge(tmp_path: Path) -> None:
    """And leaves no half-written build."""
    one = write_csv(tmp_path / "one", a="cat")
    with pytest.raises(AmpError, match="the source is missing"):
        merge([one, tmp_path / "two"], tmp_path / "all")
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
