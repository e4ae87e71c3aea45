"""A machine that fails under a build: a clear error, the target intact, and nothing lost that was finished."""

from __future__ import annotations

import errno
import gc
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
from datasets.utils import tqdm
from small_builds import FILTERS, rebuild, small_build, tree, write_manifest, write_set
from test_resume import INPUT_ERROR, in_child
from tqdm.std import TqdmDefaultWriteLock

from amp_datasets.building import loaded
from amp_datasets.building import worker as making
from amp_datasets.building.api import build
from amp_datasets.errors import AmpError, BuildError, SourceError
from amp_datasets.exchange.conversion import export
from amp_datasets.images import decoding
from amp_datasets.ledger.verify import verify
from amp_datasets.model import ImageFile
from amp_datasets.plugin.discovery import load_formats
from amp_datasets.storage import folder as folders
from amp_datasets.storage import target as targets
from amp_datasets.variants import maker


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a set, a build of it, and a manifest that would make another one."""
    write_set(tmp_path / "set", 3)
    write_manifest(tmp_path / "amp.yaml", ["set"])
    rebuild(tmp_path)
    write_manifest(tmp_path / "amp.yaml", ["set"], FILTERS.replace("percent: 30", "percent: 40"), seed=5)
    return tmp_path


def assert_recovers(home: Path, before: dict[str, str]) -> None:
    """The target is as it was; a run on a sound machine then gives what a build from nothing gives."""
    assert tree(home / "build") == before
    rebuild(home)
    resumed = tree(home / "build")
    assert resumed != before
    assert [path.name for path in home.iterdir() if path.name.startswith(".")] == []
    shutil.rmtree(home / "build")
    rebuild(home)
    assert tree(home / "build") == resumed


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("limit", [0, 700, 1500, 2500, 4000, 6000])
def test_a_file_that_cannot_grow_is_an_error_of_ours(home: Path, limit: int, jobs: int) -> None:
    """A quota met by the images, the shards, the label files or the ledger, in parent or worker."""
    before = tree(home / "build")

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        rebuild(home, jobs=jobs)

    assert in_child(limited) == INPUT_ERROR
    assert_recovers(home, before)


def test_a_full_disk_behind_a_librarys_own_error_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As pyarrow and datasets do it: the file cannot be closed, and cleaning up writes into it once more."""

    def fail(*_: object, **__: object) -> None:
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            raise ValueError("I/O operation on closed file")

    monkeypatch.setattr("amp_datasets.building.engines.shards.Dataset.map", fail)
    with pytest.raises(BuildError, match="No space left"):
        rebuild(home)


@pytest.mark.parametrize(
    ("to", "limit"), [("coco", 30), ("createml", 30), ("huggingface", 30), ("yolo", 30), ("yolo-segment", 400)]
)
def test_a_label_file_that_is_cut_off_is_an_error_of_ours(tmp_path: Path, to: str, limit: int) -> None:
    """The disk takes the beginning of a file and no more (400: of rows, but all of data.yaml): never left behind."""
    write_set(tmp_path / "set", 2)

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        export(tmp_path / "set", to, tmp_path / "out", load_formats())

    assert in_child(limited) == INPUT_ERROR
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


# What `datasets` had in hand when the disk was full, it tries to write once more when it is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("free_kb", [0, 60, 150, 300, 400])
def test_a_full_disk_is_an_error_of_ours(home: Path, small_disk: Path, free_kb: int) -> None:
    """However much of the build fits on it before; the message says what to do."""
    target = small_disk / "build"
    shutil.copytree(home / "build", target)
    before = tree(target)
    stat = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(bytes(max(0, stat.f_bavail * stat.f_frsize - free_kb * 1024)))
    with pytest.raises(BuildError) as error:
        build(home / "amp.yaml", out=target, jobs=1)
    said = str(error.value)
    del error
    gc.collect()
    assert "No space left on device" in said
    assert "free some space" in said
    assert tree(target) == before
    (small_disk / "filler").unlink()
    build(home / "amp.yaml", out=target, jobs=1)
    assert verify(target).findings == []
    assert [path.name for path in small_disk.iterdir()] == ["build"]


def fail_once(operation: Callable[..., object], error: OSError, when: Callable[[Path], bool]) -> Callable[..., object]:
    """A method of Path that fails where `when` says so."""

    def failing(self: Path, *args: object, **kwargs: object) -> object:
        if when(self):
            raise error
        return operation(self, *args, **kwargs)

    return failing


@pytest.mark.parametrize("name", ["write_bytes", "write_text", "rename", "mkdir"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EACCES])
def test_a_target_that_fails_is_an_error_of_ours(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    """Full, read-only, broken or forbidden, in whatever is done to it."""
    before = tree(home / "build")
    with monkeypatch.context() as patch:
        error = OSError(code, os.strerror(code))
        patch.setattr(Path, name, fail_once(getattr(Path, name), error, lambda path: ".amp-work/tree" in str(path)))
        patch.setattr(targets, "exchange", lambda *_: False)  # as where a system cannot
        with pytest.raises(BuildError, match=os.strerror(code)):
            rebuild(home)
    assert_recovers(home, before)


def test_a_target_below_a_file_is_refused(tmp_path: Path) -> None:
    """As on a read-only disk, no folder can be made there."""
    write_set(tmp_path / "set", 1)
    write_manifest(tmp_path / "amp.yaml", ["set"])
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BuildError, match="cannot be written") as error:
        rebuild(tmp_path, out=tmp_path / "file" / "build")
    assert "choose another -o" in str(error.value.fix)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_target_in_a_forbidden_folder_is_refused(tmp_path: Path) -> None:
    """Without a traceback."""
    write_set(tmp_path / "set", 1)
    write_manifest(tmp_path / "amp.yaml", ["set"])
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(BuildError, match="cannot be written"):
        rebuild(tmp_path, out=tmp_path / "closed" / "build")


def after_preparing(action: Callable[[], object]) -> Callable[[str, int, int], None]:
    """A progress function that does something when all sources are read and no variant is made yet."""

    def progress(what: str, done: int, _total: int) -> None:
        if what == "making variants" and done == 0:
            action()

    return progress


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_source_that_vanishes_during_the_build_is_an_error(home: Path, jobs: int) -> None:
    """It cannot be a counted drop: the next run would give another set without a word."""
    before = tree(home / "build")
    kept = home / "set" / "images" / "train" / "demo_003.jpg"
    away = home / "away.jpg"
    with pytest.raises(SourceError, match="cannot be read") as error:
        rebuild(home, jobs=jobs, progress=after_preparing(lambda: kept.rename(away)))
    assert "demo_003.jpg" in str(error.value.where)
    away.rename(kept)
    assert_recovers(home, before)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_source_that_changes_during_the_build_is_an_error(home: Path, jobs: int) -> None:
    """Its labels were read for another image."""
    before = tree(home / "build")
    image = home / "set" / "images" / "train" / "demo_003.jpg"
    data = image.read_bytes()
    with pytest.raises(BuildError, match="changed during the build") as error:
        rebuild(home, jobs=jobs, progress=after_preparing(lambda: image.write_bytes(data + b"\n")))
    assert "demo_003.jpg" in str(error.value.where)
    image.write_bytes(data)
    assert_recovers(home, before)


def test_a_disk_that_fails_under_a_source_is_an_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read is no bad image: nobody knows what is in it."""
    before = tree(home / "build")
    read = folders.read_image_file

    def failing(file: ImageFile, limit: int) -> bytes:
        if file.path.name == "demo_002.jpg":
            raise folders.unreadable(OSError(errno.EIO, os.strerror(errno.EIO)), file)
        return read(file, limit)

    with monkeypatch.context() as patch:
        patch.setattr(loaded, "read_image_file", failing)
        with pytest.raises(SourceError, match="Input/output error"):
            rebuild(home)
    assert_recovers(home, before)


def test_a_disk_that_fails_while_sources_are_listed_is_an_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be listed is not an empty one."""
    before = tree(home / "build")

    def failing(_path: object) -> object:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(folders.os, "scandir", failing)
        with pytest.raises(AmpError, match="Input/output error"):
            rebuild(home)
    assert_recovers(home, before)


def test_a_worker_killed_for_memory_is_an_error_of_ours(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what happened most likely, and what to do."""
    before = tree(home / "build")
    parent = os.getpid()
    render = making.variant_pixels

    def killing(*args: object) -> object:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return render(*args)

    with monkeypatch.context() as patch:
        patch.setattr(making, "variant_pixels", killing)
        with pytest.raises(BuildError, match="memory ran out") as error:
            rebuild(home, jobs=2)
    assert "-j" in str(error.value.fix)
    assert_recovers(home, before)


def test_a_worker_that_is_killed_leaves_no_lock_behind(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress bars share one lock among forked processes; whoever died with it would stop the next build forever."""
    assert isinstance(tqdm.get_lock(), TqdmDefaultWriteLock)  # the shared one, made before the fork
    parent = os.getpid()
    render = making.variant_pixels

    def killing(*args: object) -> object:
        if os.getpid() != parent:
            tqdm.get_lock().acquire()
            os.kill(os.getpid(), signal.SIGKILL)
        return render(*args)

    with monkeypatch.context() as patch:
        patch.setattr(making, "variant_pixels", killing)
        with pytest.raises(BuildError, match="memory ran out"):
            rebuild(home, jobs=2)
    shared = TqdmDefaultWriteLock.mp_lock
    assert shared.acquire(timeout=10)
    shared.release()


def test_a_filter_that_breaks_costs_its_variants_alone(home: Path) -> None:
    """A bug in a plugin is named and counted; originals are built, and so is everything once it is repaired."""
    rebuild(home)
    before = tree(home / "build")

    def broken(*_args: object) -> object:
        raise ZeroDivisionError("a plugin's bug")

    def run() -> None:
        making.variant_pixels = broken
        shutil.rmtree(home / "build")
        report = rebuild(home, jobs=2)
        assert (report.originals, report.variants) == (3, 0)
        assert {loss.reason for loss in report.refused_variants} == {"a filter breaks on this image"}
        assert "ZeroDivisionError: a plugin's bug" in report.refused_variants[0].examples[0]

    assert in_child(run) == 0
    shutil.rmtree(home / "build")
    rebuild(home)
    assert tree(home / "build") == before


@pytest.mark.parametrize("jobs", [1, 2])
def test_memory_that_runs_out_is_no_bad_image(home: Path, jobs: int) -> None:
    """Whoever says so, Python, OpenCV or Pillow: the build stops with advice, and gives the same when run again."""
    rebuild(home)
    before = tree(home / "build")
    said = [MemoryError(), cv2.error("Insufficient memory"), OSError("out of memory error when reading image file")]
    said[1].code = cv2.Error.StsNoMem  # type: ignore[union-attr]
    for error in said:

        def short(*_args: object, error: Exception = error, **_more: object) -> object:
            raise error

        places = [(making, "variant_pixels"), (decoding.simplejpeg, "decode_jpeg"), (maker, "signature_of")]
        places += [(making, "described")] if isinstance(error, MemoryError) else []
        for module, name in places:

            def run(module: Any = module, name: str = name, short: Any = short) -> None:
                setattr(module, name, short)
                shutil.rmtree(home / "build", ignore_errors=True)
                with pytest.raises(BuildError, match="memory ran out") as caught:
                    rebuild(home, jobs=jobs)
                assert "-j" in str(caught.value.fix)

            assert in_child(run) == 0
    rebuild(home)
    assert tree(home / "build") == before


def test_a_clock_that_goes_backwards_changes_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the machine's time nor that of files has a say."""
    now = [4e9]

    def backwards() -> float:
        now[0] -= 1000
        return now[0]

    rebuild(home)
    first = tree(home / "build")
    for file in (*(home / "set").rglob("*"), *(home / "build").rglob("*")):
        os.utime(file, (5e9, 5e9))
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", backwards)
        report = rebuild(home)
        assert report.reused == report.originals + report.variants
        assert tree(home / "build") == first
        shutil.rmtree(home / "build")
        rebuild(home)
    assert tree(home / "build") == first


def test_more_label_files_than_a_lock_holds_are_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is made; without the format that writes them the same build goes."""
    from amp_datasets.ledger import lock

    small_build(tmp_path)
    size = (tmp_path / "build" / "amp.lock.json").stat().st_size
    labels = list((tmp_path / "build" / "labels").rglob("*.txt"))
    monkeypatch.setattr(lock, "MAX_LOCK_BYTES", 100 * len(labels))
    with pytest.raises(BuildError, match="too many label files") as error:
        rebuild(tmp_path, out=tmp_path / "more")
    assert "yolo" in str(error.value.fix)
    assert not (tmp_path / "more").exists()
    monkeypatch.setattr(lock, "MAX_LOCK_BYTES", size)
    rebuild(tmp_path, out=tmp_path / "more", settings=["exports=[coco, hf]"])
    assert (tmp_path / "more" / "amp.lock.json").is_file()
