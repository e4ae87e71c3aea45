"""Colour modes: whatever a source's file holds, originals and variants are the same image to every reader."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageOps
from small_builds import ledger

from amp_datasets.building.api import build
from amp_datasets.building.report import BuildReport
from amp_datasets.images.codec import Limits, decode, read_header
from amp_datasets.images.decoding import range_of, to_8_bits
from amp_datasets.images.header import probe
from amp_datasets.images.kinds import DEEP, FLAT, FRAMES, INKS, PROFILE
from amp_datasets.model import ImageFile

SIZE = (64, 48)
RANDOM = np.random.default_rng(3)
GREY = RANDOM.integers(0, 256, (SIZE[1], SIZE[0]), dtype=np.uint8)
RGB = RANDOM.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
ALPHA = RANDOM.choice(np.array([0, 90, 255], np.uint8), (SIZE[1], SIZE[0]))
DEEP_GREY = RANDOM.integers(0, 4096, (SIZE[1], SIZE[0]), dtype=np.uint16)
DEEP_RGB = RANDOM.integers(0, 4096, (SIZE[1], SIZE[0], 3), dtype=np.uint16)
SCALED = np.rint(DEEP_RGB / 4095 * 255)


def saved(pixels: NDArray[Any] | PillowImage.Image, kind: str, **options: Any) -> bytes:
    """A file's bytes by Pillow."""
    image = pixels if isinstance(pixels, PillowImage.Image) else PillowImage.fromarray(pixels)
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def by_opencv(suffix: str, pixels: NDArray[Any]) -> bytes:
    """A file's bytes by OpenCV, which writes 16-bit colours."""
    return cv2.imencode(suffix, pixels[..., ::-1] if pixels.ndim == 3 else pixels)[1].tobytes()


def on_white(colours: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What a viewer shows of a transparent image on white paper."""
    share = alpha[..., None] / 255
    return np.asarray(colours * share + 255 * (1 - share))


def three(plane: NDArray[Any]) -> NDArray[np.float64]:
    """One channel as three."""
    return np.repeat(np.asarray(plane, np.float64)[..., None], 3, axis=2)


KEYED = GREY == GREY[0, 0]  # noqa: SIM300
PALETTE = PillowImage.fromarray(RGB).quantize(40)
CMYK = PillowImage.fromarray(RGB).convert("CMYK")
SOURCES: dict[str, tuple[bytes, Any, set[str]]] = {
    "grey.png": (saved(GREY, "PNG"), three(GREY), set()),
    "rgb.png": (saved(RGB, "PNG"), RGB, set()),
    "rgb.bmp": (saved(RGB, "BMP"), RGB, set()),
    "rgb.tif": (saved(RGB, "TIFF"), RGB, set()),
    "palette.png": (saved(PALETTE, "PNG"), np.asarray(PALETTE.convert("RGB")), set()),
    "bits.png": (saved(PillowImage.fromarray(GREY).convert("1"), "PNG"), None, set()),
    "lossless.webp": (saved(RGB, "WEBP", lossless=True), RGB, set()),
    "lossy.webp": (saved(RGB, "WEBP"), None, set()),
    "plain.jpg": (saved(RGB, "JPEG"), None, set()),
    "rgba.png": (saved(np.dstack([RGB, ALPHA]), "PNG"), on_white(RGB, ALPHA), {FLAT}),
    "rgba.webp": (saved(np.dstack([RGB, ALPHA]), "WEBP", lossless=True, exact=True), on_white(RGB, ALPHA), {FLAT}),
    "rgba.tif": (saved(np.dstack([RGB, ALPHA]), "TIFF"), on_white(RGB, ALPHA), {FLAT}),
    "la.png": (saved(np.dstack([GREY, ALPHA]), "PNG"), on_white(three(GREY).astype(np.uint8), ALPHA), {FLAT}),
    "key.png": (saved(GREY, "PNG", transparency=int(GREY[0, 0])), three(np.where(KEYED, 255, GREY)), {FLAT}),
    "cmyk.jpg": (saved(CMYK, "JPEG", quality=98), None, {INKS}),
    "cmyk.tif": (saved(CMYK, "TIFF"), np.asarray(CMYK.convert("RGB")), {INKS}),
    "deep.png": (by_opencv(".png", DEEP_GREY), three(np.rint(DEEP_GREY / 4095 * 255)), {DEEP}),
    "deep.tif": (saved(DEEP_GREY, "TIFF"), three(np.rint(DEEP_GREY / 4095 * 255)), {DEEP}),
    "deep rgb.png": (by_opencv(".png", DEEP_RGB), SCALED, {DEEP}),
    "deep rgb.tif": (by_opencv(".tiff", DEEP_RGB), SCALED, {DEEP}),
    "float.tif": (saved((GREY / 255).astype(np.float32), "TIFF"), three(GREY), {DEEP}),
    "pages.tif": (saved(RGB, "TIFF", save_all=True, append_images=[PillowImage.new("RGB", SIZE)]), RGB, {FRAMES}),
    "anim.webp": (
        saved(RGB, "WEBP", save_all=True, append_images=[PillowImage.new("RGB", SIZE)], lossless=True), RGB, {FRAMES}
    ),
    "profile.png": (saved(RGB, "PNG", icc_profile=b"\0" * 200), RGB, {PROFILE}),
    "profile.jpg": (saved(RGB, "JPEG", icc_profile=b"\0" * 200), None, {PROFILE}),
}  # fmt: skip
"""Files, the 8-bit RGB that is right (None: whatever Pillow decodes), and what of them is said to be lost."""


def build_of(folder: Path, names: list[str], **encode: Any) -> BuildReport:
    """Build some of the files above, with a mirror image of each."""
    (folder / "set").mkdir(parents=True)
    rows = ["filename,width,height,class,xmin,ymin,xmax,ymax"]
    for name in names:
        (folder / "set" / name).write_bytes(SOURCES[name][0])
        rows.append(f"{name},{SIZE[0]},{SIZE[1]},cat,5,6,45,36")
    (folder / "set" / "labels.csv").write_text("\n".join(rows) + "\n")
    manifest = folder / "amp.yaml"
    settings = ", ".join(f"{key}: {value}" for key, value in encode.items())
    manifest.write_text(f"sources: [set]\nfilters: {{flip: , brightness: }}\nencode: {{{settings}}}\n")
    return build(manifest, out=folder / "build", jobs=1)


@pytest.mark.parametrize("name", SOURCES)
def test_the_decoder_gives_the_right_8_bit_rgb(name: str) -> None:
    """Scaled by the set's range, on white, converted: within a level of the truth, which no code of ours made."""
    data, truth, _ = SOURCES[name]
    header = read_header(data, Limits())
    if truth is None:
        truth = np.asarray(PillowImage.open(io.BytesIO(data)).convert("RGB"))
    found = decode(data, header, values=None if header.is_float or header.depth == 8 else (0, 4095))
    assert found.shape == (SIZE[1], SIZE[0], 3)
    assert np.abs(found - truth.astype(np.float64)).max() <= 1
    assert probe(ImageFile(Path(name), data=data), Limits()) == header


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "L", "I;16", "RGBA"])
def test_an_exif_tag_turns_every_kind_of_image(kind: str, mode: str, orientation: int) -> None:
    """As Pillow turns it; the header's size is that of the upright image."""
    if (mode in ("I;16", "RGBA") and kind == "JPEG") or (mode in ("I;16", "L") and kind == "WEBP"):
        pytest.skip("no such file")
    pixels = {"RGB": RGB, "L": GREY, "I;16": DEEP_GREY, "RGBA": np.dstack([RGB, ALPHA])}[mode]
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    data = saved(pixels, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    header = read_header(data, Limits())
    upright = ImageOps.exif_transpose(PillowImage.open(io.BytesIO(data)))
    assert header.size == upright.size
    if mode == "I;16":
        np.testing.assert_array_equal(
            decode(data, header, values=(0, 4095)), three(np.rint(np.asarray(upright) / 4095 * 255))
        )
    else:
        paper = PillowImage.new("RGBA", upright.size, "white")
        expected = PillowImage.alpha_composite(paper, upright.convert("RGBA")).convert("RGB")
        np.testing.assert_array_equal(decode(data, header), np.asarray(expected))


def test_every_reader_sees_the_same_originals_and_variants(tmp_path: Path) -> None:
    """Pillow and OpenCV agree about each file of a build to the last bit, and a lossless original about its variant."""
    report = build_of(tmp_path, list(SOURCES))
    assert {(loss.reason, loss.count) for loss in report.converted} == {
        (reason, sum(reason in lost for *_, lost in SOURCES.values())) for reason in (DEEP, FLAT, INKS, FRAMES, PROFILE)
    }
    originals, flipped = {}, {}
    for row in ledger(tmp_path / "build"):
        if row["spec"] == "brightness":
            continue
        file = tmp_path / "build" / "images" / "train" / row["file_name"]
        data = file.read_bytes()
        with PillowImage.open(file) as image:
            pixels = np.asarray(image.convert("RGB"))
        np.testing.assert_array_equal(pixels, cv2.imread(str(file))[..., ::-1], err_msg=file.name)
        np.testing.assert_array_equal(pixels, decode(data, read_header(data, Limits())), err_msg=file.name)
        (originals if row["spec"] == "original" else flipped)[row["source_id"]] = pixels
        copied, lost = not row["encoding"], SOURCES[row["source_id"].removeprefix("set/")][2]
        if row["spec"] == "original":
            assert copied == (not lost - {PROFILE} or row["source_id"].endswith("anim.webp"))
            assert copied == (data == SOURCES[row["source_id"].removeprefix("set/")][0])
            assert (row["detail"] == "") == copied
    for name, pixels in originals.items():
        if not name.endswith(("jpg", "lossy.webp")):
            np.testing.assert_array_equal(pixels[:, ::-1], flipped[name], err_msg=name)


def test_deep_images_are_scaled_by_the_range_of_their_set(tmp_path: Path) -> None:
    """12 bits by 4095 where nothing uses more; what is declared goes before what is measured."""
    report = build_of(tmp_path / "measured", ["deep.png", "float.tif"])
    (loss,) = report.converted
    assert loss.examples == ("set/deep.png: black is 0, white 4095", "set/float.tif: black is 0, white 1")
    folder = tmp_path / "measured"
    sources = "sources=[{path: %s, values: [1000, 3000]}]" % (folder / "set")
    build(folder / "amp.yaml", out=tmp_path / "declared", jobs=1, settings=[sources])
    found = cv2.imread(str(tmp_path / "declared" / "images" / "train" / "deep.png"))[..., 0]
    wanted = np.clip(np.rint((DEEP_GREY - 1000.0) / 2000 * 255), 0, 255)
    np.testing.assert_array_equal(found, wanted)


@given(st.lists(st.integers(0, 65535), min_size=1), st.lists(st.integers(0, 65535)))
def test_white_is_the_largest_number_of_the_bits_in_use(one: list[int], more: list[int]) -> None:
    """So one image more changes nothing unless it needs another bit; and every value keeps its place in the order."""
    low, high = range_of([(min(one), max(one))], is_float=False)
    assert low == 0
    assert high >= max(255, *one)
    assert int(high) & (int(high) + 1) == 0
    wider = range_of([(min(one), max(one)), (min(more, default=0), max(more, default=0))], is_float=False)
    assert (wider[1] == high) == (max(more, default=0) <= high)
    values = np.array(sorted(one), np.uint16)
    np.testing.assert_array_equal(to_8_bits(values, (low, high)), np.rint(values * (255 / high)))


@pytest.mark.parametrize("extreme", [(-5.0, 9.0), (0.0, 0.25), (0.0, 200.0), (0.0, 1e6), (-1.0, -1.0), (7.0, 7.0)])
def test_fractions_have_a_range_that_can_be_told(extreme: tuple[float, float]) -> None:
    """0 to 1, 0 to 255, as many bits as needed, or from the smallest to the largest where there are negative values."""
    low, high = range_of([extreme], is_float=True)
    assert low <= extreme[0]
    assert max(extreme[1], low + 1e-9) <= high
    values = np.array([[extreme[0], extreme[1], np.nan, np.inf]], np.float32)
    assert to_8_bits(values, (low, high))[0, 2:].tolist() == [0, 0]  # what is no number is black


def test_16_bits_are_kept_where_asked_for(tmp_path: Path) -> None:
    """Values as stored, through what moves and hides pixels; other filters refuse; the file says what white is."""
    names = ["deep.png", "deep rgb.png", "deep.tif", "rgb.png"]
    report = build_of(tmp_path, names, format="png", depth=16)
    assert report.converted == []
    assert [(loss.reason, loss.count) for loss in report.refused_variants] == [("`brightness` works on 8 bits only", 3)]
    images = tmp_path / "build" / "images" / "train"
    made = {row["file_name"]: row for row in ledger(tmp_path / "build") if row["status"] == "made"}
    for name, row in made.items():
        source = row["source_id"].removeprefix("set/")
        found = cv2.imread(str(images / name), cv2.IMREAD_UNCHANGED)
        truth = {"deep.png": DEEP_GREY, "deep.tif": DEEP_GREY, "deep rgb.png": DEEP_RGB[..., ::-1]}.get(source)
        if truth is None:
            assert found.dtype == np.uint8
            continue
        assert found.dtype == np.uint16
        np.testing.assert_array_equal(found if row["spec"] == "original" else found[:, ::-1], truth)
        with PillowImage.open(images / name) as image:
            assert image.info["amp-values"] == "0 4095"


def test_transparency_is_kept_where_asked_for(tmp_path: Path) -> None:
    """By PNG and WebP: the mirror image of a transparent image is exact where anything can be seen."""
    report = build_of(tmp_path, ["rgba.png", "rgba.webp", "la.png", "rgba.tif"], alpha="keep")
    assert [(loss.reason, loss.count) for loss in report.converted] == [(FLAT, 1)]  # TIFF does not
    images = tmp_path / "build" / "images" / "train"
    for row in ledger(tmp_path / "build"):
        with PillowImage.open(images / row["file_name"]) as image:
            assert ("A" in image.mode) == (not row["source_id"].endswith("tif")), row["file_name"]
            pixels = np.asarray(image.convert("RGBA"))
        if row["spec"] == "flip" and not row["source_id"].endswith("tif"):
            np.testing.assert_array_equal(pixels[:, ::-1, 3], ALPHA)
            truth = three(GREY) if "la" in row["source_id"] else RGB
            np.testing.assert_array_equal(pixels[:, ::-1, :3][ALPHA > 0], truth[ALPHA > 0])


def test_a_lossless_webp_stays_lossless(tmp_path: Path) -> None:
    """Its mirror image is exact; that of a lossy one is lossy, as a JPEG's is."""
    build_of(tmp_path, ["lossless.webp", "lossy.webp"])
    images = tmp_path / "build" / "images" / "train"
    with PillowImage.open(images / "lossless__flip.webp") as image:
        np.testing.assert_array_equal(np.asarray(image)[:, ::-1], RGB)
    assert b"VP8L" in (images / "lossless__flip.webp").read_bytes()[:40]
    assert b"VP8 " in (images / "lossy__flip.webp").read_bytes()[:40]
