"""Every command over everything that a stranger can put into a project: nothing runs, nothing is written elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import datasets
import numpy as np
import pytest
from hostile_projects import guarded, plant, private, project
from small_builds import copy_of, ledger, small_build, tree
from strangers import watched

import amp_datasets as amp
from amp_datasets.building.api import build
from amp_datasets.cli import app, run
from amp_datasets.errors import AmpError
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.sources.hub import open_hub

Line = Callable[[Path, Path], list[object]]
"""A command line over a project, or a build, with results in a folder."""

OF_SETS: dict[str, Line] = {
    "init": lambda p, out: ["init", p / "set", "-o", out / "amp.yaml"],
    "check": lambda p, _: ["check", p / "set", "-v"],
    "check manifest": lambda p, _: ["check", p / "amp.yaml"],
    "preview": lambda p, out: ["preview", p / "amp.yaml", "-o", out / "a.jpg"],
    "preview set": lambda p, out: ["preview", p / "set", "-o", out / "b.html"],
    "build": lambda p, out: ["build", p / "amp.yaml", "-o", out / "built", "-j", "1"],
    "build lazy": lambda p, out: ["build", p / "amp.yaml", "-o", out / "lazy", "-j", "1", "--lazy"],
    "report": lambda p, out: ["report", p / "set", "-o", out / "report.html"],
    "export": lambda p, out: ["export", p / "set", "--to", "coco", "-o", out / "exported", "--copy"],
    "export zip": lambda p, out: ["export", p / "set", "--to", "voc", "-o", out / "packed", "--zip"],
    "merge": lambda p, out: ["merge", p / "set", "-o", out / "merged"],
}
OF_BUILDS: dict[str, Line] = {
    "check": lambda b, _: ["check", b],
    "preview": lambda b, out: ["preview", b, "-o", out / "a.jpg"],
    "report": lambda b, out: ["report", b, "-o", out / "report.html"],
    "export": lambda b, out: ["export", b, "--to", "yolo", "-o", out / "exported", "--copy"],
    "merge": lambda b, out: ["merge", b, "-o", out / "merged", "--like", b],
    "verify": lambda b, _: ["verify", b, "--replay", "2"],
    "replay": lambda b, out: [
        "replay",
        b,
        f"{ledger(b)[0]['source_id']} {ledger(b)[0]['variant']}",
        "-o",
        out / "c.jpg",
    ],
    "diff": lambda b, _: ["diff", b, b],
    "publish": lambda b, _: ["publish", b, "--repo", "me/x", "--dry-run"],
}
ALONE: dict[str, Line] = {
    "filters": lambda *_: ["filters"],
    "explain": lambda *_: ["explain"],
    "schema": lambda _, out: ["schema", "-o", out / "schema.json"],
    "env": lambda *_: ["env"],
}
ELSEWHERE = {"studio"}
"""Serves until it is stopped: `studio/test_watched_routes.py` asks it for everything."""


def run_all(lines: dict[str, Line], place: Path, out: Path, capfd: pytest.CaptureFixture[str]) -> dict[str, int]:
    """How each command ended: done, with findings, or refused, and never by an accident."""
    codes = {}
    for name, line in lines.items():
        codes[name] = run([str(word) for word in line(place, out)])
        said = capfd.readouterr()
        assert codes[name] in {0, 1, 2}, (name, said)
        assert "should not have happened" not in said.err + said.out, (name, said)
    return codes


def test_every_command_is_watched() -> None:
    """A new command has to be run below, too."""
    registered = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert registered == {name.split()[0] for lines in (OF_SETS, OF_BUILDS, ALONE) for name in lines} | ELSEWHERE


def test_the_baits_are_live_and_the_watcher_sees(tmp_path: Path) -> None:
    """Whoever unpickles one runs a program, and that is seen; so is a file written outside."""
    plant(tmp_path, tmp_path / "victim")
    with watched(tmp_path / "out") as seen:
        np.load(tmp_path / "objects.npy", allow_pickle=True)
        (tmp_path / "stray").write_text("")
    assert (tmp_path / "victim").exists()
    assert [line.split(":")[0] for line in seen] == ["os.system", "open"]


@pytest.mark.parametrize("climbing", [False, True], ids=["planted", "climbing"])
@pytest.mark.parametrize("name", sorted(load_registry().sources))
def test_commands_over_a_strangers_project_run_nothing(
    name: str, climbing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Pickles, scripts, plugins, tags, extension types, archives and links lie in a set of every format."""
    home = project(tmp_path, name, climbing=climbing)
    lines = {key: OF_SETS[key] for key in ("check", "build", "export")} if climbing else OF_SETS
    with guarded(tmp_path, home, monkeypatch) as out:
        codes = run_all(lines, home, out, capfd)
    assert climbing or codes["check"] in {0, 1}


@pytest.mark.parametrize("kind", ["build", "lazy"])
def test_commands_over_a_strangers_build_run_nothing(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The same beside the images of a build and of a lazy set, loaded and published, too."""
    small_build(tmp_path / "made", images=2)
    build(tmp_path / "made" / "amp.yaml", out=tmp_path / "made" / "lazy", jobs=1, lazy=True)
    home = copy_of(tmp_path / "made" / kind, tmp_path / "shipped")
    private(tmp_path / "secret")
    plant(home, tmp_path / "victim")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "out" / "cache"))
    with guarded(tmp_path, home, monkeypatch) as out:
        codes = run_all(OF_BUILDS, home, out, capfd)
        rows = [row["image"] for split in amp.load(home).values() for row in split]
    assert rows
    assert (codes["diff"], codes["replay"]) == (0, 0 if kind == "lazy" else 2)  # sources outside are not looked for


def test_commands_without_a_set_run_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In the stranger's folder, whose plugins are not loaded."""
    home = project(tmp_path, "coco", climbing=False)
    with guarded(tmp_path, home, monkeypatch) as out:
        codes = run_all(ALONE, home, out, capfd)
    assert set(codes.values()) == {0}


@pytest.mark.parametrize("row", ["file", "address", "chain", "split", "type"])
def test_a_fetched_set_names_nothing_of_this_machine(row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and splits of the hub's that lead elsewhere are refused, and nothing half fetched stays."""
    private(tmp_path / "secret")
    paths = {
        "file": str(tmp_path / "secret" / "me.jpg"),
        "address": "http://127.0.0.1:9/a.jpg",
        "chain": "a::file:///etc/hostname",
    }
    image = {"bytes": None, "path": paths.get(row, paths["file"])}
    types = datasets.Features({"image": datasets.Image(decode=False)})
    rows = datasets.Dataset.from_dict({"image": [image]}, features=types).to_iterable_dataset()
    rows = rows.cast_column("image", datasets.Image()) if row != "type" else rows.remove_columns("image")
    found = {"../../climbed" if row == "split" else "train": rows}
    api = SimpleNamespace(dataset_info=lambda *_, **__: SimpleNamespace(sha="0" * 40))
    monkeypatch.setattr("amp_datasets.sources.hub.HfApi", lambda: api)
    monkeypatch.setattr("datasets.load_dataset", lambda *_, **__: found)
    out = tmp_path / "out"
    with watched(out, Path(os.environ["HF_HOME"])) as seen, pytest.raises(AmpError):
        open_hub("hf://datasets/me/photos", out)
    assert seen == []
    assert tree(out) == {}
