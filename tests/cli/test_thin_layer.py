"""The command line is a thin layer: every command gives what the public function of the same purpose gives."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_builds import write_manifest, write_set
from typer.main import get_command

import amp_datasets as amp
from amp_datasets.cli import app, run

BESIDE = {"init", "schema", "studio", "env"}
"""Commands that write a start, print about the program, or open a window: there is no report to compare."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets, a manifest and two builds. Read them, never write to them."""
    folder = tmp_path_factory.mktemp("thin")
    write_set(folder / "set", 3)
    write_set(folder / "other", 2, seed=1)
    write_manifest(folder / "amp.yaml", [folder / "set"], "filters: {flip: {how: horizontal}}\n")
    write_manifest(folder / "blur.yaml", [folder / "set"], "filters: {blur: {sigma: 2}}\n")
    amp.build(folder / "amp.yaml", out=folder / "build", jobs=1)
    amp.build(folder / "blur.yaml", out=folder / "second", jobs=1)
    return folder


Case = tuple[list[str], Callable[[str], Any]]

CASES: dict[str, Case] = {
    "build": (["amp.yaml", "-o", "OUT", "-j", "1"], lambda out: amp.build("amp.yaml", out=out, jobs=1)),
    "check": (["set"], lambda _: amp.check("set")),
    "explain": (["AMP309"], lambda _: amp.explain("AMP309")),
    "export": (["build", "--to", "voc", "-o", "OUT"], lambda out: amp.convert("build", to="voc", out=out)),
    "merge": (["set", "other", "-o", "OUT"], lambda out: amp.merge(["set", "other"], out)),
    "filters": (["blur"], lambda _: amp.describe("blur")),
    "preview": (["set", "-o", "OUT.jpg"], lambda _: amp.preview("set")),
    "report": (["set", "-o", "OUT.html"], lambda _: amp.report("set")),
    "verify": (["build"], lambda _: amp.verify("build")),
    "diff": (["build", "second"], lambda _: amp.diff("build", "second")),
    "replay": (
        ["build", "demo_003__flip", "-o", "OUT.jpg"],
        lambda out: amp.replay("build", "demo_003__flip", f"{out}.jpg"),
    ),
    "publish": (
        ["build", "--repo", "a/b", "--dry-run"],
        lambda _: amp.publish("build", repo="a/b", dry_run=True),
    ),
}


def test_every_command_is_compared() -> None:
    """A new command gets its place in the table."""
    commands: Any = get_command(app)
    assert set(CASES) | BESIDE == set(commands.commands)


def plain(result: Any, out: str) -> Any:
    """A result as JSON without what differs from run to run: seconds and the place."""
    if isinstance(result, list):
        return [plain(each, out) for each in result]
    document = result.to_json() if hasattr(result, "to_json") else {"images": len(result.tiles)}
    text = json.dumps({key: value for key, value in document.items() if key not in {"seconds", "out"}})
    return json.loads(text.replace(out, "OUT"))


@pytest.mark.parametrize("name", CASES)
def test_a_command_gives_what_the_function_gives(
    name: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """To the last value of its JSON document."""
    monkeypatch.chdir(place)
    words, call = CASES[name]
    first, second = str(tmp_path / "command"), str(tmp_path / "function")
    assert run([name, *(word.replace("OUT", first) for word in words), "--json"]) in (0, 1)
    told = json.loads(capsys.readouterr().out)
    if isinstance(told, dict):
        told = {key: value for key, value in told.items() if key not in {"seconds", "out"}}
    assert json.loads(json.dumps(told).replace(first, "OUT")) == plain(call(second), second)


def test_functions_tell_how_far_they_are(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each that works on images calls back with numbers that never exceed the whole."""
    monkeypatch.chdir(place)
    calls: dict[str, Callable[[Any], Any]] = {
        "read": lambda told: amp.read("set", progress=told),
        "check": lambda told: amp.check("set", progress=told),
        "convert": lambda told: amp.convert("set", to="coco", out=tmp_path / "coco", progress=told),
        "merge": lambda told: amp.merge(["set", "other"], tmp_path / "all", progress=told),
        "preview": lambda told: amp.preview("set", progress=told),
        "report": lambda told: amp.report("set", progress=told),
        "verify": lambda told: amp.verify("build", replay="all", progress=told),
        "replay": lambda told: amp.replay("build", "demo_003__flip", tmp_path / "a.jpg", progress=told),
        "diff": lambda told: amp.diff("build", "second", progress=told),
        "publish": lambda told: amp.publish("build", repo="a/b", dry_run=True, progress=told),
        "build": lambda told: amp.build("amp.yaml", out=tmp_path / "built", jobs=1, progress=told),
    }
    for name, call in calls.items():
        told: list[tuple[str, int, int]] = []
        call(lambda *step, seen=told: seen.append(step))
        assert told, name
        assert all(text and 0 <= done <= total for text, done, total in told), (name, told)
