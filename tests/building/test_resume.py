"""A build that is cut off at any point goes on when it is run again, and ends as if nothing had happened.

Moments are counted in file operations, not in time: the n-th one kills, interrupts or is let through.
"""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from small_builds import FILTERS, ledger, rebuild, tree, variants, write_manifest, write_set

from amp_datasets.errors import AmpError, BuildError
from amp_datasets.ledger.verify import verify

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks and kills as Linux does")

IMAGES = 4
OPERATIONS = frozenset({"open", "os.rename", "os.mkdir", "os.link", "os.remove", "os.rmdir", "os.scandir"})
INPUT_ERROR, INTERRUPTED, BROKEN = 2, 130, 99
PATIENCE_S = 60
"""How long to wait for something that would otherwise last for ever."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a set, its manifest and the unbroken build of it. Copy it, never write to it."""
    folder = tmp_path_factory.mktemp("resume")
    write_set(folder / "set", IMAGES)
    write_manifest(folder / "amp.yaml", ["set"])
    rebuild(folder)
    return folder


@pytest.fixture
def home(whole: Path, tmp_path: Path) -> Path:
    """The same without the build."""
    shutil.copytree(whole / "set", tmp_path / "set")
    shutil.copyfile(whole / "amp.yaml", tmp_path / "amp.yaml")
    return tmp_path


def in_child(action: Callable[[], object]) -> int:
    """Run something in a forked process; its exit code, or minus its signal, once all processes it began are gone.

    Each of them holds the pipe's other end, so that its end can be seen without asking for process ids.
    """
    cv2.setNumThreads(1)  # a child must not be the first to do this
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        code = BROKEN
        try:
            code = _outcome(action, writer)
        finally:
            os._exit(code)
    os.close(writer)
    said = _read_to_end(reader, pid)
    status = os.waitpid(pid, 0)[1]
    print(said)
    return os.waitstatus_to_exitcode(status)


def _outcome(action: Callable[[], object], writer: int) -> int:
    try:
        action()
    except AmpError as error:
        os.write(writer, str(error).encode())
        return INPUT_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseException:
        os.write(writer, traceback.format_exc().encode())
        return BROKEN
    return 0


def _read_to_end(reader: int, pid: int) -> str:
    """What the child said; the end comes when the last process that it began is gone."""
    said = b""
    while select.select([reader], [], [], PATIENCE_S)[0]:
        part = os.read(reader, 65536)
        said += part
        if not part:
            os.close(reader)
            return said.decode()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    pytest.fail(f"a process outlived the build: {said.decode()}")


def at_operation(number: int, signal_number: int, *, worker: bool = False) -> None:
    """Send this process a signal before its n-th file operation; with `worker`, the processes that it begins."""
    parent, count = os.getpid(), 0

    def hook(event: str, _arguments: object) -> None:
        nonlocal count
        if event in OPERATIONS and (os.getpid() != parent) is worker:
            count += 1
            if count == number:
                os.kill(os.getpid(), signal_number)

    sys.addaudithook(hook)


def at_file(name: str, signal_number: int) -> None:
    """Send this process a signal before it writes a file of that name."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and str(arguments[0]).endswith(name):
            os.kill(os.getpid(), signal_number)

    sys.addaudithook(hook)


def operations(folder: Path, jobs: int) -> int:
    """How many file operations the parent of an unbroken build makes."""
    reader, writer = os.pipe()

    def counted() -> None:
        parent, count = os.getpid(), 0

        def hook(event: str, _arguments: object) -> None:
            nonlocal count
            count += event in OPERATIONS and os.getpid() == parent

        sys.addaudithook(hook)
        rebuild(folder, jobs=jobs)
        os.write(writer, str(count).encode())

    assert in_child(counted) == 0
    os.close(writer)
    with os.fdopen(reader) as stream:
        return int(stream.read())


def assert_whole(folder: Path, whole: Path) -> None:
    """The build is the unbroken one to the last byte, and nothing lies beside it."""
    assert tree(folder / "build") == tree(whole / "build")
    assert sorted(path.name for path in folder.iterdir()) == ["amp.yaml", "build", "set"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_build_goes_on(whole: Path, home: Path, jobs: int) -> None:
    """Killed at seven random moments of its whole life, then run again: the unbroken tree, nothing left over."""
    total = operations(home, jobs)
    random_moments = random.Random(jobs).sample(range(1, total), 7)
    for moment in random_moments:
        shutil.rmtree(home / "build", ignore_errors=True)

        def killed(moment: int = moment) -> None:
            at_operation(moment, signal.SIGKILL)
            rebuild(home, jobs=jobs)

        assert in_child(killed) == -signal.SIGKILL, f"operation {moment} of {total}"
        rebuild(home, jobs=jobs)
        assert_whole(home, whole)


def test_a_build_whose_worker_is_killed_goes_on(whole: Path, home: Path) -> None:
    """As the kernel does when memory runs out: an error of ours, the others stopped, and the next run goes on."""
    for moment in random.Random(3).sample(range(1, 20), 6):
        shutil.rmtree(home / "build", ignore_errors=True)

        def killed(moment: int = moment) -> None:
            at_operation(moment, signal.SIGKILL, worker=True)
            rebuild(home, jobs=2)

        assert in_child(killed) == INPUT_ERROR, f"operation {moment}"
        assert not (home / "build").exists()
        rebuild(home, jobs=2)
        assert_whole(home, whole)


def test_a_build_killed_while_it_replaces_another_leaves_one_of_them(whole: Path, home: Path) -> None:
    """At each operation of its last part: the old build or the new one stands at the target or comes back."""
    rebuild(home)
    old = tree(home / "build")
    write_manifest(home / "amp.yaml", ["set"], seed=4)
    shutil.copytree(home / "build", home / "kept")
    total = operations(home, 1)
    new = tree(home / "build")
    for moment in range(total - 8, total + 1):
        shutil.rmtree(home / "build")
        shutil.copytree(home / "kept", home / "build")

        def killed(moment: int = moment) -> None:
            at_operation(moment, signal.SIGKILL)
            rebuild(home)

        assert in_child(killed) in {-signal.SIGKILL, 0}
        assert not (home / "build").exists() or tree(home / "build") in (old, new)
        rebuild(home)
        assert tree(home / "build") == new
        assert sorted(path.name for path in home.iterdir()) == ["amp.yaml", "build", "kept", "set"]


def test_finished_shards_are_not_made_again(home: Path, whole: Path) -> None:
    """What was done before the kill is reused; only the shard in work is lost."""

    def killed() -> None:
        at_file("demo_003__flip.jpg", signal.SIGKILL)
        rebuild(home)

    assert in_child(killed) == -signal.SIGKILL
    report = rebuild(home)
    assert report.reused == 2 * len(ledger(home / "build")) // IMAGES
    assert_whole(home, whole)


def test_a_manifest_changed_after_a_kill_keeps_what_it_does_not_touch(home: Path) -> None:
    """The rows of the cut-off run serve the next one, whatever else it makes."""

    def killed() -> None:
        at_file("demo_003__flip.jpg", signal.SIGKILL)
        rebuild(home)

    assert in_child(killed) == -signal.SIGKILL
    write_manifest(home / "amp.yaml", ["set"], FILTERS.replace("percent: 30", "percent: 40"))
    report = rebuild(home)
    assert report.reused == 2 * (len(ledger(home / "build")) // IMAGES - 1)
    resumed = tree(home / "build")
    shutil.rmtree(home / "build")
    rebuild(home)
    assert tree(home / "build") == resumed


def test_kills_in_a_row_add_up(home: Path, whole: Path) -> None:
    """Each run keeps what those before it finished."""
    for number in (2, 3, 4):

        def killed(number: int = number) -> None:
            at_file(f"demo_00{number}__flip.jpg", signal.SIGKILL)
            rebuild(home)

        assert in_child(killed) == -signal.SIGKILL
    assert rebuild(home).reused == 3 * len(ledger(home / "build")) // IMAGES
    assert_whole(home, whole)


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_stops_at_once_and_can_be_resumed(whole: Path, home: Path, jobs: int) -> None:
    """KeyboardInterrupt comes out (the command line makes 130 of it), no worker stays, the target is as it was."""
    total = operations(home, jobs)
    for moment in random.Random(7).sample(range(total // 3, total - 8), 3):
        shutil.rmtree(home / "build", ignore_errors=True)

        def interrupted(moment: int = moment) -> None:
            at_operation(moment, signal.SIGINT)
            rebuild(home, jobs=jobs)

        assert in_child(interrupted) == INTERRUPTED
        assert not (home / "build").exists()
        rebuild(home, jobs=jobs)
        assert_whole(home, whole)


def test_no_worker_outlives_a_killed_parent(home: Path, whole: Path) -> None:
    """Workers that wait for more work go with it too."""

    def killed() -> None:
        def kill(_what: str, done: int, _total: int) -> None:
            if done:
                os.kill(os.getpid(), signal.SIGKILL)

        rebuild(home, jobs=2, progress=kill)

    assert in_child(killed) == -signal.SIGKILL
    rebuild(home, jobs=2)
    assert_whole(home, whole)


def test_files_that_a_power_cut_emptied_are_made_again(whole: Path, home: Path) -> None:
    """A rename may reach the disk before the bytes do: rows of such files are not believed."""

    def killed() -> None:
        at_file("demo_004__flip.jpg", signal.SIGKILL)
        rebuild(home)

    assert in_child(killed) == -signal.SIGKILL
    work = home / ".build.amp-work"
    for number, file in enumerate(sorted((work / "tree" / "images").rglob("*.jpg"))):
        if number % 3 == 0:
            file.write_bytes(b"")
    shards = sorted((work / "shards").glob("shard-*.arrow"))
    shards[0].write_bytes(b"")
    shards[1].write_bytes(shards[1].read_bytes()[:-300])
    rebuild(home)
    assert_whole(home, whole)


def test_a_damaged_build_is_mended_by_building_again(whole: Path, home: Path) -> None:
    """`verify` says build it again, and that is enough."""
    rebuild(home)
    images = sorted((home / "build").rglob("*.jpg"))
    # Files are shared by hard links with whatever was built from them, so a new one is put in the place.
    images[0].unlink()
    images[0].write_bytes(b"spoilt")
    images[1].unlink()
    assert len(verify(home / "build").findings) == 2
    rebuild(home)
    assert_whole(home, whole)
    (home / "build" / "ledger.parquet").write_bytes(b"spoilt")
    rebuild(home)
    assert_whole(home, whole)


def test_variants_of_a_resumed_build_are_those_of_an_unbroken_one(whole: Path, home: Path) -> None:
    """The same digests for every source and name."""
    rebuild(home, jobs=2)
    assert variants(home / "build") == variants(whole / "build")


def test_a_second_build_into_one_target_is_told_who_holds_it(home: Path) -> None:
    """The first goes on undisturbed; the message names the process."""
    errors: list[BuildError] = []

    def second(_what: str, _done: int, _total: int) -> None:
        if not errors:
            with pytest.raises(BuildError, match="another command is writing here") as caught:
                rebuild(home)
            errors.append(caught.value)

    rebuild(home, progress=second)
    assert f"process {os.getpid()} on " in errors[0].what
    assert verify(home / "build").findings == []
