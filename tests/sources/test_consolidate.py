"""Several sets become one: no class changes its number, no copy its split, no name its image; all of it is said."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from amp_datasets.errors import SourceError, UnreadableError
from amp_datasets.manifest.model import Manifest
from amp_datasets.model import Annotation, Category, Dropped, ImageFile, LabelSet, Repair, Sample
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.sources.consolidate import consolidate
from amp_datasets.sources.joining import Consolidated
from amp_datasets.storage.names import safe_stem

THIRDS = {"train": 0.4, "validation": 0.3, "test": 0.3}


def image(number: int, kind: str = "PNG") -> bytes:
    """An image of large random patches, unlike that of another number."""
    patches = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    stream = io.BytesIO()
    PillowImage.fromarray(patches).resize((80, 60)).save(stream, kind)
    return stream.getvalue()


def sample(name: str, number: int, *classes: str, **given: Any) -> Sample:
    """A labelled image."""
    data = given.pop("data", None) or image(number)
    labels = tuple(Annotation(each, (1.0, 1.0, 20.0 + i, 20.0)) for i, each in enumerate(classes))
    return Sample(name, ImageFile(Path(name), data=data), (80, 60), labels, **given)


def label_set(name: str, samples: Sequence[Sample], classes: Sequence[str | Category]) -> LabelSet:
    """A set of these samples."""
    categories = tuple(each if isinstance(each, Category) else Category(each) for each in classes)
    return LabelSet(categories, tuple(samples), name=name)


def join(
    *sets: LabelSet, renames: Sequence[dict[str, str]] = (), order: Sequence[str] = (), **given: Any
) -> Consolidated:
    """The sets as a manifest with these settings joins them."""
    manifest = Manifest.model_validate(given, context={"registry": load_registry()})
    return consolidate(sets, renames or [{} for _ in sets], manifest, order)


def names(joined: Consolidated) -> list[str]:
    """The classes in the order of their ids."""
    return [category.name for category in joined.categories]


def split_of(joined: Consolidated) -> dict[str, str | None]:
    """The split of each image."""
    return {item.sample.source_id: item.sample.split for item in joined.items}


A = label_set("a", [sample("x.png", 1, "cat", "dog")], ["cat", "dog"])
B = label_set("b", [sample("x.png", 2, "bird", "Cat")], ["bird", "Cat"])


def test_order_of_classes_is_that_of_the_sources() -> None:
    """Nothing is sorted; a class without labels keeps its place; what looks alike is noted, not merged."""
    joined = join(A, B)
    assert names(joined) == ["cat", "dog", "bird", "Cat"]
    assert any("cat, Cat" in note for note in joined.notes)
    assert names(join(label_set("c", [sample("x.png", 1, "z")], ["y", "z", "a"]))) == ["y", "z", "a"]


@given(st.permutations(["cat", "dog", "bird", "fox"]), st.integers(0, 4))
def test_ids_of_an_earlier_build_stay(earlier: list[str], known: int) -> None:
    """Classes of an earlier build come first in its order, new ones are appended, none is lost."""
    joined = join(A, B, order=earlier[:known])
    assert names(joined)[:known] == earlier[:known]
    assert set(names(joined)) == {*earlier[:known], "cat", "dog", "bird", "Cat"}
    assert len(set(names(joined))) == len(names(joined))


def test_aliases_merge_classes() -> None:
    """Labels of all aliases get the one name, and the report says which became what."""
    joined = join(A, B, classes={"animal": ["cat", "Cat"], "bird": [], "dog": []})
    assert names(joined) == ["animal", "bird", "dog"]
    assert [a.category for item in joined.items for a in item.sample.annotations] == ["animal", "dog", "bird", "animal"]
    assert "a/cat, b/Cat are joined as the class animal" in joined.notes


def test_classes_of_one_source_can_be_renamed() -> None:
    """Two sets that mean different things by one word."""
    joined = join(A, B, renames=[{}, {"Cat": "cat"}])
    assert names(joined) == ["cat", "dog", "bird"]
    with pytest.raises(SourceError, match="which b does not have") as caught:
        join(A, B, renames=[{}, {"Bird": "x"}])
    assert "did you mean `bird`?" in str(caught.value)


def test_unknown_class_is_an_error_or_dropped_or_kept() -> None:
    """As the manifest says; what is dropped is counted label by label, and the image too if nothing is left."""
    with pytest.raises(SourceError, match="`dog` of a is not in `classes`") as caught:
        join(A, classes=["cat", "dgo"])
    assert "did you mean `dgo`?" in str(caught.value)
    kept = join(A, classes=["cat"], unknown_classes="keep")
    assert names(kept) == ["cat", "dog"]
    only_dog = label_set("c", [sample("y.png", 3, "dog")], ["dog"])
    dropped = join(A, only_dog, classes=["cat"], unknown_classes="drop")
    assert names(dropped) == ["cat"]
    assert [(item.id, item.reason) for item in dropped.dropped] == [
        ("a/x.png#2", "class is not in `classes`"),
        ("c/y.png#1", "class is not in `classes`"),
        ("c/y.png", "no usable label"),
    ]
    assert [item.sample.source_id for item in dropped.items] == ["a/x.png"]


POINTS = Category("cat", keypoints=("left_eye", "right_eye", "nose"))


def test_keypoints_of_a_merged_class_must_agree() -> None:
    """A point must not change its meaning: told with both classes and a way out."""
    one = label_set("a", [sample("x.png", 1, "cat")], [POINTS])
    other = label_set("b", [sample("x.png", 2, "cat")], [Category("cat", keypoints=("nose", "left_eye", "right_eye"))])
    with pytest.raises(SourceError, match="keypoints of `cat` are not the same") as caught:
        join(one, other)
    assert caught.value.where == "a/cat and b/cat"
    assert "classes: {old name: new name}" in str(caught.value.fix)
    assert names(join(one, other, renames=[{}, {"cat": "cat2"}])) == ["cat", "cat2"]


def test_keypoints_come_from_the_set_that_has_some() -> None:
    """In either order, with the pairs that their names tell, or those that a set gives."""
    plain = label_set("b", [sample("x.png", 2, "cat")], ["cat"])
    named = label_set("a", [sample("x.png", 1, "cat")], [POINTS])
    for sets in ((plain, named), (named, plain)):
        (category,) = join(*sets).categories
        assert (category.keypoints, category.flip_pairs) == (POINTS.keypoints, ((0, 1),))
    given = label_set("c", [sample("x.png", 3, "cat")], [Category("cat", "", POINTS.keypoints, (), ((0, 2),))])
    assert join(named, given).categories[0].flip_pairs == ((0, 2),)
    with pytest.raises(SourceError, match="flip pairs of `cat`"):
        join(given, label_set("d", [], [Category("cat", "", POINTS.keypoints, (), ((1, 2),))]))


def test_number_of_keypoints_must_agree() -> None:
    """Also where a set gives points without names."""
    label = Annotation("cat", (1.0, 1.0, 20.0, 20.0), keypoints=np.array([[5.0, 5, 2], [6, 6, 2]]))
    pair = Sample("y.png", ImageFile(Path("y.png"), data=image(2)), (80, 60), (label,))
    with pytest.raises(SourceError, match="has 2 keypoints, not 3 as its names"):
        join(label_set("a", [sample("x.png", 1, "cat")], [POINTS]), label_set("b", [pair], ["cat"]))


def test_copies_are_joined_and_said() -> None:
    """The same file in two sets is kept in one split, or dropped, and named either way."""
    again = label_set("b", [sample("y.png", 1, "cat")], ["cat"])
    kept = join(A, again, splits=THIRDS)
    assert len(set(split_of(kept).values())) == 1
    assert "byte-for-byte copies of others: 1 image (kept in one split): b/y.png is a/x.png" in kept.notes
    dropped = join(A, again, duplicates="drop")
    assert [item.sample.source_id for item in dropped.items] == ["a/x.png"]
    assert dropped.dropped == (Dropped("b/y.png", "exact copy of another image", "a/x.png"),)


@pytest.mark.parametrize("seed", range(6))
def test_near_copies_never_part(seed: int) -> None:
    """An image and its re-encoded copy, in one set or in two, are in one split."""
    images = [sample(f"p{n}.png", n, "cat") for n in range(12)]
    near = [sample(f"q{n}.bmp", n, "cat", data=image(n, "BMP")) for n in range(4)]
    one = split_of(join(label_set("a", [*images, *near], ["cat"]), splits=THIRDS, seed=seed))
    assert all(one[f"a/p{n}.png"] == one[f"a/q{n}.bmp"] for n in range(4))
    joined = join(label_set("a", images, ["cat"]), label_set("b", near, ["cat"]), splits=THIRDS, seed=seed)
    two = split_of(joined)
    assert all(two[f"a/p{n}.png"] == two[f"b/q{n}.bmp"] for n in range(4))
    assert any(note.startswith("4 pairs of images look the same") for note in joined.notes)
    assert set(two.values()) == set(THIRDS)


def test_near_copies_are_told_where_splits_are_kept() -> None:
    """Joining sets as they are moves nothing, but says which images look the same."""
    images = [sample(f"p{n}.png", n, "cat", data=image(n)) for n in range(4)]
    near = [sample("q0.bmp", 0, "cat", data=image(0, "BMP"), split="test")]
    sets = label_set("a", images, ["cat"]), label_set("b", near, ["cat"])
    joined = join(*sets, near_duplicates="report")
    assert split_of(joined)["b/q0.bmp"] == "test"
    assert any("splits are kept, so they may be in two: a/p0.png and b/q0.bmp" in note for note in joined.notes)
    assert not any("look the same" in note for note in join(*sets).notes)


@pytest.mark.parametrize("seed", range(6))
def test_roboflow_copies_never_span_splits(seed: int) -> None:
    """A group stays together when splits are made, and is collected when they are kept, which is said."""
    copies = [sample(f"{s}/a{g}.{n}.png", 10 * g + n, "cat", group=f"a{g}_jpg", split=s)
              for g in range(6) for n, s in enumerate(("train", "validation"))]  # fmt: skip
    labels = label_set("a", copies, ["cat"])
    for splits in (THIRDS, "keep"):
        joined = join(labels, splits=splits, seed=seed)
        found = split_of(joined)
        assert all(found[f"a/train/a{g}.0.png"] == found[f"a/validation/a{g}.1.png"] for g in range(6))
    assert any(note.startswith("moved to the split of their copies: 6 images") for note in joined.notes)


def test_pattern_groups_images_over_sets() -> None:
    """`group_by` keeps all images of a video together; what it does not match is listed; copies stay tied too."""
    frames = [sample(f"video{v}_{n}.png", 10 * v + n, "cat") for v in range(6) for n in range(3)]
    other = [sample("video1_9.png", 99, "cat"), sample("still.png", 98, "cat"), sample("copy.png", 10, "cat")]
    joined = join(
        label_set("a", frames, ["cat"]), label_set("b", other, ["cat"]), group_by=r"(video\d)_", splits=THIRDS
    )
    found = split_of(joined)
    for v in range(6):
        assert len({found[f"a/video{v}_{n}.png"] for n in range(3)}) == 1
    assert found["b/video1_9.png"] == found["b/copy.png"] == found["a/video1_0.png"]
    assert "`group_by` finds nothing in 2 images: b/still.png, b/copy.png" in joined.notes


@pytest.mark.parametrize("seed", range(6))
def test_copies_stay_together_whatever_the_pattern_says(seed: int) -> None:
    """A pattern that would part Roboflow's copies of one image only joins further images to them."""
    copies = [sample(f"{w}{g}.png", 10 * g + n, "cat", group=f"a{g}_jpg") for g in range(8) for n, w in enumerate("xy")]
    found = split_of(join(label_set("a", copies, ["cat"]), group_by=r"/(\w+)\.png", splits=THIRDS, seed=seed))
    assert all(found[f"a/x{g}.png"] == found[f"a/y{g}.png"] for g in range(8))
    assert len(set(found.values())) == 3


def test_adding_a_set_changes_no_split() -> None:
    """The first set's images stay where they were."""
    first = label_set("a", [sample(f"p{n}.png", n, "cat") for n in range(20)], ["cat"])
    second = label_set("b", [sample(f"p{n}.png", 50 + n, "dog") for n in range(20)], ["dog"])
    alone, together = split_of(join(first, splits=THIRDS)), split_of(join(first, second, splits=THIRDS))
    assert {name: together[name] for name in alone} == alone


def test_rare_class_reaches_every_split() -> None:
    """Three images of a hundred: one in each split."""
    images = [sample(f"p{n}.png", n, "rare" if n < 3 else "cat") for n in range(100)]
    joined = join(label_set("a", images, ["cat", "rare"]), splits={"train": 0.8, "validation": 0.1, "test": 0.1})
    found = Counter(i.sample.split for i in joined.items if i.sample.annotations[0].category == "rare")
    assert found == {"train": 1, "validation": 1, "test": 1}


def test_names_that_collide_stay_traceable() -> None:
    """Same names in two folders and two sets, and names that differ by case: unique stems, each with its own source."""
    sets = [
        label_set(
            "a", [sample("1/x.png", 1, "cat"), sample("2/x.png", 2, "cat"), sample("2/X.png", 3, "cat")], ["cat"]
        ),
        label_set("a", [sample("x.jpg", 4, "cat"), sample("a-x.png", 5, "cat")], ["cat"]),
    ]
    joined = join(*sets)
    stems = [item.stem for item in joined.items]
    assert stems[0] == "x"
    assert len({stem.casefold() for stem in stems}) == 5
    assert [item.sample.source_id for item in joined.items] == [
        "a/1/x.png",
        "a/2/x.png",
        "a/2/X.png",
        "a-2/x.jpg",
        "a-2/a-x.png",
    ]
    for item, each in zip(joined.items, [s for labels in sets for s in labels.samples], strict=True):
        assert item.sample.image == each.image


def test_many_equal_names_take_no_long_time() -> None:
    """Two thousand images of one name: numbered by counting on, not from the start again."""
    data = [image(n) for n in range(3)]
    same = [sample(f"{n}/image.png", n, "cat", data=data[n % 3]) for n in range(2000)]
    stems = [item.stem for item in join(label_set("a", same, ["cat"])).items]
    assert stems[:3] == ["image", "a-image", "image-2"]
    assert stems[-1] == "image-1999"


@example("= 0")
@given(st.text(max_size=200))
def test_stems_are_safe(name: str) -> None:
    """No name breaks a file system, a shell pattern, a percent format or our own `__`, and it is safe once for all."""
    stem = safe_stem(name)
    assert stem
    assert len(stem.encode()) <= 120
    assert not set(stem) & set('<>:"/\\|?*%#\0\n')
    assert "__" not in stem
    assert stem == stem.strip(" .")
    assert safe_stem(f"{stem}.png") == stem


@pytest.mark.parametrize(
    "name", ["Käfer (2)", "it's [1]", "日本", "a.b.c", "photo_jpg.rf.0123456789abcdef0123456789abcdef"]
)
def test_ordinary_stems_stay(name: str) -> None:
    """Accents, brackets, quotes and dots are kept."""
    assert safe_stem(f"folder/{name}.png") == name


def test_nothing_is_lost_in_silence() -> None:
    """Every image that goes in comes out or is counted; what reading counted is passed on with the set's name."""
    broken = Sample("gone.png", ImageFile(Path(__file__), "member of no archive"), (80, 60))
    nothing = sample("new.png", 7, labelled=False)
    empty = sample("empty.png", 8)
    labels = LabelSet((Category("cat"),), (broken, nothing, empty), (Dropped("d", "why"),), (Repair("r", "how"),), "a")
    joined = join(labels)
    assert [item.sample.source_id for item in joined.items] == ["a/empty.png"]
    assert [(item.id, item.reason) for item in joined.dropped] == [
        ("a/d", "why"), ("a/gone.png", "image cannot be read"), ("a/new.png", "image has no label"),
    ]  # fmt: skip
    assert [(item.id, item.rule) for item in joined.repairs] == [("a/r", "how")]
    unreadable = replace(labels, samples=[*labels.samples, Sample("a", ImageFile(Path("/nowhere/a.png")), (80, 60))])
    with pytest.raises(UnreadableError, match="No such file"):  # the next run would give another set without a word
        join(unreadable)
    taken = join(labels, unlabelled="empty")
    assert [item.sample.source_id for item in taken.items] == ["a/new.png", "a/empty.png"]
    assert all(item.sample.labelled for item in taken.items)


@pytest.mark.parametrize("duplicates", ["keep", "drop"])
def test_no_label_of_a_copy_is_lost(duplicates: str) -> None:
    """One set labels the cats of an image, another its dogs: each copy that is left has both."""
    there = Annotation("dog", (50.0, 40.0, 70.0, 55.0))
    again = replace(sample("y.png", 1, "cat"), annotations=(there,))
    cats = label_set("a", [sample("x.png", 1, "cat")], ["cat"])
    joined = join(cats, label_set("b", [again], ["dog"]), duplicates=duplicates)
    assert len(joined.items) == (2 if duplicates == "keep" else 1)
    assert all(sorted(a.category for a in item.sample.annotations) == ["cat", "dog"] for item in joined.items)
    assert not [item for item in joined.dropped if item.reason != "exact copy of another image"]


def test_copies_that_contradict_are_named() -> None:
    """Two sets know the same classes, and draw two boxes around one object: nobody knows which is right."""
    (first,) = A.samples
    x0, y0, x1, y1 = first.annotations[0].xyxy
    moved = replace(first.annotations[0], xyxy=(x0, y0, x1, y0 + 0.7 * (y1 - y0)))
    again = replace(first, source_id="y.png", annotations=(moved,))
    joined = join(A, label_set("b", [again], ["cat"]))
    assert not joined.items
    assert {item.id for item in joined.dropped} == {"a/x.png", "b/y.png"}
    assert all("a/x.png and b/y.png" in item.detail for item in joined.dropped)
