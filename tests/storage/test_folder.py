"""A set's files in a directory and in an archive, with whatever should not be among them."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
from builders import write_files

from amp_datasets.errors import SourceError
from amp_datasets.storage import members
from amp_datasets.storage.folder import Folder, open_folder, with_archives


def archive(path: Path, members: dict[str, bytes]) -> Path:
    """A zip whose members have exactly these names."""
    with zipfile.ZipFile(path, "w") as opened:
        for name, content in members.items():
            opened.writestr(zipfile.ZipInfo(name), content)
    return path


def test_only_regular_files_inside_are_part_of_a_folder(tmp_path: Path) -> None:
    """Hidden files, pipes, and links that lead out are not; links within are."""
    outside = write_files(tmp_path / "outside", {"secret.txt": "x"})
    inside = write_files(tmp_path / "set", {"b/a.txt": "1", "A.TXT": "2", ".hidden": "3", ".git/x.txt": "4"})
    (inside / "out.txt").symlink_to(outside / "secret.txt")
    (inside / "dangling.txt").symlink_to(inside / "gone.txt")
    (inside / "outdir").symlink_to(outside)
    (inside / "in.txt").symlink_to(inside / "A.TXT")
    os.mkfifo(inside / "pipe.txt")
    folder = open_folder(inside)
    assert folder.files == ("A.TXT", "b/a.txt", "in.txt")
    assert folder.with_suffix(".txt") == ["A.TXT", "b/a.txt", "in.txt"]
    assert "b/a.txt" in folder
    assert "out.txt" not in folder
    assert folder.left_out == {"out.txt": str(outside / "secret.txt"), "outdir": str(outside)}


def test_links_out_of_a_folder_are_followed_where_that_is_asked(tmp_path: Path) -> None:
    """As with images on a disk of their own; each folder once, so that a circle of links ends."""
    outside = write_files(tmp_path / "disk", {"a.jpg": "x", "sub/b.jpg": "y"})
    inside = write_files(tmp_path / "set", {"labels.txt": "1"})
    (inside / "images").symlink_to(outside)
    (outside / "again").symlink_to(outside)
    (outside / "back").symlink_to(inside)
    (inside / "loop").symlink_to(inside / "loop")
    assert open_folder(inside).files == ("labels.txt",)
    followed = open_folder(inside, follow_links=True)
    assert followed.files == ("images/a.jpg", "images/sub/b.jpg", "labels.txt")
    assert followed.read("images/sub/b.jpg") == b"y"


def test_members_that_climb_out_are_not_part_of_an_archive(tmp_path: Path) -> None:
    """`..`, absolute paths and hidden files are left out, in either slash."""
    names = ["../x.txt", "/etc/x.txt", "a/../../x.txt", "..\\x.txt", "a\\..\\..\\x.txt", "__MACOSX/x.txt", ".x", "a/.x"]
    folder = Folder(archive(tmp_path / "s.zip", dict.fromkeys([*names, "good.txt", "sub/"], b"")))
    assert folder.files == ("good.txt",)


def test_backslashes_of_windows_archives_are_folders(tmp_path: Path) -> None:
    """Such members are found by forward slashes and read by their own name."""
    folder = Folder(archive(tmp_path / "s.zip", {"train\\a.txt": b"content"}))
    assert folder.files == ("train/a.txt",)
    assert folder.read("train/a.txt") == b"content"


def test_an_archive_of_one_directory_is_entered(tmp_path: Path) -> None:
    """Names are relative to that directory; the bytes are those of the whole path."""
    folder = open_folder(archive(tmp_path / "s.zip", {"top/a.txt": b"1", "top/b/c.txt": b"2"}))
    assert folder.files == ("a.txt", "b/c.txt")
    assert (folder.read("b/c.txt"), folder.head("b/c.txt", 10)) == (b"2", b"2")
    assert folder.path("a.txt").endswith("s.zip!top/a.txt")


@pytest.mark.parametrize("zipped", [False, True])
def test_limits_are_kept(zipped: bool, tmp_path: Path) -> None:
    """A file above the limit is refused before it fills the memory; its head can be read."""
    content = b"x" * 1000
    place = (
        archive(tmp_path / "s.zip", {"a.txt": content}) if zipped else write_files(tmp_path / "s", {"a.txt": content})
    )
    folder = open_folder(place)
    assert folder.head("a.txt", 10) == b"x" * 10
    assert folder.read("a.txt", 1000) == content
    with pytest.raises(SourceError, match="limit"):
        folder.read("a.txt", 999)


def test_damage_is_an_error_of_ours(tmp_path: Path) -> None:
    """A missing source, a file that is no archive, a member whose bytes were changed, a file that vanished."""
    with pytest.raises(SourceError, match="missing"):
        Folder(tmp_path / "gone")
    with pytest.raises(SourceError, match="neither a folder nor a zip"):
        Folder(write_files(tmp_path, {"x.zip": "not a zip"}) / "x.zip")
    broken = archive(tmp_path / "s.zip", {"a.txt": b"content"})
    broken.write_bytes(broken.read_bytes().replace(b"content", b"CONTENT"))
    with pytest.raises(SourceError, match="cannot be read"):
        Folder(broken).read("a.txt")
    folder = Folder(write_files(tmp_path / "set", {"a.txt": "1"}))
    (tmp_path / "set/a.txt").unlink()
    for read in (folder.read, lambda name: folder.head(name, 5)):
        with pytest.raises(SourceError, match="cannot be read"):
            read("a.txt")


def test_a_forked_process_opens_the_archive_anew(tmp_path: Path) -> None:
    """Parent and child would move one file position; each reads its own members."""
    members = {f"{i}.txt": str(i).encode() * 5000 for i in range(40)}
    folder = Folder(archive(tmp_path / "s.zip", members))
    assert folder.read("0.txt") == members["0.txt"]
    child = os.fork()
    good = all(folder.read(name) == content for _ in range(5) for name, content in members.items())
    if child == 0:
        os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert good


@pytest.mark.parametrize("second", ["images/a.jpg", "images\\a.jpg"])
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_two_members_of_one_name_are_refused(tmp_path: Path, second: str) -> None:
    """In either spelling: the first image would vanish, and its labels go to the other."""
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        file.writestr("images/a.jpg", b"one")
        file.writestr(second, b"two")
        file.filelist[-1].filename = second
    with pytest.raises(SourceError, match=r"two members of the archive have the name 'images/a\.jpg'"):
        open_folder(tmp_path / "set.zip")


def test_links_in_a_circle_are_no_files(tmp_path: Path) -> None:
    """A link to itself, two to each other; and one that is the set itself."""
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.txt").write_text("a")
    (tmp_path / "set" / "itself").symlink_to("itself")
    (tmp_path / "set" / "one").symlink_to("other")
    (tmp_path / "set" / "other").symlink_to("one")
    (tmp_path / "loop").symlink_to("loop")
    assert open_folder(tmp_path / "set").files == ("a.txt",)
    with pytest.raises(SourceError, match="missing"):
        open_folder(tmp_path / "loop")


def test_archives_are_folders_of_their_names(tmp_path: Path) -> None:
    """Read in place, but not where the folder is there already; a broken one is an error that names it."""
    write_files(tmp_path, {"data/test/x.txt": "unpacked"})
    for name in ("train", "test"):
        archive(tmp_path / f"data/{name}.zip", {f"sub/{name}.txt": name.encode(), "../out.txt": b"climbs"})
    folder = with_archives(open_folder(tmp_path))
    assert folder.files == ("data/test.zip", "data/test/x.txt", "data/train.zip", "data/train/sub/train.txt")
    assert folder.read("data/train/sub/train.txt") == b"train"
    assert "data/train/sub/train.txt" in folder
    (tmp_path / "data/other.zip").write_bytes(b"no archive")
    with pytest.raises(SourceError, match="neither a folder nor a zip archive"):
        with_archives(open_folder(tmp_path))


def test_a_member_that_unpacks_to_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Much more than it has packed, and more than a little: its beginning is read, and no more."""
    monkeypatch.setattr(members, "MAX_UNPACKED_BYTES", 10_000)
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("set/bomb.json", b"[" + b" " * 1_000_000 + b"]")
        file.writestr("set/small.json", b"[" + b" " * 9_000 + b"]")
    folder = open_folder(tmp_path / "set.zip")
    assert len(folder.read("small.json")) == 9_002
    with pytest.raises(SourceError, match="unpacks to more than the limit"):
        folder.read("bomb.json")
