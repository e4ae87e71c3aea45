"""Bad, odd and hostile input: it is used, or dropped and counted, or refused with an error of ours. Never more."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage
from small_builds import FILTERS, ledger, rebuild, write_manifest, write_set

from amp_datasets.building.api import build as build_from
from amp_datasets.demo.write import write_demo
from amp_datasets.errors import AmpError, ImageError, SourceError
from amp_datasets.formats.kit.reading import Reading
from amp_datasets.images.codec import Limits, decode, read_bytes, read_header
from amp_datasets.images.header import probe
from amp_datasets.ledger.verify import verify
from amp_datasets.manifest.load import load_manifest
from amp_datasets.model import ImageFile
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import open_folder

SIZE = (24, 16)
LIMITS = Limits()

RGB = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
ODD = {
    "grey JPEG": ("L", "JPEG"),
    "CMYK JPEG": ("CMYK", "JPEG"),
    "CMYK TIFF": ("CMYK", "TIFF"),
    "grey PNG": ("L", "PNG"),
    "1-bit PNG": ("1", "PNG"),
    "16-bit PNG": ("I;16", "PNG"),
    "16-bit TIFF": ("I;16", "TIFF"),
    "32-bit TIFF": ("I", "TIFF"),
    "float TIFF": ("F", "TIFF"),
    "palette PNG": ("P", "PNG"),
    "palette GIF": ("P", "GIF"),
    "palette BMP": ("P", "BMP"),
    "alpha PNG": ("RGBA", "PNG"),
    "grey alpha PNG": ("LA", "PNG"),
    "alpha WebP": ("RGBA", "WEBP"),
    "1-bit TIFF": ("1", "TIFF"),
}


def saved(image: PillowImage.Image, kind: str, **options: Any) -> bytes:
    """An image's file."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def left_and_right(mode: str = "RGB") -> PillowImage.Image:
    """Dark on the left, bright on the right, in any mode."""
    grey = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    grey[:, SIZE[0] // 2 :] = 255
    image = PillowImage.fromarray(grey)
    if mode == "I;16":
        return PillowImage.fromarray(grey.astype(np.uint16) * 257)
    if mode == "I":
        return PillowImage.fromarray(grey.astype(np.int32) * 257)
    if mode == "F":
        return PillowImage.fromarray(grey.astype(np.float32) / 255)
    return image.convert("RGB").convert(mode)


def is_left_and_right(data: bytes) -> bool:
    """Whether a file decodes to three channels, dark on the left and bright on the right."""
    image = decode(data, read_header(data, LIMITS))
    half = SIZE[0] // 2
    sides = image[:, : half - 4], image[:, half + 4 :]
    return image.shape == (SIZE[1], SIZE[0], 3) and sides[0].max() < 40 and sides[1].min() > 215


@pytest.mark.parametrize("kind", RGB)
def test_every_format_is_read(kind: str) -> None:
    """The usual case, by the careful reader."""
    data = saved(left_and_right(), kind)
    assert read_header(data, LIMITS).stored == SIZE
    assert is_left_and_right(data)


@pytest.mark.parametrize("name", ODD)
def test_odd_modes_become_rgb(name: str) -> None:
    """CMYK, 16 bit, floats, palettes, alpha and grey show what a viewer shows."""
    mode, kind = ODD[name]
    assert is_left_and_right(saved(left_and_right(mode), kind))


def test_what_is_transparent_is_white() -> None:
    """As on a page: a cut-out object stands on white, not on the colour that is hidden below."""
    image = PillowImage.new("RGBA", SIZE, (255, 0, 0, 0))
    data = saved(image, "PNG")
    assert (decode(data, read_header(data, LIMITS)) == 255).all()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_an_animation_the_first_frame_is_used(kind: str) -> None:
    """Labels are drawn on what a labelling tool shows."""
    other = PillowImage.new("RGB", SIZE, (0, 255, 0))
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    data = saved(left_and_right(), kind, save_all=True, append_images=[other, other], **options)
    assert is_left_and_right(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not an image at all",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"RIFF\x00\x00\x00\x00WEBP",
        b"BM",
        b"II*\x00",
        b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(64),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"P6 2 2 255\n" + bytes(12),
        b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
    ],
    ids=["empty", "text", "jpeg", "png", "gif", "webp", "bmp", "tiff", "heic", "postscript", "ppm", "svg"],
)
def test_what_is_no_image_of_ours_is_refused(data: bytes) -> None:
    """Whatever its name says; formats that run programs (PostScript) are not even tried."""
    with pytest.raises(ImageError):
        read_header(data, LIMITS)


def png_claiming(width: int, height: int, bits: int = 8, colour: int = 2) -> bytes:
    """A PNG of a few hundred bytes that says it is of any size."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100_000))), (b"IEND", b"")]
    framed = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


@pytest.mark.parametrize("size", [(50_000, 50_000), (2**31 - 1, 1), (1, 2**31 - 1), (2**31 - 1, 2**31 - 1), (0, 5)])
def test_a_decompression_bomb_is_refused_by_its_header(size: tuple[int, int], tmp_path: Path) -> None:
    """Before a single pixel is unpacked, by the careful reader and by the quick look alike."""
    data = png_claiming(*size)
    with pytest.raises(ImageError):
        read_header(data, LIMITS)
    (tmp_path / "bomb.png").write_bytes(data)
    with pytest.raises(ImageError):
        probe(ImageFile(tmp_path / "bomb.png"), LIMITS)


def test_a_jpeg_of_absurd_size_is_refused(tmp_path: Path) -> None:
    """65535x65535 is what its header can say."""
    data = bytearray(saved(left_and_right(), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    (tmp_path / "bomb.jpg").write_bytes(data)
    for look in (lambda: read_header(bytes(data), LIMITS), lambda: probe(ImageFile(tmp_path / "bomb.jpg"), LIMITS)):
        with pytest.raises(ImageError, match="outside the limit"):
            look()


def test_limits_can_be_set(tmp_path: Path) -> None:
    """An image within them is read, one byte or pixel more is not."""
    data = saved(left_and_right(), "PNG")
    (tmp_path / "a.png").write_bytes(data)
    file = ImageFile(tmp_path / "a.png")
    assert probe(file, Limits(len(data), SIZE[0] * SIZE[1])).stored == SIZE
    with pytest.raises(ImageError):
        probe(file, Limits(len(data), SIZE[0] * SIZE[1] - 1))
    with pytest.raises(SourceError, match="more than the limit"):
        read_bytes(file, Limits(len(data) - 1, 10**9))


@pytest.mark.parametrize("kind", RGB)
@settings(max_examples=60)
@given(data=st.data())
def test_damaged_images_are_decoded_or_refused(kind: str, data: st.DataObject) -> None:
    """Cut off, or with bytes changed: three channels of the header's size come out, or an ImageError."""
    content = bytearray(saved(left_and_right(), kind))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(content[: data.draw(st.integers(0, len(content)))])
    limits = Limits(max_pixels=2**20)
    try:
        header = read_header(damaged, limits)
        image = decode(damaged, header)
    except ImageError:
        return
    assert image.shape == (header.size[1], header.size[0], 3)
    assert image.dtype == np.uint8


CLIMBING = (
    "../outside.jpg",
    "/etc/passwd",
    "..\\outside.jpg",
    "a/../../outside.jpg",
    "C:\\outside.jpg",
    "~/outside.jpg",
)


@pytest.mark.parametrize("name", CLIMBING)
def test_a_label_file_cannot_reach_out_of_its_set(tmp_path: Path, name: str) -> None:
    """Whatever name it gives an image, only images below the set are used."""
    write_set(tmp_path / "set", 2)
    (tmp_path / "outside.jpg").write_bytes((tmp_path / "set" / "images" / "train" / "demo_001.jpg").read_bytes())
    path = tmp_path / "set" / "annotations" / "train.json"
    document = json.loads(path.read_text())
    document["images"][0]["file_name"] = name
    path.write_text(json.dumps(document))
    write_manifest(tmp_path / "amp.yaml", ["set"])
    rebuild(tmp_path)
    assert {row["source_id"] for row in ledger(tmp_path / "build")} == {"set/images/train/demo_002.jpg"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["amp.yaml", "build", "outside.jpg", "set"]


def test_an_archive_cannot_reach_out_of_itself(tmp_path: Path) -> None:
    """Members that climb are no part of the set, and nothing is unpacked anywhere."""
    write_set(tmp_path / "set", 1)
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in (tmp_path / "set").rglob("*.*"):
            archive.write(file, file.relative_to(tmp_path / "set"))
        for name in ("../climbed.jpg", "/absolute.jpg", "images/../../climbed.jpg"):
            archive.writestr(name, saved(left_and_right(), "JPEG"))
    write_manifest(tmp_path / "amp.yaml", ["set.zip"], unlabelled="empty")
    rebuild(tmp_path)
    assert not [row for row in ledger(tmp_path / "build") if "climbed" in row["file_name"] or "abs" in row["file_name"]]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["amp.yaml", "build", "set", "set.zip"]


def test_a_link_out_of_the_set_is_not_followed(tmp_path: Path) -> None:
    """Neither to a file nor to a folder."""
    write_set(tmp_path / "set", 1)
    write_set(tmp_path / "private", 1, seed=5)
    (tmp_path / "set" / "images" / "train" / "link.jpg").symlink_to(next((tmp_path / "private").rglob("*.jpg")))
    (tmp_path / "set" / "images" / "linked").symlink_to(tmp_path / "private")
    write_manifest(tmp_path / "amp.yaml", ["set"], unlabelled="empty")
    rebuild(tmp_path)
    assert {row["source_id"] for row in ledger(tmp_path / "build")} == {"set/images/train/demo_001.jpg"}


NASTY = (
    "line\u2028break",
    "<script>alert(1)</script>",
    "a|b",
    "`rm -rf`",
    "[x](javascript:1)",
    "---",
    "\u202egnirts",
    "# x",
)


def test_class_names_are_never_markup_or_syntax(tmp_path: Path) -> None:
    """HTML, Markdown, YAML and JSON in a name: every file stays what it is, and gives the name back."""
    write_set(tmp_path / "set", 3)
    path = tmp_path / "set" / "annotations" / "train.json"
    document = json.loads(path.read_text())
    kept = len(document["categories"])
    document["categories"] += [{"id": 100 + n, "name": name} for n, name in enumerate(NASTY)]
    path.write_text(json.dumps(document))
    write_manifest(tmp_path / "amp.yaml", ["set"])
    rebuild(tmp_path)
    build = tmp_path / "build"
    names = yaml.safe_load((build / "data.yaml").read_text())["names"]
    shown = [name for name in NASTY if name.isprintable()]  # those that are not are refused where they come in
    assert list(names.values())[kept:] == shown
    coco = json.loads((build / "annotations" / "train.json").read_text())
    assert [c["name"] for c in coco["categories"]][kept:] == shown
    card = (build / "README.md").read_text()
    assert "<script>" not in card
    assert yaml.safe_load(card.split("---\n")[1])["configs"]
    assert verify(build).findings == []


@pytest.mark.parametrize("name", ["two\nlines", "tab\there", "", " ", "x" * 201, "\ud800", "nul\x00"])
def test_class_names_that_cannot_be_are_refused(tmp_path: Path, name: str) -> None:
    """Control characters, half characters, nothing, a whole page: the class is dropped and counted."""
    write_set(tmp_path / "set", 1)
    path = tmp_path / "set" / "annotations" / "train.json"
    document = json.loads(path.read_text())
    document["categories"].append({"id": 99, "name": name})
    path.write_text(json.dumps(document))
    write_manifest(tmp_path / "amp.yaml", ["set"])
    report = rebuild(tmp_path)
    assert "category cannot be read" in {loss.reason for loss in report.dropped}
    assert verify(tmp_path / "build").findings == []


@pytest.mark.parametrize("value", [10**30, -(10**30), "9" * 4000, 1.5, None, [], True])
def test_ids_may_be_anything(tmp_path: Path, value: object) -> None:
    """10^30 is an id like another; what is no id is counted."""
    write_set(tmp_path / "set", 2)
    path = tmp_path / "set" / "annotations" / "train.json"
    document = json.loads(path.read_text())
    for entry in document["images"]:
        if entry["id"] == 1:
            entry["id"] = value
    for entry in document["annotations"]:
        if entry["image_id"] == 1:
            entry["image_id"] = value
    path.write_text(json.dumps(document))
    write_manifest(tmp_path / "amp.yaml", ["set"])
    report = rebuild(tmp_path)
    assert report.originals + sum(loss.count for loss in report.dropped) >= 2
    assert verify(tmp_path / "build").findings == []


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\nb: *a\n",
        "a: &a ['lol']\nb: &b [*a, *a]\nc: &c [*b, *b]\n",
        "name: !!python/object/apply:os.system ['touch pwned']\n",
        "name: !include /etc/passwd\n",
        "<<: {name: x}\n",
        "name: x\nname: y\n",
        "? [a, b]\n: c\n",
        "[" * 20_000,
        "{a: " * 5_000,
        "- " * 20_000,
        "name: \x00\n",
        "name: 2026-99-99\n",
        "seed: 1e999\n",
        f"seed: {'9' * 5000}\n",
        "x" * (2**20 + 1),
        "sources: [" + "a, " * 1000,
        "%YAML 9.9\n---\nname: x\n",
        "--- a\n--- b\n",
    ],
)
def test_a_hostile_manifest_is_an_error_of_ours(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bombs, tags, depth and syntax: refused with the place, nothing runs, nothing is written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "amp.yaml").write_text(text)
    with pytest.raises(AmpError):
        build_from(tmp_path / "amp.yaml", out=tmp_path / "build")
    assert [path.name for path in tmp_path.iterdir()] == ["amp.yaml"]


LAUGHS = "".join(f"  - &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in pairwise("abcdefghij"))


@pytest.mark.parametrize(
    "text",
    [
        f"train: images\nval: images\nnames: [x]\nbomb:\n  - &a [x]\n{LAUGHS}nc: *j\n",
        "train: images\nval: images\nnames:\n  0: " + "[" * 100_000,
        "train: images\nval: images\nnames: " + "{a: " * 50_000,
    ],
    ids=["aliases", "depth", "maps"],
)
def test_a_bomb_in_the_trainers_yaml_is_refused(tmp_path: Path, text: str) -> None:
    """Ten aliases of ten aliases make ten billion words of a kilobyte; depth costs its square."""
    write_set(tmp_path / "set", 1)
    (tmp_path / "set" / "data.yaml").write_text(text)
    folder = open_folder(tmp_path / "set")
    plugin = load_registry().source("yolo")
    assert plugin.detect(folder) is not None
    with pytest.raises(SourceError, match=r"nested too deeply|no anchors, aliases or tags"):
        plugin(folder, plugin.options_type(), Reading(folder)).read()


def damaged(content: bytes, draw: Callable[[st.SearchStrategy[Any]], Any]) -> bytes:
    """A file with bytes changed, put in, taken out, or cut off."""
    result = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(result)))
        end = min(len(result), at + draw(st.integers(0, 12)))
        result[at:end] = draw(st.sampled_from(TOKENS) | st.binary(max_size=8))
    return bytes(result[: draw(st.integers(0, len(result)))] if draw(st.booleans()) else result)


TOKENS = [
    b"null",
    b"[]",
    b"{}",
    b'"',
    b"1e999",
    b"NaN",
    b"-1",
    b"9" * 31,
    b"[" * 2000,
    b"\xff",
    b"<",
    b"\n",
    b"&x",
    b"0",
]


@pytest.mark.parametrize("name", sorted(load_registry().sources))
def test_damaged_sets_are_read_or_refused(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every reader there is, over its own valid files with damage: a set comes out, or an error of ours."""
    folder = tmp_path_factory.mktemp(name) / "set"
    layout = name if name in load_registry().exporters else "coco"
    write_demo(folder, images=2, size=(64, 48), layout=layout)
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix != ".jpg")
    plugin = load_registry().source(name)

    @settings(max_examples=100, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def read(data: st.DataObject) -> None:
        file = data.draw(st.sampled_from(files))
        whole = file.read_bytes()
        try:
            file.write_bytes(damaged(whole, data.draw))
            found = open_folder(folder)
            plugin.detect(found)
            labels = plugin(found, plugin.options_type(), Reading(found, LIMITS)).read()
            assert len(list(labels.samples)) <= 2
        except AmpError:
            pass
        finally:
            file.write_bytes(whole)

    read()


@settings(max_examples=60)
@given(st.data())
def test_damaged_manifests_are_read_or_refused(data: st.DataObject) -> None:
    """The whole way from bytes to a checked manifest."""
    text = b"name: small\nseed: 3\nsources: [set]\nclasses: [a, {b: [c]}]\nsplits: {train: 0.8, test: 0.2}\n"
    text += FILTERS.encode() + b"labels: {min_visibility: 0.4}\nexports: [yolo, coco]\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "amp.yaml"
        path.write_bytes(damaged(text, data.draw))
        with contextlib.suppress(AmpError):
            load_manifest(path, load_registry())
