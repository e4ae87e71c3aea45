"""A folder that grows beside its place: it comes whole, one run at a time, and keeps what no run made."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from amp_datasets.errors import BuildError
from amp_datasets.storage import target as targets
from amp_datasets.storage.target import GrowingFolder

FILES = {"images/a.jpg": "new a", "labels/a.txt": "new labels", "seal": "new"}
OLD = {"images/a.jpg": "old a", "images/b.jpg": "old b", "seal": "old"}
FOREIGN = {"runs/best.pt": "weights", "images/mine.jpg": "mine", "notes": "words", "deep/er/empty/": ""}


def fill(folder: Path, files: dict[str, str]) -> None:
    """Write files and empty folders."""
    for name, text in files.items():
        path = folder / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.write_text(text)


def content(folder: Path) -> dict[str, str]:
    """All files, and the folders without any."""
    return {
        path.relative_to(folder).as_posix() + ("/" if path.is_dir() else ""): "" if path.is_dir() else path.read_text()
        for path in folder.rglob("*")
        if not path.is_dir() or not any(path.iterdir())
    }


def growing(target: Path) -> GrowingFolder:
    """Work on a target in which only the files of `OLD` and `FILES` are ours."""
    return GrowingFolder(target, check=lambda _: None, made=lambda _old, _new: {*OLD, *FILES}, seal="seal")


def publish(target: Path) -> None:
    """Put `FILES` at a target."""
    with growing(target) as work:
        fill(work.tree, FILES)
        work.publish()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """An old folder with files of ours and of the user's."""
    fill(tmp_path / "out", {**OLD, **FOREIGN})
    return tmp_path / "out"


def no_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that cannot exchange two folders in one step."""
    monkeypatch.setattr(targets, "exchange", lambda *_: False)


def inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that cannot be renamed, as a mount point."""
    monkeypatch.setattr(targets, "has_no_neighbour", Path.is_dir)
    monkeypatch.setattr(targets, "must_stay", Path.is_dir)


def current(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target in which the shell stands: it keeps its place, and the work is done beside it."""
    monkeypatch.setattr(targets, "must_stay", Path.is_dir)


WAYS = [lambda _: None, no_exchange, inside, current]
way = pytest.mark.parametrize("way", WAYS, ids=["exchange", "renames", "inside", "current"])
Way = Callable[[pytest.MonkeyPatch], None]


@way
def test_what_no_run_made_is_kept(target: Path, monkeypatch: pytest.MonkeyPatch, way: Way) -> None:
    """Weights, notes, images among ours, empty folders and links stay; what we made before and not now goes."""
    (target / "link").symlink_to("notes")
    way(monkeypatch)
    publish(target)
    assert str((target / "link").readlink()) == "notes"
    (target / "link").unlink()
    assert content(target) == {**FILES, **FOREIGN}
    assert [path.name for path in target.parent.iterdir()] == ["out"]


@way
def test_a_kill_at_any_moment_loses_nothing(target: Path, monkeypatch: pytest.MonkeyPatch, way: Way) -> None:
    """Before each rename, removal and link: the next run finds all of the user's files, and one whole tree of ours."""
    way(monkeypatch)
    for moment in range(1, 60):
        if not dies_at(moment, lambda: publish(target)):
            assert moment > 10
            return
        with growing(target):
            pass
        found = content(target)
        assert {name: found.get(name) for name in FOREIGN} == FOREIGN
        ours = {name: text for name, text in found.items() if name not in FOREIGN and not name.startswith(".amp-work")}
        assert ours in (OLD, FILES)
        fill(target, {**OLD, **FOREIGN})
        (target / "labels" / "a.txt").unlink(missing_ok=True)
        (target / "labels").rmdir() if (target / "labels").exists() else None
    pytest.fail("it never came to its end")


def dies_at(moment: int, action: Callable[[], None]) -> bool:
    """Run something in a child that is killed before its n-th change of a name; whether it came to that."""
    pid = os.fork()
    if pid == 0:
        count = 0

        def hook(event: str, _: object) -> None:
            nonlocal count
            if event in {"os.rename", "os.remove", "os.rmdir", "os.link", "os.mkdir"}:
                count += 1
                if count == moment:
                    os._exit(9)

        sys.addaudithook(hook)
        action()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9


def test_a_users_file_in_the_way_is_an_error_that_lists_it(target: Path) -> None:
    """The new tree wants to write where the user has put something: nothing changes."""
    before = content(target)
    with growing(target) as work:
        fill(work.tree, {**FILES, "notes": "ours"})
        with pytest.raises(BuildError, match="no build made are where new ones are to be written: notes") as error:
            work.publish()
    assert "move them away" in str(error.value.fix)
    assert content(target) == before


def test_what_appears_at_the_last_moment_is_kept(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trainer writes into the old folder between the look and the exchange."""
    exchange = targets.exchange

    def late(one: Path, other: Path) -> bool:
        fill(target, {"runs/last.pt": "late", "images/late/": ""})
        return exchange(one, other)

    monkeypatch.setattr(targets, "exchange", late)
    publish(target)
    assert content(target) == {**FILES, **FOREIGN, "runs/last.pt": "late", "images/late/": ""}


def test_an_old_folder_is_put_back_before_anything_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off between two renames; then the user made an empty folder there, and the disk is full."""
    no_exchange(monkeypatch)
    fill(tmp_path / "out", OLD)
    for moment in range(1, 40):
        if dies_at(moment, lambda: publish(tmp_path / "out")) and not (tmp_path / "out").exists():
            break
    else:
        pytest.fail("there was always a target")
    (tmp_path / "out").mkdir()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("amp_datasets.storage.claim.write_file", full)
    with pytest.raises(BuildError, match="No space left"):
        growing(tmp_path / "out").__enter__()
    assert content(tmp_path / "out") == OLD


def test_only_the_two_whole_trees_are_ever_seen(target: Path) -> None:
    """A reader that lists the target all the time never finds it missing or mixed, where the system can exchange."""
    seen: set[str] = set()

    def look(event: str, _: object) -> None:
        if event.startswith("os.") and event != "os.listdir" and not seen & {"done"}:
            seen.add((target / "seal").read_text())

    sys.addaudithook(look)
    publish(target)
    seen.add("done")
    assert seen == {"old", "new", "done"}


PLANTED = ["tree", "shards", "owner", "lock", "mark", "replaced", "publishing", "kept-1", "itself", "hard"]


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_work_folder_leads_nowhere(tmp_path: Path, name: str) -> None:
    """Links in it, or in its place, to the user's files: it is refused, and they are as they were."""
    home, work = tmp_path / "home", tmp_path / ".out.amp-work"
    fill(home, {"ml/thesis": "years", ".bashrc": "mine"})
    if name == "itself":
        work.symlink_to(home / "ml")
    elif name == "hard":
        work.mkdir()
        os.link(home / ".bashrc", work / "owner")
    else:
        work.mkdir()
        (work / name).symlink_to(home / ("ml" if name in {"tree", "shards", "replaced", "kept-1"} else ".bashrc"))
    before = content(home)
    with pytest.raises(BuildError, match="not ours") as error:
        publish(tmp_path / "out")
    assert error.value.where == str(work)
    assert content(home) == before
    assert not (tmp_path / "out").exists()


def test_a_work_folder_that_was_shipped_is_not_used(tmp_path: Path) -> None:
    """Without a link in it, but not of this user's making: what lies in it is removed, not published."""
    fill(tmp_path / ".out.amp-work", {"tree/images/evil.jpg": "planted", "kept-1/tree/x": "planted", "mark": "0" * 64})
    publish(tmp_path / "out")
    assert content(tmp_path / "out") == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_link_in_the_old_folder_is_not_followed(tmp_path: Path) -> None:
    """A shipped folder whose `images` is the user's own: its files are neither removed nor written over."""
    fill(tmp_path / "photos", {"a.jpg": "holiday", "b.jpg": "holiday"})
    fill(tmp_path / "out", {"seal": "old"})
    (tmp_path / "out" / "images").symlink_to(tmp_path / "photos")
    with pytest.raises(BuildError, match="images"):
        publish(tmp_path / "out")
    assert content(tmp_path / "photos") == {"a.jpg": "holiday", "b.jpg": "holiday"}


def test_a_name_of_any_length_has_a_work_folder(tmp_path: Path) -> None:
    """255 bytes are what a file system takes for one name."""
    publish(tmp_path / ("x" * 255))
    publish(tmp_path / ("ä" * 127))
    assert len(list(tmp_path.iterdir())) == 2


def test_the_current_folder_and_a_mount_point_keep_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-o .` leaves the shell where it is, and a container's volume is written into."""
    fill(tmp_path / "here", {})
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    inode = Path().stat().st_ino
    publish(Path())
    assert Path().stat().st_ino == inode
    assert content(tmp_path / "here") == FILES
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(disk)], capture_output=True, check=False)
    except FileNotFoundError:
        return
    if mounted.returncode == 0:
        try:
            publish(disk)
            publish(disk)
            assert content(disk) == FILES
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=True)
