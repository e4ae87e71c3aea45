"""What a file may cost: each at its limit stays below 1.5 GB and 30 s, and one beyond it is refused at once."""

from __future__ import annotations

import base64
import io
import json
import resource
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from heavy_sets import COCO, MIB, write_heavy
from PIL import Image
from small_builds import rebuild, write_manifest

import amp_datasets as amp
from amp_datasets.errors import AmpError, SourceError
from amp_datasets.formats.kit.parsing import MAX_JSON_WEIGHT, MAX_TABLE_ROWS, refuse_heavy_json, refuse_long_table
from amp_datasets.formats.kit.report import MAX_LABELS, MAX_NOTES
from amp_datasets.storage.folder import MAX_BYTES_VARIABLE, MAX_IMAGE_LABEL_BYTES, MAX_LABEL_BYTES

READ = """
import json, re, resource, sys
from pathlib import Path
from amp_datasets.errors import AmpError
from amp_datasets.images.codec import Limits
from amp_datasets.manifest.model import SourceSettings
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.sources.open import read_source
said = ""
try:
    labels, _ = read_source(SourceSettings(path=sys.argv[1]), load_registry(), Limits())
    said = f"{sum(len(sample.annotations) for sample in labels.samples)} labels, {len(labels.dropped)} dropped"
except AmpError as error:
    said = str(error)
used = resource.getrusage(resource.RUSAGE_SELF)
peak = int(re.search(r"VmHWM:\\s+([0-9]+) kB", Path("/proc/self/status").read_text())[1])
print(json.dumps({"said": said, "kilobytes": peak, "seconds": used.ru_utime + used.ru_stime}))
"""
MOST_KILOBYTES = 1.5e6
MOST_SECONDS = 60.0
"""Of the processor, on a busy machine; alone, none of these takes 30."""


def read(folder: Path) -> dict[str, Any]:
    """Read a set in a process of its own: what came out, its peak of memory, its time of the processor.

    The peak is the kernel's VmHWM: ru_maxrss begins with that of the process that starts another, here the tests'.
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READ, folder], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


AT_THE_LIMIT = {
    "COCO boxes": 30 * MIB,
    "COCO outlines": 35 * MIB,
    "COCO one outline": 41 * MIB,
    "COCO classes": 3 * MIB,
    "COCO lists": 11 * MIB,
    "COCO maps": 7 * MIB,
    "Label Studio": 48 * MIB,
    "CVAT": 20 * MIB,
    "XML nodes": 10 * MIB,
    "CSV": 14 * MIB,
    "OpenImages": 19 * MIB,
    "YOLO": MAX_IMAGE_LABEL_BYTES - MIB // 8,
    "YOLO damaged": MAX_IMAGE_LABEL_BYTES - MIB // 8,
    "class list": MIB // 4 - 1000,
}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("kind", AT_THE_LIMIT)
def test_a_file_at_its_limit_costs_no_more_than_is_stated(tmp_path: Path, kind: str) -> None:
    """1.5 GB and 30 s, the program itself included: the densest input of each kind that is just let in."""
    found = read(write_heavy(tmp_path / "set", kind, AT_THE_LIMIT[kind]))
    assert found["kilobytes"] < MOST_KILOBYTES, found
    assert found["seconds"] < MOST_SECONDS, found


BEYOND = {
    "COCO boxes": (MAX_LABEL_BYTES + MIB, "more than the limit of 134217728"),
    "COCO maps": (9 * MIB, "more than the limit of 400 MiB"),
    "XML nodes": (14 * MIB, "more than the limit of 640 MiB"),
    "CSV": (20 * MIB, "more than the limit of 500000"),
    "YOLO": (MAX_IMAGE_LABEL_BYTES + MIB, "more than the limit of 4194304"),
    "class list": (MIB, "more than the limit of"),
}


@pytest.mark.parametrize("kind", BEYOND)
def test_a_file_beyond_its_limit_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    """Before it is parsed, by name, with what to do."""
    size, told = BEYOND[kind]
    folder = write_heavy(tmp_path / "set", kind, size)
    with pytest.raises(AmpError, match=told) as error:
        list(amp.read(folder).samples)
    assert error.value.where is not None


def test_the_user_may_raise_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the manifest, or by the environment; a word there is an error."""
    write_heavy(tmp_path / "set", "COCO boxes", MIB)
    write_manifest(tmp_path / "amp.yaml", ["set"], limits="{max_label_bytes: 1000}", more="filters: {flip: {}}\n")
    with pytest.raises(SourceError, match="more than the limit of 1000") as error:
        rebuild(tmp_path)
    assert "max_label_bytes" in str(error.value)
    monkeypatch.setenv(MAX_BYTES_VARIABLE, str(2 * MIB))
    assert [item.reason for item in amp.read(tmp_path / "set").dropped] == ["image has too many labels"]
    monkeypatch.setenv(MAX_BYTES_VARIABLE, "many")
    with pytest.raises(SourceError, match="is no number of bytes"):
        amp.read(tmp_path / "set")


def test_a_file_above_the_usual_size_may_hold_as_much_for_its_size() -> None:
    """Who raises the limit of bytes has raised that of values and lines too."""
    values = b"[]" * (MAX_JSON_WEIGHT // 64 + 1)
    with pytest.raises(SourceError, match="split it"):
        refuse_heavy_json(values, "here")
    refuse_heavy_json(values + b" " * MAX_LABEL_BYTES, "here")
    with pytest.raises(SourceError, match="split it"):
        refuse_long_table(b"\n" * (MAX_TABLE_ROWS + 1), "here")
    refuse_long_table(b"\n" * (MAX_TABLE_ROWS + 1) + b" " * MAX_LABEL_BYTES, "here")


def test_an_image_has_a_bound_of_labels(tmp_path: Path) -> None:
    """Comparing each with every other takes their square; up to the bound that costs neither memory nor minutes."""
    folder = write_heavy(tmp_path / "set", "YOLO", 20 * (MAX_LABELS - 1))
    (sample,) = amp.read(folder).samples
    assert MAX_LABELS * 0.8 < len(sample.annotations) <= MAX_LABELS
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert amp.check(folder).findings
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used < 3e5
    write_heavy(tmp_path / "more", "YOLO", 30 * MAX_LABELS)
    (lost,) = amp.read(tmp_path / "more").dropped
    assert (lost.id, lost.reason) == ("images/a.png", "image has too many labels")


def test_losses_without_end_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of a million labels that cannot be read is no label file; up to there each is counted."""
    monkeypatch.setattr("amp_datasets.formats.kit.report.MAX_NOTES", 50)
    folder = write_heavy(tmp_path / "set", "YOLO damaged", 300)
    with pytest.raises(SourceError, match="cannot be used"):
        amp.read(folder)
    assert MAX_NOTES == 1_000_000


def test_a_mask_larger_than_its_image_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed twice, a label of some hundred bytes holds a PNG of hundreds of millions of pixels."""
    stream = io.BytesIO()
    Image.new("1", (7000, 7000), 1).save(stream, "PNG")
    data = base64.b64encode(zlib.compress(stream.getvalue())).decode()
    bitmap = {"classTitle": "c", "geometryType": "bitmap", "bitmap": {"origin": [0, 0], "data": data}}
    (tmp_path / "train" / "img").mkdir(parents=True)
    (tmp_path / "train" / "ann").mkdir()
    Image.new("L", (64, 48)).save(tmp_path / "train" / "img" / "a.png")
    (tmp_path / "meta.json").write_text('{"classes": [{"title": "c", "shape": "bitmap"}], "tags": []}')
    labels = {"size": {"width": 64, "height": 48}, "tags": [], "objects": [bitmap]}
    (tmp_path / "train" / "ann" / "a.png.json").write_text(json.dumps(labels))

    def decoded(*_: object) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr("cv2.imdecode", decoded)
    assert "reaches out of the image" in amp.read(tmp_path).dropped[0].detail


def test_a_large_set_with_outlines_is_let_in() -> None:
    """Long outlines are many bytes and few values: above 32 MiB of them are an ordinary set of some thousand images."""
    ring = ",".join(f"{100 * step / 7:.12f}" for step in range(4000))
    label = f'{{"image_id":1,"category_id":1,"segmentation":[[{ring}]]}}'
    text = f"{COCO}{','.join([label] * (36 * MIB // len(label)))}]}}"
    refuse_heavy_json(text.encode(), "here")
    assert 32 * MIB < len(text) < MAX_LABEL_BYTES
