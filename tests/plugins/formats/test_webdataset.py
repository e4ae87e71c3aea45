"""WebDataset shards, read by the library of that name and by `datasets`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset
from small_builds import SIZE, tree

import amp_datasets as amp
from amp_datasets.demo.write import write_demo


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build in two splits."""
    home = tmp_path_factory.mktemp("webdataset")
    write_demo(home / "set", images=5, size=SIZE)
    recipe = f"name: small\nsources: [{home / 'set'}]\nsplits: {{train: 0.6, validation: 0.4}}\n"
    (home / "amp.yaml").write_text(f"{recipe}filters: {{flip: {{how: horizontal}}}}\n")
    amp.build(home / "amp.yaml", out=home / "build", jobs=1)
    return home / "build"


@pytest.fixture(scope="module")
def shards(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its export."""
    out = tmp_path_factory.mktemp("shards") / "out"
    amp.convert(build, to="webdataset", out=out)
    return out


def expected(build: Path) -> dict[str, dict[str, Any]]:
    """By split and the digest of an image: its boxes with the names of their classes."""
    found: dict[str, dict[str, Any]] = {}
    for split, rows in amp.load(build).items():
        names = rows.features["objects"]["category"].feature.names
        for image, objects in zip(rows.cast_column("image", amp_image())["image"], rows["objects"], strict=True):
            digest = hashlib.sha256(Path(image["path"]).read_bytes()).hexdigest()
            boxes = [(names[number], box) for number, box in zip(objects["category"], objects["bbox"], strict=True)]
            found.setdefault(split, {})[digest] = boxes
    return found


def amp_image() -> Any:
    """An Image that stays a path."""
    from datasets import Image

    return Image(decode=False)


def told(document: Any) -> list[tuple[str, list[float]]]:
    """The boxes of a JSON document."""
    objects = document["objects"]
    return list(zip(objects["category"], objects["bbox"], strict=True))


def same(boxes: Any, others: Any) -> bool:
    """Equal names, and numbers that are equal as float32."""
    pairs = list(zip(boxes, others, strict=True))
    return all(a[0] == b[0] and a[1] == pytest.approx(b[1], rel=1e-6) for a, b in pairs)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_its_own_library_reads_images_and_labels(build: Path, shards: Path) -> None:
    """Every image as its file, with its boxes."""
    webdataset = pytest.importorskip("webdataset")
    for split, images in expected(build).items():
        files = [str(path) for path in sorted(shards.glob(f"{split}-*.tar"))]
        found = list(webdataset.WebDataset(files, shardshuffle=False, empty_check=False))
        assert len(found) == len(images)
        for sample in found:
            document = json.loads(sample["json"])
            assert same(told(document), images[hashlib.sha256(sample["jpg"]).hexdigest()])


def test_datasets_reads_it_typed(build: Path, shards: Path, tmp_path: Path) -> None:
    """The folder as it is, with ClassLabels; and its tar files alone, by the name of the format."""
    images = expected(build)
    typed = load_dataset(str(shards), cache_dir=str(tmp_path))
    files = {split: str(shards / f"{split}-*.tar") for split in images}
    plain = load_dataset("webdataset", data_files=files, cache_dir=str(tmp_path))
    for split, wanted in images.items():
        names = typed[split].features["json"]["objects"]["category"].feature.names
        assert len(typed[split]) == len(plain[split]) == len(wanted)
        for row, other in zip(typed[split].cast_column("jpg", amp_image()), plain[split], strict=True):
            boxes = wanted[hashlib.sha256(row["jpg"]["bytes"]).hexdigest()]
            said = told(row["json"])
            assert same([(names[number], box) for number, box in said], boxes)
            assert same(told(other["json"]), boxes)
            assert other["jpg"].size == SIZE


def test_the_bytes_are_the_same_every_time(build: Path, shards: Path, tmp_path: Path) -> None:
    """No clock, user or folder is in them."""
    amp.convert(build, to="webdataset", out=tmp_path / "again")
    assert tree(tmp_path / "again") == tree(shards)


def test_shards_are_cut_by_size_and_keys_have_no_dots(tmp_path: Path) -> None:
    """A dot would end the key; every image is in one shard, and none is larger than asked for."""
    write_demo(tmp_path / "set", images=8, size=(1200, 900))
    document = json.loads((file := next((tmp_path / "set").rglob("*.json"))).read_text())
    image = document["images"][0]
    old = next((tmp_path / "set").rglob(Path(image["file_name"]).name))
    new = old.with_name("a.b c.v2.jpg")
    old.rename(new)
    image["file_name"] = image["file_name"].replace(old.name, new.name)
    file.write_text(json.dumps(document))
    amp.convert(tmp_path / "set", to="webdataset", out=tmp_path / "out", settings={"max_shard_mb": 1})
    tars = sorted((tmp_path / "out").glob("*.tar"))
    assert len(tars) > 1
    assert all(path.stat().st_size <= 1_000_000 + 2 * 10_240 for path in tars)
    rows = load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    keys = [key for split in rows.values() for key in split["__key__"]]
    assert len(set(keys)) == len(keys) == 8
    assert any(key.startswith("a_b") for key in keys)
