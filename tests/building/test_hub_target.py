"""The hub as the target of a build, against one on this machine with the unmodified clients."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import TOKEN, Hub, hub_server, python
from small_builds import small_build, tree, write_manifest

ADDRESS = "hf://datasets/me/drums"
SAME = ("images/", "labels/", "annotations/", "data.yaml", "ledger.parquet")
"""What of a build does not say where it stands."""

COMMAND = """
import sys
from amp_datasets.building import hub
from amp_datasets.cli import run
hub.time.sleep = lambda seconds: print("waited", seconds, file=sys.stderr)
sys.exit(run(sys.argv[1:]))
"""
LOAD = """
import sys
import amp_datasets as amp
there, here = amp.load(sys.argv[1]), amp.load(sys.argv[2])
assert sorted(there) == sorted(here)
for split, rows in here.items():
    assert there[split].features == rows.features
    for one, other in zip(there[split], rows, strict=True):
        assert one.pop("image").tobytes() == other.pop("image").tobytes()
        assert one == other
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest, its set, and what a build of it is in a folder. Read them, never write to them."""
    folder = tmp_path_factory.mktemp("hub")
    small_build(folder, images=3, splits="{train: 0.7, validation: 0.3}")
    return folder


@pytest.fixture
def hub() -> Iterator[Hub]:
    """An empty hub."""
    with hub_server() as server:
        yield server


def build(hub: Hub, home: Path, manifest: Path, *options: object, out: str = ADDRESS, token: str | None = TOKEN) -> Any:
    """`amp build` to the hub."""
    return python(hub, home, COMMAND, "build", manifest, "-o", out, "-j", "1", *options, token=token)


def files(hub: Hub, repo: str = "me/drums") -> dict[str, bytes]:
    """What a dataset holds now, but for what the hub itself puts there."""
    return {name: data for name, data in hub.repos[repo].commits[-1].items() if name != ".gitattributes"}


def test_a_build_on_the_hub_is_the_build_of_a_folder(place: Path, hub: Hub, tmp_path: Path) -> None:
    """One commit, private, the same bytes; it verifies and loads where it is, after faults that pass, too."""
    hub.faults += [("POST /api/datasets/me/drums/commit/", 503), ("POST /datasets/me/drums.git/info/lfs", 429)]
    done = build(hub, tmp_path, place / "amp.yaml")
    assert done.returncode == 0, done.stderr
    assert f"amp verify {ADDRESS}" in done.stderr
    assert hub.faults == []
    assert (hub.repos["me/drums"].private, len(hub.repos["me/drums"].commits)) == (True, 2)
    local = {name: (place / "build" / name).read_bytes() for name in tree(place / "build") if name[-1] != "/"}
    there = files(hub)
    assert there.keys() == local.keys()
    assert {n: d for n, d in there.items() if n.startswith(SAME)} == {
        n: d for n, d in local.items() if n.startswith(SAME)
    }
    verified = python(hub, tmp_path, COMMAND, "verify", ADDRESS)
    assert verified.returncode == 0, verified.stderr + verified.stdout
    assert ADDRESS in verified.stdout
    assert "all is as it was made" in verified.stdout
    loaded = python(hub, tmp_path, LOAD, ADDRESS, place / "build")
    assert loaded.returncode == 0, loaded.stderr


def test_another_build_replaces_it_in_one_commit(place: Path, hub: Hub, tmp_path: Path) -> None:
    """What is no more goes, what people put beside it stays, and an image that is there is not sent again."""
    assert build(hub, tmp_path, place / "amp.yaml").returncode == 0
    hub.repos["me/drums"].commits[-1]["notes.txt"] = b"mine"
    sent = hub.uploads
    splits = "{train: 0.7, validation: 0.3}"
    write_manifest(tmp_path / "amp.yaml", [place / "set"], "filters: {flip: {}}\n", splits=splits)
    done = build(hub, tmp_path, tmp_path / "amp.yaml")
    assert done.returncode == 0, done.stderr
    there = files(hub)
    assert there["notes.txt"] == b"mine"
    assert not [name for name in there if "brightness" in name]
    assert [name for name in there if "flip" in name]
    assert len(hub.repos["me/drums"].commits) == 3
    assert hub.uploads - sent <= 4  # ledger, rows of two splits, sheet
    verified = python(hub, tmp_path, COMMAND, "verify", ADDRESS)
    assert verified.returncode == 0, verified.stderr + verified.stdout
    assert "notes.txt" in verified.stdout


def test_what_people_put_there_is_not_written_over(place: Path, hub: Hub, tmp_path: Path) -> None:
    """A file beside the build that has the name of a new one stops the push, as in a folder of this machine."""
    assert build(hub, tmp_path, place / "amp.yaml").returncode == 0
    hub.repos["me/drums"].commits[-1]["images/train/demo_002__blur.jpg"] = b"mine"
    before = files(hub)
    splits = "{train: 0.7, validation: 0.3}"
    write_manifest(tmp_path / "amp.yaml", [place / "set"], "filters: {blur: {}}\n", splits=splits)
    done = build(hub, tmp_path, tmp_path / "amp.yaml")
    assert done.returncode == 2
    assert "images/train/demo_002__blur.jpg" in done.stderr
    assert files(hub) == before


def test_an_upload_that_is_refused_shows_nothing(place: Path, hub: Hub, tmp_path: Path) -> None:
    """The old build stands; the same command goes on where it was."""
    assert build(hub, tmp_path, place / "amp.yaml").returncode == 0
    before = files(hub)
    hub.uploads_left = 2
    cut = build(hub, tmp_path, place / "amp.yaml", "--set", "seed=5")
    assert cut.returncode == 2
    assert "the hub refused" in cut.stderr
    assert "Traceback" not in cut.stderr
    assert files(hub) == before
    hub.uploads_left = None
    assert build(hub, tmp_path, place / "amp.yaml", "--set", "seed=5").returncode == 0
    assert files(hub) != before
    assert python(hub, tmp_path, COMMAND, "verify", ADDRESS).returncode == 0


@pytest.mark.parametrize("wrong", ["token", "public", "path", "foreign", "many"])
def test_what_the_hub_would_not_take_is_said_before_the_work(place: Path, hub: Hub, tmp_path: Path, wrong: str) -> None:
    """Nothing is made, nothing is sent."""
    create = "import huggingface_hub as h; h.HfApi().create_repo('me/drums', repo_type='dataset', private={})"
    if wrong in {"public", "foreign"}:
        assert python(hub, tmp_path, create.format(wrong == "foreign")).returncode == 0
    if wrong == "foreign":
        hub.repos["me/drums"].commits[-1]["data/train.parquet"] = b"of somebody"
    before = json.dumps({name: len(repo.commits) for name, repo in hub.repos.items()})
    mixes = [f"mixes.m{number}={{copies: 1000, steps: [flip]}}" for number in range(3)]
    done = build(
        hub,
        tmp_path,
        place / "amp.yaml",
        *(option for mix in mixes if wrong == "many" for option in ("--set", mix)),
        out=f"{ADDRESS}/part" if wrong == "path" else ADDRESS,
        token=None if wrong == "token" else TOKEN,
    )
    words = {
        "token": "no token for the hub",
        "public": "there already, and public",
        "path": "a whole dataset",
        "foreign": "not empty and not a build",
        "many": "too many for one commit",
    }
    assert (done.returncode, done.stdout) == (2, "")
    assert words[wrong] in done.stderr
    assert "fix: " in done.stderr
    assert json.dumps({name: len(repo.commits) for name, repo in hub.repos.items()}) == before
    assert hub.uploads == 0
    assert not list((tmp_path / "amp-staging").glob("**/*.jpg"))


def test_a_public_dataset_is_written_if_the_manifest_says_so(place: Path, hub: Hub, tmp_path: Path) -> None:
    """`hub: {private: false}` is the word that everybody may look."""
    hub_line = "{repo: me/other, private: false}"
    write_manifest(tmp_path / "amp.yaml", [place / "set"], "filters: {flip: {}}\n", hub=hub_line)
    done = build(hub, tmp_path, tmp_path / "amp.yaml")
    assert done.returncode == 0, done.stderr
    assert not hub.repos["me/drums"].private
