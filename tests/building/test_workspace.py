"""The folder in which a build grows: locked, beside the target, gone in the end; the target changes in one moment."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

import pytest
from small_builds import ledger, rebuild, small_build, tree, write_manifest, write_set

from amp_datasets.building.workspace import Workspace, is_build
from amp_datasets.errors import BuildError
from amp_datasets.ledger.verify import verify


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a build."""
    small_build(tmp_path, images=1)
    return tmp_path


def test_the_earlier_build_comes_back_after_a_cut_between_the_two_renames(home: Path) -> None:
    """For a moment there is no target; whoever opens the workspace next puts the old one back first."""
    before = tree(home / "build")
    work = home / ".build.amp-work"
    work.mkdir()
    (home / "build").rename(work / "replaced")
    with Workspace(home / "build"):
        assert tree(home / "build") == before
    assert not work.exists()


def test_what_was_replaced_is_removed_if_the_new_build_stands(home: Path) -> None:
    """A cut after both renames leaves the old build in the work folder; what the user had put there is kept."""
    before = tree(home / "build")
    shutil.copytree(home / "build", home / ".build.amp-work" / "replaced")
    (home / ".build.amp-work" / "replaced" / "notes").write_text("mine")
    with Workspace(home / "build"):
        pass
    assert (home / "build" / "notes").read_text() == "mine"
    (home / "build" / "notes").unlink()
    assert tree(home / "build") == before
    assert not (home / ".build.amp-work").exists()


def test_an_error_keeps_the_work_and_leaves_the_target(home: Path) -> None:
    """What is finished serves the next run."""
    before = tree(home / "build")
    with contextlib.suppress(RuntimeError), Workspace(home / "build") as workspace:
        workspace.start()
        raise RuntimeError
    assert tree(home / "build") == before
    assert (home / ".build.amp-work" / "tree").is_dir()
    with Workspace(home / "build") as workspace:
        workspace.discard()
    assert [path.name for path in home.iterdir() if path.name.startswith(".")] == []


def test_rows_of_the_build_at_the_target_are_offered(home: Path) -> None:
    """By the keys of their variants, with the place of their files."""
    with Workspace(home / "build") as workspace:
        rows = [row for rows in workspace.reusable().values() for row in rows]
    assert {row["variant"] for row in rows} == {row["variant"] for row in ledger(home / "build")}
    assert all(Path(row["held_at"]).is_file() for row in rows)


def test_two_workspaces_of_one_target_exclude_each_other(tmp_path: Path) -> None:
    """Also under another spelling of the same path; two targets side by side do not."""
    (tmp_path / "sub").mkdir()
    with Workspace(tmp_path / "build"):
        with pytest.raises(BuildError, match=r"another command is writing here \(process \d+ on ") as error:
            Workspace(tmp_path / "sub" / ".." / "build").__enter__()
        assert error.value.fix == "wait for it, or stop it"
        with Workspace(tmp_path / "other"):
            pass
    with Workspace(tmp_path / "build"):
        pass


def test_a_lock_of_a_dead_process_holds_nobody_up(tmp_path: Path) -> None:
    """The lock is held by a process, not by a file."""
    work = tmp_path / ".build.amp-work"
    work.mkdir()
    (work / "lock").write_text("")
    (work / "owner").write_text("process 1 on elsewhere\n")
    with Workspace(tmp_path / "build"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_a_build_is_not_replaced(home: Path) -> None:
    """What a link points to may be anybody's."""
    (home / "link").symlink_to(home / "build")
    with pytest.raises(BuildError, match="file or a link"):
        Workspace(home / "link").__enter__()


def test_a_build_is_known_by_its_ledger_and_lock(home: Path) -> None:
    """A folder of images is none."""
    assert is_build(home / "build")
    assert not is_build(home / "set")


def test_a_finished_build_leaves_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a folder that it had to make, and in the one for temporary files."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    write_set(tmp_path / "set", 1)
    write_manifest(tmp_path / "amp.yaml", ["set"])
    rebuild(tmp_path, out=tmp_path / "deep" / "er" / "build")
    assert [path.name for path in (tmp_path / "deep" / "er").iterdir()] == ["build"]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_rebuild_keeps_what_it_did_not_make(home: Path) -> None:
    """Weights, notes, and an image among ours stay; a trainer's cache of older labels goes; verify says which."""
    kept = {"runs/train/best.pt": "weights", "notes.txt": "mine", "images/train/extra.jpg": "mine"}
    for name, text in {**kept, "labels/train.cache": "stale"}.items():
        (home / "build" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "build" / name).write_text(text)
    write_manifest(home / "amp.yaml", ["set"], seed=9)
    rebuild(home)
    assert {name: (home / "build" / name).read_text() for name in kept} == kept
    assert not (home / "build" / "labels" / "train.cache").exists()
    report = verify(home / "build")
    assert sorted(report.not_ours) == ["notes.txt", "runs/train/best.pt"]
    assert [(finding.rule, finding.file) for finding in report.findings] == [("not ours", "images/train/extra.jpg")]


def test_nothing_is_reused_of_a_build_that_was_shipped(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be as consistent as ours and hold another's images: only what this user made serves again."""
    assert rebuild(home).reused > 0
    monkeypatch.setenv("HF_DATASETS_CACHE", str(home / "another-user"))
    assert rebuild(home).reused == 0
    assert rebuild(home).reused > 0


def test_a_damaged_build_with_strange_images_is_left_alone(home: Path) -> None:
    """Where no ledger says what is ours, files that trainers read are listed, not removed."""
    (home / "build" / "ledger.parquet").write_bytes(b"spoilt")
    (home / "build" / "images" / "train" / "mine.jpg").write_bytes(b"mine")
    before = tree(home / "build")
    with pytest.raises(BuildError, match=r"nobody knows whether these are yours: images/train/mine\.jpg"):
        rebuild(home)
    assert tree(home / "build") == before
