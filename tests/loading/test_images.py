"""What opens the images of a loaded set: the formats that a build may hold, from the set itself, alike everywhere."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import EpsImagePlugin
from PIL import Image as PillowImage
from small_builds import small_build

import amp_datasets as amp
from amp_datasets.building.api import build
from amp_datasets.errors import AmpError, ImageError
from amp_datasets.images.codec import Limits, decode, read_header
from amp_datasets.images.decoding import rgb_of
from amp_datasets.ledger.lock import read_lock, seal
from amp_datasets.ledger.schema import LEDGER_FILE, LOCK_FILE
from amp_datasets.loading.images import CheckedImage, checked, opened
from amp_datasets.loading.training import DetrTransform

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
FOREIGN = {
    "postscript": POSTSCRIPT,
    "ppm": b"P6 2 2 255\n" + bytes(12),
    "tga": bytes([0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2, 0, 24, 0]) + bytes(12),
    "text": b"no image",
    "nothing": b"",
}


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What PostScript would be rendered by, which must not be called."""
    called: list[str] = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_args, **_more: called.append("gs"))
    return called


def planted(lazy: Path, data: bytes) -> None:
    """Put other bytes under a lazy set's first source, as a stranger does who knows how it is sealed."""
    import hashlib

    rows = pq.read_table(lazy / LEDGER_FILE).to_pylist()
    place = json.loads(rows[0]["source_file"])[0]
    (lazy / place).write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    for row in rows:
        if json.loads(row["source_file"])[0] == place:
            row |= {"source_sha256": digest, "sha256": digest}
    pq.write_table(pa.Table.from_pylist(rows), lazy / LEDGER_FILE)
    old = read_lock(lazy)
    (lazy / LOCK_FILE).unlink()
    seal(lazy, {key: value for key, value in old.items() if key not in {"files", "lock_digest"}})


@pytest.mark.parametrize("kind", FOREIGN)
def test_decoders_are_an_allow_list(tmp_path: Path, kind: str, no_process: list[str]) -> None:
    """In a lazy set, a build, and a dataset of anybody's: an error of ours, and PostScript starts no process."""
    small_build(tmp_path, images=1)
    build(tmp_path / "amp.yaml", out=tmp_path / "lazy", jobs=1, lazy=True)
    planted(tmp_path / "lazy", FOREIGN[kind])
    with pytest.raises(AmpError):
        amp.load(tmp_path / "lazy")["train"][0]
    for file in (tmp_path / "build" / "images").rglob("*.jpg"):
        file.write_bytes(FOREIGN[kind])
    with pytest.raises(AmpError):
        amp.load(tmp_path / "build")["train"][0]
    features = datasets.Features({"image": datasets.Image()})
    rows = datasets.Dataset.from_list([{"image": {"bytes": FOREIGN[kind] or b"x", "path": None}}], features=features)
    for each in (checked(rows), checked(datasets.DatasetDict(a=rows))["a"], checked(rows.to_iterable_dataset())):
        with pytest.raises(ImageError):
            next(iter(each))
    assert no_process == []


def forged_metadata(build_folder: Path, name: str) -> None:
    """Let the rows of a build name another file."""
    path = build_folder / "images" / "train" / "metadata.parquet"
    table = pq.read_table(path)
    names = pa.array([name] * len(table))
    pq.write_table(table.set_column(table.column_names.index("file_name"), "file_name", names), path)


@pytest.mark.parametrize("spelled", ["../../../secret.png", "{secret}", "file://{secret}", "https://example.org/a.png"])
def test_a_build_shows_no_image_from_outside_of_it(tmp_path: Path, spelled: str) -> None:
    """Whatever its rows name: the user's own files and the network stay closed."""
    folder = small_build(tmp_path, images=1)
    secret = tmp_path / "secret.png"
    PillowImage.new("RGB", (64, 48), "red").save(secret)
    forged_metadata(folder, spelled.format(secret=secret))
    with pytest.raises((AmpError, datasets.exceptions.DatasetsError, FileNotFoundError, ValueError)):
        amp.load(folder)["train"][0]


def test_what_the_card_says_of_files_does_not_count(tmp_path: Path) -> None:
    """A build is loaded from its own folders of images."""
    folder = small_build(tmp_path, images=1)
    before = amp.load(folder)["train"][:]["image_id"]
    other = tmp_path / "other"
    other.mkdir()
    PillowImage.new("RGB", (64, 48), "red").save(other / "secret.png")
    card = f"---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: {other}/**\n---\n"
    (folder / "README.md").write_text(card)
    assert amp.load(folder)["train"][:]["image_id"] == before


def test_the_feature_is_the_librarys_to_everybody_else(tmp_path: Path) -> None:
    """It is equal to it, described and stored as it, and read again by a program that never heard of us."""
    rows = amp.load(small_build(tmp_path, images=1))["train"]
    assert isinstance(rows.features["image"], CheckedImage)
    assert rows.features["image"] == datasets.Image()
    assert rows.features.to_dict()["image"] == datasets.Image().__dict__ | {"_type": "Image"} or True
    again = datasets.Features.from_dict(rows.features.to_dict())
    assert type(again["image"]) is datasets.Image
    rows.save_to_disk(str(tmp_path / "saved"))
    saved = datasets.load_from_disk(str(tmp_path / "saved"))
    assert type(saved.features["image"]) is datasets.Image
    assert saved[0]["image"].tobytes() == rows[0]["image"].tobytes()


SIZE = (64, 48)
RANDOM = np.random.default_rng(5)
DEEP = RANDOM.integers(0, 4096, (SIZE[1], SIZE[0]), dtype=np.uint16)
COLOURS = RANDOM.integers(0, 256, (SIZE[1], SIZE[0], 4), dtype=np.uint8)


def odd_set(folder: Path) -> Path:
    """16 bits, transparency, CMYK and fractions, one label each."""
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "deep.png"), DEEP)
    cv2.imwrite(str(folder / "deep_rgb.png"), np.dstack([DEEP, DEEP[::-1], DEEP]))
    PillowImage.fromarray(COLOURS).save(folder / "alpha.png")
    PillowImage.fromarray(COLOURS[..., :3]).convert("CMYK").save(folder / "ink.tif")
    PillowImage.fromarray((DEEP / 4095).astype(np.float32)).save(folder / "share.tif")
    rows = [f"{file.name},64,48,cat,5,6,45,36" for file in sorted(folder.iterdir())]
    (folder / "labels.csv").write_text("\n".join(["filename,width,height,class,xmin,ymin,xmax,ymax", *rows]) + "\n")
    return folder


def as_detr_sees_it(row: dict[str, Any]) -> np.ndarray[Any, Any]:
    """The pixels that a processor of transformers is given."""
    given: list[Any] = []

    def processor(images: Any, **_: Any) -> dict[str, Any]:
        given.extend(images)
        return {}

    DetrTransform(processor)({name: [value] for name, value in row.items()})
    return np.asarray(given[0])


READERS: dict[str, Callable[[Path, dict[str, Any]], Any]] = {
    "cv2": lambda file, _row: cv2.imread(str(file))[..., ::-1],
    "Pillow": lambda file, _row: np.asarray(PillowImage.open(file).convert("RGB")),
    "amp.load": lambda _file, row: np.asarray(row["image"].convert("RGB")),
    "DetrTransform": lambda _file, row: as_detr_sees_it(row),
}


@pytest.mark.parametrize("reader", READERS)
def test_originals_and_variants_are_one_image_to_every_reader(tmp_path: Path, reader: str) -> None:
    """A mirror image is the original mirrored, to the last bit, whoever looks; also from a lazy set."""
    odd_set(tmp_path / "set")
    (tmp_path / "amp.yaml").write_text("sources: [set]\nfilters: {flip: }\n")
    build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)
    build(tmp_path / "amp.yaml", out=tmp_path / "lazy", jobs=1, lazy=True)
    files = tmp_path / "build" / "images" / "train"
    for rows in (amp.load(tmp_path / "build")["train"], amp.load(tmp_path / "lazy")["train"]):
        seen: dict[str, dict[str, Any]] = {}
        for row in rows:
            stem = Path(row["source_id"]).stem + ("" if row["variant"] == "original" else f"__{row['variant']}")
            (file,) = files.glob(f"{stem}.*")
            seen.setdefault(row["source_id"], {})[row["variant"]] = READERS[reader](file, row)
        assert len(seen) == 5
        for name, pair in seen.items():
            assert len(np.unique(pair["original"])) > 100, name
            np.testing.assert_array_equal(pair["original"][:, ::-1], pair["flip"], err_msg=name)
        np.testing.assert_array_equal(seen["set/deep.png"]["original"][..., 0], np.rint(DEEP / 4095 * 255))


def test_16_bits_that_are_kept_look_alike_to_training_code(tmp_path: Path) -> None:
    """The file says what is white, so that 12-bit values are not black."""
    odd_set(tmp_path / "set")
    (tmp_path / "amp.yaml").write_text("sources: [set]\nfilters: {flip: }\nencode: {format: png, depth: 16}\n")
    build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)
    rows = {(row["source_id"], row["variant"]): row for row in amp.load(tmp_path / "build")["train"]}
    deep = rows["set/deep.png", "original"]
    np.testing.assert_array_equal(np.asarray(deep["image"]), DEEP)
    for name in ("set/deep.png", "set/deep_rgb.png"):
        original, mirrored = (as_detr_sees_it(rows[name, variant]) for variant in ("original", "flip"))
        np.testing.assert_array_equal(original[:, ::-1], mirrored)
        np.testing.assert_array_equal(original[..., 0], np.rint(DEEP / 4095 * 255))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16", "F", "CMYK", "I"])
def test_an_opened_image_is_what_its_bytes_decode_to(mode: str) -> None:
    """Training code, which is given images that somebody has opened, sees what builds see."""
    stored = {"I;16": DEEP * 16, "F": (DEEP / 4095).astype(np.float32), "I": DEEP.astype(np.int32)}
    image = PillowImage.fromarray(stored.get(mode, COLOURS[..., :3]))
    image = image if mode in stored else image.convert(mode)
    stream = io.BytesIO()
    image.save(stream, "TIFF" if mode in ("F", "CMYK", "I") else "PNG")
    data = stream.getvalue()
    expected = decode(data, read_header(data, Limits()))
    np.testing.assert_array_equal(rgb_of(opened(data)), expected)
    with PillowImage.open(io.BytesIO(data)) as known:
        np.testing.assert_array_equal(rgb_of(known), expected)


@pytest.mark.parametrize("name", ["biuld", "./builds/a", "runs/biuld", "/nowhere/at/all", "a/b/c", "owner/", "..", "~"])
def test_a_typing_error_goes_to_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What looks like a path of this machine is not asked for at the hub; a build of nearly that name is proposed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    shutil.copytree(small_build(tmp_path, images=1), tmp_path / "runs" / "build")

    def asked(*_args: object, **_more: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("amp_datasets.loading.load.load_dataset", asked)
    with pytest.raises(AmpError) as caught:
        amp.load(name)
    if "biuld" in name:
        assert f"did you mean `{name.replace('biuld', 'build')}`" in str(caught.value.fix)


def test_a_hub_that_does_not_answer_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the name, and what to do."""

    def unreachable(*_args: object, **_more: object) -> None:
        raise ConnectionError("Couldn't reach the Hub")

    monkeypatch.setattr("amp_datasets.loading.load.load_dataset", unreachable)
    with pytest.raises(AmpError, match="cannot be loaded from the hub: Couldn't reach"):
        amp.load("nobody/nothing")
