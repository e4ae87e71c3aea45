"""Images that would cost too much, or that the system does not give: a bound for each, and one rule."""

from __future__ import annotations

import errno
import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage
from small_builds import rebuild, write_manifest, write_set

import amp_datasets as amp
from amp_datasets.audit.api import audit_path
from amp_datasets.errors import AmpError, ImageError, UnreadableError
from amp_datasets.exchange.conversion import export
from amp_datasets.images import header as looking
from amp_datasets.images.codec import Limits, decode, read_header
from amp_datasets.images.header import header_of, probe
from amp_datasets.model import ImageFile
from amp_datasets.plugin.discovery import load_formats, load_registry


def webp(width: int, height: int) -> bytes:
    """The first bytes of a lossless WebP of any size."""
    bits = (width - 1) | (height - 1) << 14
    content = b"\x2f" + bits.to_bytes(4, "little") + bytes(40)
    chunk = b"VP8L" + len(content).to_bytes(4, "little") + content + bytes(len(content) % 2)
    return b"RIFF" + (len(chunk) + 4).to_bytes(4, "little") + b"WEBP" + chunk


def png(width: int, height: int) -> bytes:
    """A PNG that says any size, and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def tiff(width: int, height: int) -> bytes:
    """The directory of a TIFF of any size, float32."""
    tags = [
        (256, width),
        (257, height),
        (258, 32),
        (259, 1),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, height),
        (279, 4),
        (339, 3),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(8)


BOMBS = {"webp": webp(16383, 16383), "png": png(60000, 60000), "tiff": tiff(60000, 60000)}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_size_above_the_limit_is_refused_before_any_memory_is_taken(kind: str) -> None:
    """A kilobyte that unpacks to gigabytes costs nothing to refuse, quickly or carefully looked at."""
    for look in (read_header, header_of):
        with pytest.raises(ImageError, match="outside the limit"):
            look(BOMBS[kind], Limits())


def progressive(scans: int) -> bytes:
    """A progressive JPEG whose last scan is there many times over."""
    stream = io.BytesIO()
    PillowImage.effect_noise((64, 64), 50).convert("RGB").save(stream, "JPEG", progressive=True)
    data = stream.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * (scans - data.count(b"\xff\xda") + 1) + b"\xff\xd9"


def test_a_jpeg_of_thousands_of_scans_is_refused(tmp_path: Path) -> None:
    """Each scan goes over the whole image; what programs write has about ten."""
    plain = progressive(0)
    assert decode(plain, read_header(plain, Limits())).shape == (64, 64, 3)
    for look in (read_header, header_of):
        with pytest.raises(ImageError, match="5000 scans, more than the limit of 100"):
            look(progressive(5000), Limits())
    write_set(tmp_path / "set", 2)
    (tmp_path / "set" / "images" / "train" / "demo_001.jpg").write_bytes(progressive(5000))
    write_manifest(tmp_path / "amp.yaml", ["set"])
    report = rebuild(tmp_path)
    assert sum(loss.count for loss in report.dropped) == 1


MEMORY = """
import re, sys
import cv2, numpy as np, simplejpeg
from pathlib import Path
from amp_datasets.images.codec import Limits, decode, read_header

def kilobytes(name):
    return int(re.search(rf"{name}:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

data = open(sys.argv[1], "rb").read()
Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
base = kilobytes("VmRSS")
image = decode(data, read_header(data, Limits()))
print((kilobytes("VmHWM") - base) * 1024 / (image.shape[0] * image.shape[1]))
"""
SIDE = 3000


def large(kind: str) -> tuple[PillowImage.Image, dict[str, Any]]:
    """A flat image of nine million pixels, and how it is saved."""
    blank = np.zeros((SIDE, SIDE), np.uint8)
    of_type = {"16": PillowImage.fromarray(blank.astype(np.uint16)), "float": PillowImage.fromarray(blank.astype("f4"))}
    mode, _, file = kind.partition(" ")
    image = of_type.get(mode) or PillowImage.new(mode, (SIDE, SIDE))
    return image, {"format": file.split()[0], **({"progressive": True} if "progressive" in file else {})}


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
@pytest.mark.parametrize(
    ("kind", "most"),
    [
        ("RGB JPEG", 12), ("RGB JPEG progressive", 12), ("CMYK JPEG", 12), ("RGB PNG", 12), ("P PNG", 12),
        ("L PNG", 12), ("RGB WEBP", 12), ("RGB TIFF", 12), ("RGB BMP", 12), ("P GIF", 12), ("RGBA PNG", 12),
        ("RGBA WEBP", 18), ("RGBA TIFF", 12), ("LA PNG", 12), ("16 PNG", 18), ("16 TIFF", 18), ("float TIFF", 18),
        ("3 channels of 16", 18), ("4 channels of 16", 18),
    ],
)  # fmt: skip
def test_decoding_takes_no_more_memory_than_is_stated(tmp_path: Path, kind: str, most: int) -> None:
    """So many bytes a pixel at the peak, measured in a process of its own (see `Limits`)."""
    if kind.endswith("channels of 16"):
        cv2.imwrite(str(tmp_path / "a.png"), np.zeros((SIDE, SIDE, int(kind[0])), np.uint16))
        (tmp_path / "a.png").rename(tmp_path / "a")
    else:
        image, options = large(kind)
        image.save(tmp_path / "a", **options)
    done = subprocess.run([sys.executable, "-c", MEMORY, tmp_path / "a"], capture_output=True, text=True, check=True)
    assert 3 <= float(done.stdout) <= most


def refusing(name: str) -> Any:
    """`os.open` and `open` of a machine that does not give one file."""
    real = os.open

    def opened(path: Any, *args: Any, **more: Any) -> int:
        if str(path).endswith(name):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, *args, **more)

    return opened


def test_one_rule_for_files_that_the_system_does_not_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows what is in it: a build or an export does not start without it; `amp check` lists it."""
    write_set(tmp_path / "set", 3)
    write_manifest(tmp_path / "amp.yaml", ["set"])
    monkeypatch.setattr(looking.os, "open", refusing("demo_002.jpg"))
    with pytest.raises(UnreadableError, match="Permission denied") as caught:
        rebuild(tmp_path)
    assert "demo_002.jpg" in str(caught.value.where)
    assert not (tmp_path / "build").exists()
    with pytest.raises(UnreadableError):
        export(tmp_path / "set", "yolo", tmp_path / "out", load_formats())
    found = audit_path(tmp_path / "set", load_registry()).findings
    assert [(each.rule, each.file) for each in found if each.severity == "error"] == [
        ("AMP301", "images/train/demo_002.jpg")
    ]


def test_machine_limits_are_told_from_bad_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many open files, no memory: to be run again, with fewer workers."""
    for code in (errno.EMFILE, errno.ENOMEM):

        def short(*_args: Any, code: int = code, **_more: Any) -> int:
            raise OSError(code, os.strerror(code))

        with monkeypatch.context() as patch:
            patch.setattr(looking.os, "open", short)
            with pytest.raises(UnreadableError) as caught:
                probe(ImageFile(tmp_path / "a.png"), Limits())
        assert "-j" in str(caught.value.fix)


def test_an_image_too_large_for_one_filter_or_format_costs_that_variant(tmp_path: Path) -> None:
    """OpenCV remaps at most 32,766 pixels a side, JPEG holds 65,500, WebP 16,383: each is said, the rest is built."""
    (tmp_path / "set").mkdir()
    rows = ["filename,width,height,class,xmin,ymin,xmax,ymax"]
    for name, width in (("long", 33_000), ("longer", 66_000), ("short", 90)):
        pixels = np.random.default_rng(width).integers(0, 255, (24, width, 3), dtype=np.uint8)
        PillowImage.fromarray(pixels).save(tmp_path / "set" / f"{name}.png")
        rows.append(f"{name}.png,{width},24,cat,20,4,60,20")
    (tmp_path / "set" / "labels.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "amp.yaml").write_text("sources: [set]\nfilters: {flip: , elastic: , blur: }\n")
    made = {}
    for form in ("png", "jpeg", "webp"):
        out, settings = tmp_path / form, [f"encode.format={form}", "labels.min_difference=0"]
        report = amp.build(tmp_path / "amp.yaml", out=out, settings=settings, jobs=1)
        assert report.originals == 3
        assert {loss.reason for loss in report.refused_variants} == {"the image is too large for a filter or format"}
        told = "OpenCV resamples at most 32,766 pixels a side"
        assert form == "webp" or any(told in each for loss in report.refused_variants for each in loss.examples)
        made[form] = {file.stem for file in (out / "images").rglob("*__*")}
    assert made["png"] == {f"{n}__{f}" for n in ("long", "longer", "short") for f in ("flip", "blur")} | {
        "short__elastic"
    }
    assert made["jpeg"] == made["png"] - {"longer__flip", "longer__blur"}
    assert made["webp"] == {f"short__{f}" for f in ("flip", "blur", "elastic")}


def test_a_set_of_which_nothing_is_left_is_an_error(tmp_path: Path) -> None:
    """With the reason of each variant."""
    (tmp_path / "set").mkdir()
    PillowImage.new("RGB", (17_000, 24)).save(tmp_path / "set" / "long.png")
    (tmp_path / "set" / "labels.csv").write_text(
        "filename,width,height,class,xmin,ymin,xmax,ymax\nlong.png,17000,24,cat,20,4,60,20\n"
    )
    (tmp_path / "amp.yaml").write_text("sources: [set]\noriginals: false\nfilters: {flip: }\nencode: {format: webp}\n")
    with pytest.raises(AmpError, match="not one image could be made") as caught:
        amp.build(tmp_path / "amp.yaml", out=tmp_path / "build", settings=["labels.min_difference=0"], jobs=1)
    assert "WEBP cannot hold an image of 17000x24" in str(caught.value.fix)
