"""Plugins that raise, end the process, or give what they must not: named, counted, and nothing half written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_builds import tree, write_manifest, write_set

import amp_datasets as amp
from amp_datasets.cli import run
from amp_datasets.errors import AmpError, BuildError, PluginError, said
from amp_datasets.formats.contract import check_labels
from amp_datasets.model import Annotation, Category, ImageFile, LabelSet, Mask, Polygon, Sample
from amp_datasets.plugin.discovery import load_registry

FILTERS = """
import sys
from amp_datasets.errors import AmpError, CannotApply
from amp_datasets.filtering.base import GeometricFilter, PixelFilter, Settings

class Unpicklable(Exception):
    def __init__(self, one, two):
        super().__init__("cannot be sent")
        self.function = lambda: one

class NoText(Exception):
    def __str__(self):
        raise ValueError("no text")

class Own(BaseException): pass

def endless(): return endless()

RAISE = {
    "value": lambda: int("x"),
    "key": lambda: {}[1],
    "zero": lambda: 1 / 0,
    "endless": endless,
    "exit": sys.exit,
    "exit_text": lambda: sys.exit("bye"),
    "unpicklable": lambda: throw(Unpicklable(1, 2)),
    "no_text": lambda: throw(NoText()),
    "own": lambda: throw(Own()),
    "generator": lambda: throw(GeneratorExit()),
    "stop": lambda: next(iter(())),
    "group": lambda: throw(ExceptionGroup("two", [ValueError()])),
    "escape": lambda: throw(ValueError("\\x1b[31m\\nred")),
    "long": lambda: throw(ValueError("x" * 10**6)),
    "system": lambda: open("/nowhere/x"),
    "cannot": lambda: throw(CannotApply("nothing to do")),
}

def throw(error): raise error

class Plain:
    examples = ({},)
    class InitSchema(Settings):
        pass
    def __init__(self, p=1.0): super().__init__(p=p)
    def get_params(self): return {}

def register(registry):
    for word, act in RAISE.items():
        class P(Plain, PixelFilter):
            name = f"p_{word}"
            def apply(self, img, act=act, **_): return act()
        class G(Plain, GeometricFilter):
            name = f"g_{word}"
            def warp(self, size, act=act, **_): return act()
        registry.add_filter(P)
        registry.add_filter(G)
"""
FORMATS = """
import sys
from pathlib import Path
from amp_datasets.formats.base import Exporter, Source
class Reads(Source):
    name = title = "reads"
    @classmethod
    def detect(cls, folder): return {detect}
    def read(self): return {read}
class Writes(Exporter):
    name = title = "writes"
    def write(self, labels):
        (self.target / "begun.txt").write_text("x")
        {write}
    def losses(self, samples): return {losses}
def register(registry):
    registry.add_source(Reads)
    registry.add_exporter(Writes)
"""
RIGHT = {"detect": "None", "read": "None", "write": "pass", "losses": "super().losses(samples)"}
BREAK = [
    "1 / 0",
    "sys.exit(0)",
    "{}[1]",
    "int('x')",
    "next(iter(()))",
    "self.nothing.at_all",
    "[][0]",
    "(_ for _ in ()).throw(SystemExit)",
]


def plugin(folder: Path, text: str) -> Path:
    """A folder of one plugin."""
    (folder / "plugins").mkdir()
    (folder / "plugins" / "mine.py").write_text(text)
    return folder / "plugins"


@pytest.mark.parametrize("jobs", [1, 2])
def test_whatever_a_filter_raises_concerns_its_own_variants(tmp_path: Path, jobs: int) -> None:
    """Each is counted with what it raised, in one line; all others are made, and nothing ends the process."""
    write_set(tmp_path / "set", 3)
    plugins = plugin(tmp_path, FILTERS)
    names = [name for name in load_registry((plugins,)).filters if name[:2] in {"p_", "g_"}]
    assert len(names) == 32
    more = f"filters: {json.dumps({name: {} for name in [*names, 'flip']})}\n"
    manifest = write_manifest(tmp_path / "amp.yaml", ["set"], more, splits="{train: 1}")
    report = amp.build(manifest, out=tmp_path / "out", jobs=jobs, plugin_dirs=[plugins])
    told = [(loss.reason, loss.count, text) for loss in report.refused_variants for text in loss.examples]
    refused = sum(loss.count for loss in report.refused_variants)
    assert (refused, report.variants) == (report.sources * len(names), report.sources), told
    assert {reason for reason, _, _ in told} == {"a filter breaks on this image", "nothing to do"}
    assert all(len(text) < 400 and "\n" not in text for _, _, text in told)


@pytest.mark.parametrize("place", ["detect", "read", "write", "losses"])
@pytest.mark.parametrize("code", BREAK)
def test_a_format_that_breaks_is_named(
    place: str, code: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """With its file and what it raised; the target does not begin to exist."""
    write_set(tmp_path / "set", 1)
    plugins = str(plugin(tmp_path, FORMATS.format(**{**RIGHT, place: code})))
    before = tree(tmp_path / "set")
    line = ["export", str(tmp_path / "set"), "--to", "writes", "-o", str(tmp_path / "out"), "--plugins-dir", plugins]
    assert run([*line, *(["--format", "reads"] if place == "read" else [])]) == 2
    said_ = capfd.readouterr().err
    assert f"`{'writes' if place in {'write', 'losses'} else 'reads'}` breaks: " in said_
    assert "mine.py" in said_
    assert "fix: " in said_
    assert not (tmp_path / "out").exists()
    assert tree(tmp_path / "set") == before


@pytest.mark.parametrize("value", ["None", "5", "'text'", "[]", "object()"])
def test_a_reader_that_gives_something_else_is_named(
    value: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """No set, no detection: the kind that was given is said."""
    write_set(tmp_path / "set", 1)
    plugins = str(plugin(tmp_path, FORMATS.format(**{**RIGHT, "read": value, "detect": value})))
    assert run(["check", str(tmp_path / "set"), "--format", "reads", "--plugins-dir", plugins]) == 2
    assert "not a LabelSet" in capfd.readouterr().err
    assert run(["check", str(tmp_path / "set"), "--plugins-dir", plugins]) == (0 if value == "None" else 2)
    assert ("not a Detection" in capfd.readouterr().err) is (value != "None")


@pytest.mark.parametrize("code", ["raise SystemExit", "1 / 0", "raise BaseException"])
@pytest.mark.parametrize("inside", [False, True], ids=["imported", "registering"])
def test_a_plugin_that_ends_the_process_fails_to_load(code: str, inside: bool, tmp_path: Path) -> None:
    """A script in the plugins folder that calls `sys.exit` is told; the command does not end as if all were well."""
    text = f"def register(registry):\n    {code}\n" if inside else f"{code}\n"
    with pytest.raises(PluginError, match="fails to load"):
        load_registry((plugin(tmp_path, text),))


def test_an_error_of_a_plugin_reaches_the_parent_whatever_it_takes(tmp_path: Path) -> None:
    """An AmpError of its own with other arguments is told by its words, not as a worker that was killed."""
    write_set(tmp_path / "set", 3)
    text = FILTERS.replace('throw(CannotApply("nothing to do"))', "throw(Odd(1, 2, 3, 4, 5))").replace(
        "class Own(", "class Odd(AmpError):\n    def __init__(self, *_):\n        super().__init__('odd')\nclass Own("
    )
    settings = ["filters={p_cannot: {}}"]
    options: dict[str, Any] = {"settings": settings, "jobs": 2, "plugin_dirs": [plugin(tmp_path, text)]}
    with pytest.raises(AmpError, match="odd"):
        amp.build(tmp_path / "set", out=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_an_exception_is_said_in_one_short_line() -> None:
    """Also one whose text is long, has many lines, or cannot be had at all."""
    assert said(ValueError("a\n b" + "x" * 10**7)).startswith("ValueError: a bx")
    assert len(said(ValueError("x" * 10**7))) == 300

    class NoTextError(Exception):
        def __str__(self) -> str:
            raise KeyError

    assert said(NoTextError()) == "NoTextError: "


RING = np.array([(1.0, 1), (9, 1), (9, 9)])
OBJECT: dict[str, Any] = {
    "category": ["dog", None, 5, ""],
    "xyxy": [None, (1, 2), (np.nan, 0, 1, 1), (0, 0, np.inf, 1), (9, 9, 1, 1), ("1",) * 4, RING, (0, 0, 1e308, 1)],
    "polygons": [None, [1], (RING,), (Polygon(RING * np.nan),), (Polygon(RING[:2]),), (Polygon(np.ones((4, 3))),)],
    "mask": ["x", Mask((9, 9), b"1"), Mask((64, 48), b"\xff\xff"), Mask((64, 48), b"1")],
    "corners": [RING, np.full((4, 2), np.nan), [1, 2]],
    "keypoints": [RING, np.full((2, 3), np.nan), "x"],
    "iscrowd": ["yes", None],
    "id": ["x"],
    "attributes": [5, {"a": object()}, {1: 2}],
    "shape": ["star"],
}  # fmt: skip
IMAGE: dict[str, Any] = {
    "source_id": [None, 5, "", "../x.jpg", "/etc/x.jpg", "a\0.jpg"],
    "image": [None, "x.jpg", ImageFile("x.jpg"), ImageFile(Path("x"), 5), ImageFile(Path("x"), None, "text")],  # type: ignore[arg-type]
    "size": [None, (0, 9), (-1, 9), (64.0, 48.0), (1, 2, 3), [64, 48]],
    "split": ["holdout", 5],
    "group": [5],
    "labels": ["cat", (5,), ("dog",)],
    "tags": [None],
    "labelled": [None],
    "annotations": [None, [1], (1,)],
}
WHOLE: dict[str, Any] = {
    "samples": [None, iter(()), [1]],
    "categories": [None, ("cat",), (Category("cat"), Category("cat")), (Category("a\nb"),), (Category(""),)],
    "dropped": [None, ("x",)],
    "repairs": [(1,)],
    "name": [5],
    "values": ["x"],
}


def labels_of(**wrong: Any) -> LabelSet:
    """A set of one image with one object, but for some fields."""
    parts = [{k: v for k, v in wrong.items() if k in fields} for fields in (OBJECT, IMAGE, WHOLE)]
    thing = Annotation(**{"category": "cat", "xyxy": (1.0, 1.0, 9.0, 9.0), "polygons": (Polygon(RING),), **parts[0]})
    image = {"source_id": "a.jpg", "image": ImageFile(Path("a.jpg")), "size": (64, 48), "annotations": (thing,)}
    return LabelSet(**{"categories": (Category("cat"),), "samples": [Sample(**{**image, **parts[1]})], **parts[2]})


@pytest.mark.parametrize("field", [*OBJECT, *IMAGE, *WHOLE])
def test_a_foreign_reader_gives_what_the_contract_says(field: str) -> None:
    """Numbers that are none, rings of another shape, classes that nobody listed: told before anything trusts them."""
    check_labels(labels_of())
    for value in {**OBJECT, **IMAGE, **WHOLE}[field]:
        with pytest.raises(ValueError, match=r"."):
            check_labels(labels_of(**{field: value}))


def test_two_images_of_one_name_are_none_of_the_contract() -> None:
    """The labels of one would come under the other."""
    labels = labels_of()
    with pytest.raises(ValueError, match="two samples"):
        check_labels(LabelSet(labels.categories, [*labels.samples, *labels.samples]))


def test_a_worker_that_ends_itself_is_told(tmp_path: Path) -> None:
    """A filter that calls `os._exit` ends its worker, not the build's hope to say so; nothing is left to wait for."""
    write_set(tmp_path / "set", 3)
    text = FILTERS.replace('"exit": sys.exit', '"exit": lambda: __import__("os")._exit(0)')
    with pytest.raises(BuildError, match="a worker was killed"):
        amp.build(
            tmp_path / "set",
            out=tmp_path / "out",
            jobs=2,
            settings=["filters={p_exit: {}}"],
            plugin_dirs=[plugin(tmp_path, text)],
        )
    assert not (tmp_path / "out").exists()
