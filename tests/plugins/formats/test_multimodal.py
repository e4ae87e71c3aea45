"""Conversations and preference pairs: every answer is what the labels say, every rejected one has exactly one error."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import datasets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amp_datasets.model import Annotation, Category, ImageFile, LabelSet, Sample
from amp_datasets.plugin.discovery import load_registry

SIZE = (200, 100)
CATEGORIES = (Category("cat"), Category("big dog"), Category("мышь"))


def sample(name: str, *annotations: Annotation, split: str = "train", labelled: bool = True) -> Sample:
    """An image that needs no file: only its name is written."""
    return Sample(name, ImageFile(Path(name)), SIZE, annotations, labelled, split)


def cat(x0: float = 20, y0: float = 10, x1: float = 60, y1: float = 50, name: str = "cat", **more: Any) -> Annotation:
    """A labelled object."""
    return Annotation(name, (x0, y0, x1, y1), **more)


def export(
    target: Path,
    *samples: Sample,
    exporter: str = "multimodal",
    categories: tuple[Category, ...] = CATEGORIES,
    **options: Any,
) -> dict[str, list[dict[str, Any]]]:
    """The rows that an exporter writes, by split."""
    kind = load_registry().exporter(exporter)
    target.mkdir(exist_ok=True)

    def place(_: Sample, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"picture")

    kind(target, kind.options_type(**options), place).write(LabelSet(categories, samples))
    files = sorted(target.glob("*.jsonl"))
    return {f.name.split(".")[0]: [json.loads(line) for line in f.read_text("utf-8").splitlines()] for f in files}


def question(row: dict[str, Any]) -> str:
    """What the user asks."""
    (user, _) = row["messages"]
    assert user["role"] == "user"
    assert user["content"][0] == {"type": "image"}
    return str(user["content"][1]["text"])


def answer(row: dict[str, Any]) -> str:
    """What the assistant answers."""
    assert row["messages"][1]["role"] == "assistant"
    return said(row["messages"][1:])


def said(messages: list[dict[str, Any]]) -> str:
    """The text of one assistant message."""
    (message,) = messages
    assert message["role"] == "assistant"
    (content,) = message["content"]
    return str(content["text"])


def boxes(text: str) -> list[tuple[str, list[int]]]:
    """The objects of a JSON answer, read without our code."""
    return [] if text == "none" else [(one["label"], one["bbox_2d"]) for one in json.loads(text)]


def iou(a: list[int], b: list[int]) -> float:
    """Overlap of two corner boxes, counted pixel by pixel."""
    first, second = ({(x, y) for x in range(c[0], c[2]) for y in range(c[1], c[3])} for c in (a, b))
    return len(first & second) / len(first | second)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [20, 10, 60, 50]),
        ({"order": "yxyx"}, [10, 20, 50, 60]),
        ({"coordinates": "thousand"}, [100, 100, 300, 500]),
        ({"coordinates": "thousand", "order": "yxyx"}, [100, 100, 500, 300]),
    ],
)
def test_detection_answers_are_the_labels_in_the_chosen_unit(
    tmp_path: Path, options: dict[str, str], expected: list[int]
) -> None:
    """And the question names unit and order."""
    rows = export(tmp_path, sample("a.jpg", cat()), task="detection", **options)["train"]
    assert boxes(answer(rows[0])) == [("cat", expected)]
    assert ("thousandths" in question(rows[0])) == ("coordinates" in options)
    assert ("[y_min" in question(rows[0])) == ("order" in options)
    assert all(category.name in question(rows[0]) for category in CATEGORIES)


def test_loc_answers_are_paligemmas(tmp_path: Path) -> None:
    """Four tokens in the order y, x, y, x, over 1023; its own fixed prompt."""
    two = sample("a.jpg", cat(), cat(0, 0, 200, 100, "big dog"))
    rows = export(tmp_path, two, task="detection", coordinates="loc")["train"]
    assert question(rows[0]) == "detect cat ; big dog ; мышь"
    assert answer(rows[0]) == (
        "<loc0000><loc0000><loc1023><loc1023> big dog ; <loc0102><loc0102><loc0512><loc0307> cat"
    )


def test_objects_are_answered_in_reading_order_whatever_the_order_of_labels(tmp_path: Path) -> None:
    """From top to bottom, then from left to right."""
    labels = [cat(90, 60, 99, 70), cat(50, 10, 60, 20), cat(10, 10, 20, 20)]
    forward = export(tmp_path / "a", sample("a.jpg", *labels), task="detection")
    backward = export(tmp_path / "b", sample("a.jpg", *reversed(labels)), task="detection")
    assert forward == backward
    assert [box[:2] for _, box in boxes(answer(forward["train"][0]))] == [[10, 10], [50, 10], [90, 60]]


def test_an_empty_image_answers_none_and_an_unlabelled_one_is_not_asked(tmp_path: Path) -> None:
    """Nothing is known of the latter."""
    rows = export(tmp_path, sample("empty.jpg"), sample("unknown.jpg", labelled=False))["train"]
    assert [answer(row) for row in rows] == ["none", "none"]
    assert {image for row in rows for image in row["images"]} == {"images/train/empty.jpg"}


def test_counts_are_the_labels(tmp_path: Path) -> None:
    """For every image the class that its question names is counted."""
    samples = [
        sample(f"{n}.jpg", *(cat(n + i, 1, 50, 50) for i in range(n % 4)), cat(1, 1, 9, 9, "big dog"))
        for n in range(30)
    ]
    rows = export(tmp_path, *samples, task="counting")["train"]
    asked = set()
    for row, one in zip(rows, samples, strict=True):
        (name,) = (c.name for c in CATEGORIES if c.name in question(row))
        count = sum(a.category == name for a in one.annotations)
        assert answer(row) == (str(count) if count else "none")
        asked.add(name)
    assert asked == {"cat", "big dog", "мышь"}


def test_a_class_with_a_crowd_is_not_asked_for(tmp_path: Path) -> None:
    """Nobody labelled its members: neither their number nor their boxes are known."""
    rows = export(tmp_path, sample("a.jpg", cat(), cat(1, 1, 99, 99, "big dog", iscrowd=True)))["train"]
    assert len(rows) == 2
    assert not any("big dog" in question(row) for row in rows)


def test_wording_varies_and_depends_on_the_image_alone(tmp_path: Path) -> None:
    """Adding images changes no line; several phrasings are in use."""
    few = [sample(f"{n}.jpg", cat()) for n in range(12)]
    before = export(tmp_path / "a", *few)["train"]
    after = export(tmp_path / "b", sample("0new.jpg"), *reversed(few))["train"]
    assert all(row in after for row in before)
    assert len({question(row) for row in before}) >= 5


def test_datasets_reads_the_lines(tmp_path: Path) -> None:
    """Both splits have the same types, also where one holds only empty images."""
    export(tmp_path, sample("a.jpg", cat()), sample("b.jpg", split="validation"))
    files = {split: str(tmp_path / f"{split}.jsonl") for split in ("train", "validation")}
    loaded = datasets.load_dataset("json", data_files=files, cache_dir=str(tmp_path / "cache"))
    assert loaded["train"].features == loaded["validation"].features
    assert [m["role"] for m in loaded["train"][0]["messages"]] == ["user", "assistant"]
    assert (tmp_path / loaded["train"][0]["images"][0]).is_file()


@st.composite
def _labels(draw: st.DrawFn) -> list[Annotation]:
    count = draw(st.integers(1, 4))
    boxes_ = []
    for _ in range(count):
        x0, y0 = draw(st.integers(0, 180)), draw(st.integers(0, 80))
        x1, y1 = draw(st.integers(x0 + 1, 200)), draw(st.integers(y0 + 1, 100))
        boxes_.append(cat(x0, y0, x1, y1, draw(st.sampled_from([c.name for c in CATEGORIES]))))
    return boxes_


@settings(max_examples=60, deadline=None)
@given(labels=_labels(), name=st.text(alphabet="abcdef", min_size=1, max_size=6))
def test_a_rejected_answer_has_exactly_the_stated_error(
    tmp_path_factory: pytest.TempPathFactory, labels: list[Annotation], name: str
) -> None:
    """Compared object by object with the chosen one, without our code."""
    target = tmp_path_factory.mktemp("pairs")
    (row,) = export(target, sample(f"{name}.jpg", *labels), exporter="preference")["train"]
    chosen, rejected = boxes(said(row["chosen"])), boxes(said(row["rejected"]))
    assert sorted(name for name, _ in chosen) == sorted(a.category for a in labels)
    if row["error"] == "missed object":
        assert len(rejected) == len(chosen) - 1
        assert all(rejected.count(one) <= chosen.count(one) for one in rejected)
        return
    ((right, wrong),) = [(a, b) for a, b in zip(chosen, rejected, strict=True) if a != b]
    if row["error"] == "wrong class":
        assert right[1] == wrong[1]
        assert right[0] != wrong[0]
        assert not any(n == wrong[0] and iou(box, wrong[1]) >= 0.5 for n, box in chosen)
    else:
        assert row["error"] == "moved box"
        assert right[0] == wrong[0]
        assert 0 <= wrong[1][0] < wrong[1][2] <= SIZE[0]
        assert 0 <= wrong[1][1] < wrong[1][3] <= SIZE[1]
        assert iou(right[1], wrong[1]) < 0.5
        stated = float(re.findall(r"[0-9.]+$", row["error_detail"])[0])
        assert stated == pytest.approx(iou(right[1], wrong[1]), abs=6e-4)


def test_all_errors_are_made_and_depend_on_the_image_alone(tmp_path: Path) -> None:
    """Twenty images show each of the three; adding one changes no line."""
    samples = [sample(f"{n}.jpg", cat(), cat(100, 20, 140, 60)) for n in range(20)]
    before = export(tmp_path / "a", *samples, exporter="preference")["train"]
    after = export(tmp_path / "b", sample("0new.jpg", cat()), *samples, exporter="preference")["train"]
    assert {row["error"] for row in before} == {"moved box", "wrong class", "missed object"}
    assert after[1:] == before


def test_one_class_cannot_be_wrong(tmp_path: Path) -> None:
    """A set of one class has no such error, and an image that allows none of the asked errors has no pair."""
    samples = [sample(f"{n}.jpg", cat()) for n in range(20)]
    rows = export(tmp_path / "a", *samples, exporter="preference", categories=CATEGORIES[:1])["train"]
    assert {row["error"] for row in rows} == {"moved box", "missed object"}
    only_wrong = {"exporter": "preference", "categories": CATEGORIES[:1], "errors": ("wrong class",)}
    assert export(tmp_path / "b", *samples, **only_wrong) == {}


def test_a_box_that_fills_the_image_cannot_be_moved(tmp_path: Path) -> None:
    """Another error is made instead."""
    samples = [sample(f"{n}.jpg", cat(0, 0, *SIZE)) for n in range(10)]
    rows = export(tmp_path, *samples, exporter="preference")["train"]
    assert len(rows) == 10
    assert {row["error"] for row in rows} == {"wrong class", "missed object"}


def test_empty_and_unlabelled_images_have_no_pair_and_are_counted_as_lost(tmp_path: Path) -> None:
    """They allow none of the three errors."""
    samples = [sample("a.jpg"), sample("b.jpg", labelled=False)]
    assert export(tmp_path, *samples, exporter="preference") == {}
    kind = load_registry().exporter("preference")
    losses = kind(tmp_path, kind.options_type(), lambda _, __: None).losses(samples)
    assert losses == {"empty": 1, "unlabelled": 1}


def test_datasets_reads_the_pairs(tmp_path: Path) -> None:
    """TRL's columns, one type in every split."""
    export(tmp_path, sample("a.jpg", cat()), sample("b.jpg", cat(), split="test"), exporter="preference")
    files = {split: str(tmp_path / f"{split}.preference.jsonl") for split in ("train", "test")}
    loaded = datasets.load_dataset("json", data_files=files, cache_dir=str(tmp_path / "cache"))
    assert loaded["train"].features == loaded["test"].features
    assert set(loaded["train"].column_names) >= {"prompt", "chosen", "rejected", "images", "error"}
