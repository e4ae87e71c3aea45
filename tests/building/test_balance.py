"""Balance: rare classes come up, common ones are not multiplied along, limits hold, bytes depend on nothing else."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from builders import write_files
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage
from small_builds import ledger, write_manifest, write_set

from amp_datasets.building.api import build
from amp_datasets.building.choosing.balance import Candidate, class_counts, extra_copies
from amp_datasets.building.inputs import Order
from amp_datasets.building.prepare import prepare
from amp_datasets.errors import ManifestError
from amp_datasets.ledger.verify import verify

MIX = "mixes: {{m: {{{copies}steps: [brightness: {{percent: [-40, 40]}}, noise: {{amount: [0.01, 0.1]}}]}}}}\n"


def images(seed: int, common: int = 200, rare: int = 10, both: int = 0) -> list[Candidate]:
    """Images of a common class, of a rare one, and some that show many common things and one rare."""
    draw = random.Random(seed)
    sets = [{"common": draw.randint(1, 3)} for _ in range(common)] + [{"rare": 2} for _ in range(rare)]
    sets += [{"common": 12, "rare": 1} for _ in range(both)]
    return [Candidate(f"image {n}", adds, 2, 9) for n, adds in enumerate(sets)]


def totals(candidates: list[Candidate], extra: list[int]) -> Counter[str]:
    """Labels of each class with so many copies more."""
    total: Counter[str] = Counter()
    for candidate, more in zip(candidates, extra, strict=True):
        total.update({name: n * (candidate.base + more) for name, n in candidate.adds.items()})
    return total


@given(st.integers(1, 12), st.integers(1, 4), st.integers(0, 2**32))
def test_one_to_twenty_becomes_less_than_one_to_four(rare: int, labels: int, seed: int) -> None:
    """To the median, with at most ten variants of any image, however the labels lie on the images."""
    draw = random.Random(seed)
    sets: list[dict[str, int]] = [{"rare": labels} for _ in range(rare)]
    left = 20 * rare * labels
    while left:
        sets.append({"common": min(left, draw.randint(1, 3))})
        left -= sets[-1]["common"]
    draw.shuffle(sets)
    candidates = [Candidate(f"image {n}", adds, 2, 9) for n, adds in enumerate(sets)]  # itself, one variant, nine more
    before = totals(candidates, [0] * len(candidates))
    assert before["common"] == 20 * before["rare"]
    extra = extra_copies(candidates, "median", 0)
    after = totals(candidates, extra)
    assert after["common"] / after["rare"] < 4
    assert max(extra) <= 9
    assert after["common"] == before["common"]


@pytest.mark.parametrize("only", ["", "only: {classes: [rare]}, "])
def test_a_set_of_one_to_twenty_is_balanced(only: str, tmp_path: Path) -> None:
    """The table of a dry run comes below one to four; no image has more variants than the limit says."""
    rows = [f"{n}.jpg,64,48,{'rare' if n < 3 else 'common'},5,6,25,36\n" for n in range(63)]
    head = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
    write_files(tmp_path, {"set/labels.csv": head + "".join(rows)})
    for n in range(63):
        PillowImage.new("RGB", (64, 48), (4 * n, 90, 200 - 3 * n)).save(tmp_path / "set" / f"{n}.jpg")
    tables = []
    for balance in ("", "balance: {to: median, limit: 10}\n"):
        write_manifest(tmp_path / "amp.yaml", ["set"], more=MIX.format(copies=only) + balance, splits="{train: 1.0}")
        tables.append(build(tmp_path / "amp.yaml", out=tmp_path / "build", dry_run=True).classes["train"])
    was, now = ({name: counts["labels"] for name, counts in table.items()} for table in tables)
    assert (was["common"] / was["rare"]) == pytest.approx(10 if only else 20)
    assert now["common"] / now["rare"] < 4
    assert now["common"] == was["common"]
    prepared = prepare(Order(tmp_path / "amp.yaml"))
    variants = [prepared.images_of(item)[1] for item in prepared.joined.items]
    assert max(variants) == 10


def test_images_full_of_common_things_are_not_multiplied() -> None:
    """Where images of the rare class alone suffice, those crowded with common things stay as they are."""
    candidates = images(1, common=40, rare=20, both=10)
    extra = extra_copies(candidates, 100, 0)
    assert sum(extra[-10:]) == 0
    assert totals(candidates, extra)["rare"] >= 100


@given(
    st.lists(
        st.tuples(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 5)), st.integers(1, 3), st.integers(0, 9)),
        max_size=12,
    ),
    st.sampled_from(["median", "max", 7]),
)
def test_room_and_order(drawn: list[tuple[dict[str, int], int, int]], to: object) -> None:
    """No image gets more than its room, and the order of the input does not matter."""
    candidates = [Candidate(f"i{n}", adds, base, room) for n, (adds, base, room) in enumerate(drawn)]
    extra = extra_copies(candidates, to, 3)  # type: ignore[arg-type]
    assert all(0 <= more <= c.room for more, c in zip(extra, candidates, strict=True))
    backwards = extra_copies(candidates[::-1], to, 3)  # type: ignore[arg-type]
    assert backwards[::-1] == extra


def test_counts_by_labels_and_by_images() -> None:
    """Three labels on one image that is there twice are six labels and two images."""
    assert class_counts([["a", "a", "a"], ["b"]], [2, 1], "labels") == {"a": 6, "b": 1}
    assert class_counts([["a", "a", "a"], ["b"]], [2, 1], "images") == {"a": 2, "b": 1}


def balanced(folder: Path, more: str, **options: object) -> Path:
    """A build of twelve drawn images."""
    write_set(folder / "set", 12)
    write_manifest(folder / "amp.yaml", ["set"], more=MIX.format(copies="") + more)
    build(folder / "amp.yaml", out=folder / "build", jobs=1, **options)  # type: ignore[arg-type]
    return folder / "build"


def test_a_balanced_build(tmp_path: Path) -> None:
    """Classes come closer, the limit holds, every image is made again, and those that were there are as they were."""
    plain = balanced(tmp_path / "plain", "")
    even = balanced(tmp_path / "even", "balance: {to: max, limit: 6}\n")

    def spread(folder: Path) -> float:
        found = Counter(a["category"] for row in ledger(folder) for a in json.loads(row["labels"] or "[]"))
        return max(found.values()) / min(found.values())

    assert spread(even) < spread(plain)
    copies = Counter(row["source_id"] for row in ledger(even) if row["spec"] == "m" and row["status"] == "made")
    assert 1 < max(copies.values()) <= 6
    assert verify(even, replay="all").findings == []
    was = {row["source_sha256"]: row["sha256"] for row in ledger(plain) if row["spec"] == "m"}
    now = {row["source_sha256"]: row["sha256"] for row in ledger(even) if row["variant"] == "m-1"}
    assert was == now


def test_a_dry_run_shows_the_classes(tmp_path: Path) -> None:
    """The table is that of the build, where nothing is refused and filters move nothing."""
    write_set(tmp_path / "set", 12)
    write_manifest(tmp_path / "amp.yaml", ["set"], more=MIX.format(copies="") + "balance: {to: max}\n")
    planned = build(tmp_path / "amp.yaml", out=tmp_path / "build", dry_run=True)
    assert not (tmp_path / "build").exists()
    made = build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)
    rows = [row for row in ledger(tmp_path / "build") if row["status"] == "made"]
    for split, classes in planned.classes.items():
        found = Counter(a["category"] for r in rows if r["split"] == split for a in json.loads(r["labels"]))
        assert {name: n["labels"] for name, n in classes.items()} == found
    assert planned.labels == made.labels
    assert any(line.startswith("labels in train: ") for line in planned.as_text())


@pytest.mark.parametrize(("originals", "copies"), [("true", 2), ("false", 3)])
def test_versions_count_as_roboflow_does(originals: str, copies: int, tmp_path: Path) -> None:
    """Three versions are the untouched image and two variants, or three variants."""
    write_set(tmp_path / "set", 2)
    more = MIX.format(copies="versions: 3, ") + f"originals: {originals}\n"
    write_manifest(tmp_path / "amp.yaml", ["set"], more=more)
    report = build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)
    assert (report.variants, report.originals + report.variants) == (2 * copies, 6)


@pytest.mark.parametrize(
    ("text", "told"),
    {
        "balance: {to: median}": "there is none: add `mixes:`",
        "balance: {to: mean}\nmixes: {m: [flip]}": "`balance.to`",
        "mixes: {m: {copies: 3, versions: 3, steps: [flip]}}": "say `copies`, or `versions`",
    }.items(),
)
def test_mistakes_are_told(text: str, told: str, tmp_path: Path) -> None:
    """In plain words."""
    write_set(tmp_path / "set", 1)
    write_manifest(tmp_path / "amp.yaml", ["set"], more=text + "\n")
    with pytest.raises(ManifestError) as caught:
        build(tmp_path / "amp.yaml", out=tmp_path / "build")
    assert told in str(caught.value)
