"""A build on a Ray cluster: the same bytes as on this machine, whatever dies on the way."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_builds import rebuild, tree, write_manifest, write_set

import amp_datasets as amp
from amp_datasets.building.engines import cluster
from amp_datasets.errors import BuildError

# Before Ray is imported: nodes and driver of the test share a token of their own.
os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"] = "token", "0123456789abcdef" * 4
ray = pytest.importorskip("ray")
psutil = pytest.importorskip("psutil")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.xdist_group("ray"),
]
PORT = 6391  # outside of the 10,000 that Ray takes for its workers


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set, its manifest, and what a plain build makes of it."""
    home = tmp_path_factory.mktemp("ray")
    write_set(home / "set", 12)
    write_manifest(home / "amp.yaml", ["set"], splits="{train: 0.7, validation: 0.3}")
    rebuild(home)
    return home


@pytest.fixture
def one_node(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cluster of two workers in this process's care."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


def workers() -> list[int]:
    """The processes that make shards right now, or are idle and will."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "".join(process.cmdline()[:1]).startswith(("ray::_make", "ray::_look", "ray::IDLE")):
                found.append(process.pid)
    return found


def test_a_cluster_makes_the_local_bytes(home: Path, one_node: None) -> None:
    """Every file of the build, and the progress is told."""
    told: list[tuple[str, int, int]] = []
    out = home / "on_ray"
    report = amp.build(home / "amp.yaml", out=out, engine="ray", jobs=1, progress=lambda *step: told.append(step))
    assert tree(out) == tree(home / "build")
    assert report.sources == 12
    assert ("making variants", 12, 12) in told
    assert not amp.verify(out).findings


def test_workers_may_be_killed(home: Path, one_node: None) -> None:
    """Up to eight of them, at random moments: their shards are made again by others."""
    over, killed, rng = threading.Event(), list[int](), random.Random(0)

    def kill() -> None:
        while not over.is_set() and len(killed) < 8:
            time.sleep(rng.uniform(0.1, 0.6))
            for pid in rng.sample(found := workers(), min(1, len(found))):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        amp.build(home / "amp.yaml", out=home / "killed", engine="ray", jobs=1)
    finally:
        over.set()
        killer.join()
    assert killed
    assert tree(home / "killed") == tree(home / "build")


def start(*options: str) -> subprocess.Popen[bytes]:
    """A node of a cluster, as processes of this machine that end with it."""
    command = [str(Path(sys.executable).parent / "ray"), "start", "--block", "--num-cpus=1", *options]
    if not Path(command[0]).exists():
        command[:1] = [sys.executable, "-m", "ray.scripts.scripts"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    return subprocess.Popen(command, env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}, **quiet)


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def end(node: subprocess.Popen[bytes]) -> None:
    """Kill a node with all that belongs to it, without a word."""
    family = [psutil.Process(node.pid), *psutil.Process(node.pid).children(recursive=True)]
    for process in family:
        with contextlib.suppress(psutil.Error):
            process.kill()
    node.wait()


def test_a_node_may_be_killed(home: Path) -> None:
    """Of two, while both make shards: the other one makes all that is left."""
    head = start("--head", f"--port={PORT}", "--include-dashboard=false")
    address, second = f"127.0.0.1:{PORT}", None
    try:
        deadline = time.monotonic() + 240
        while not answers(PORT):
            assert head.poll() is None, "the cluster does not start"
            assert time.monotonic() < deadline, "the cluster does not start"
            time.sleep(0.5)
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        second = start(f"--address={address}")
        while sum(node["Alive"] for node in ray.nodes()) < 2:
            assert time.monotonic() < deadline, "the second node does not start"
            time.sleep(0.5)
        seen = []

        def kill_at_half(what: str, done: int, of: int) -> None:
            if what == "making variants" and done >= of // 4 and not seen and second is not None:
                seen.append(done)
                end(second)

        amp.build(home / "amp.yaml", out=home / "halved", engine="ray", jobs=1, progress=kill_at_half)
        assert seen
        assert tree(home / "halved") == tree(home / "build")
    finally:
        ray.shutdown()
        for node in (second, head):
            if node is not None and node.poll() is None:
                end(node)


def test_another_version_on_a_node_is_refused(home: Path, tmp_path: Path, one_node: None) -> None:
    """Before the first shard, with both numbers."""
    known = cluster.made_with

    def other(*given: Any) -> dict[str, str]:
        return {**known(*given), "numpy": "0.1"}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "made_with", other)
        with pytest.raises(BuildError, match=r"other versions: numpy was 0\.1, is"):
            amp.build(home / "amp.yaml", out=tmp_path / "out", engine="ray", jobs=1)
    assert not (tmp_path / "out").exists()


def test_a_stopped_build_goes_on(home: Path, one_node: None) -> None:
    """Ctrl-C ends the shards that are being made; the next run has what was finished."""

    def stop(what: str, done: int, of: int) -> None:
        if what == "making variants" and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        amp.build(home / "amp.yaml", out=home / "stopped", engine="ray", jobs=1, progress=stop)
    report = amp.build(home / "amp.yaml", out=home / "stopped", engine="ray", jobs=1)
    assert report.reused
    assert tree(home / "stopped") == tree(home / "build")


def test_a_cluster_that_is_not_there_is_told(home: Path, tmp_path: Path) -> None:
    """With the address, and nothing is left behind; as are engines that do not exist."""
    with pytest.raises(BuildError, match="Ray cannot be reached") as error:
        amp.build(home / "amp.yaml", out=tmp_path / "out", engine="ray", address="127.0.0.1:9")
    assert error.value.where == "127.0.0.1:9"
    assert not (tmp_path / "out").exists()
    with pytest.raises(BuildError, match="no engine"):
        amp.build(home / "amp.yaml", out=tmp_path / "out", engine="spark")  # type: ignore[arg-type]
    with pytest.raises(BuildError, match="Ray alone"):
        amp.build(home / "amp.yaml", out=tmp_path / "out", address="127.0.0.1:9")
