"""Builds on Ray: the same bytes after random kills of workers and nodes, and the throughput beside local workers.

    python benchmarks/cluster.py                 20 kills, and 5 rounds of throughput
    python benchmarks/cluster.py --kills 100 --rounds 0

Each of the killed builds runs on two nodes (processes of this machine) and loses, each at a random moment, a worker and
the second node; it must end as the local build, byte for byte. For the throughput both engines make the same build by
two workers, in turns, each in a process of its own; the clock starts when workers and cluster are there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4, "RAY_USAGE_STATS_ENABLED": "0"}

import measuring
import sets
import ways
from small_builds import rebuild, tree, write_manifest, write_set

PORT = 6393  # outside of the 10,000 that Ray takes for its workers
IMAGES, WARM = 12, 2
WAIT_S = 240


def main() -> None:
    """The command line, and the program of the children."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20, help="builds that lose a worker and a node (default: 20)")
    parser.add_argument("--rounds", type=int, default=5, help="of throughput (default: 5)")
    parser.add_argument("--images", type=int, default=100, help="of 640x480 in a round, 20 variants each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", nargs=3, metavar=("ENGINE", "SET", "OUT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child[0], Path(args.child[1]), Path(args.child[2]))
        return
    try:
        import psutil
        import ray
    except ImportError as error:
        print(f"skipped: {error}; pip install '.[scale]'")
        return
    measuring.describe_machine("ray")
    if args.rounds:
        throughput(args.rounds, args.images)
    if args.kills:
        kills(ray, psutil, args.kills, random.Random(args.seed))


def throughput(rounds: int, images: int) -> None:
    """The table of both engines."""
    folder = sets.drawn(images, (640, 480))
    found: dict[str, list[dict[str, float]]] = {"local": [], "ray": []}
    with tempfile.TemporaryDirectory(dir=sets.CACHE) as work:
        for number in range(rounds):
            for engine in ("local", "ray") if number % 2 == 0 else ("ray", "local"):
                measuring.note(f"round {number + 1} of {rounds}: {engine}")
                out = Path(work) / engine
                usage = measuring.measure([sys.executable, __file__, "--child", engine, str(folder), str(out)])
                told = json.loads(out.with_suffix(".json").read_text())
                found[engine].append({**told, "memory": usage.peak_mb, "largest": max(usage.first_mb, usage.other_mb)})
                shutil.rmtree(out)
    variants = images * ways.VARIANTS
    measuring.heading(f"{variants} variants of 640x480 by two workers, median of {rounds} rounds")
    rows = []
    for engine, each in found.items():
        middle = {key: statistics.median(one[key] for one in each) for key in each[0]}
        speed = statistics.median(mine["wall"] / one["wall"] for mine, one in zip(found["local"], each, strict=True))
        rows.append([engine, *(f"{middle[key]:.1f}" for key in ("wall", "cpu")), f"{speed:.2f}"])
        rows[-1] += [f"{middle[key]:.0f}" for key in ("memory", "largest")]
    header = ["engine", "wall s", "CPU s", "throughput of local", "MB in all (PSS)", "MB in the largest process"]
    measuring.table(header, rows)


def child(engine: str, folder: Path, out: Path) -> None:
    """One build after a small one, which starts the workers of a cluster and loads what they need."""
    sys.modules.setdefault("albumentations.pytorch", None)  # type: ignore[arg-type] # as the `amp` command does
    import psutil

    from amp_datasets.building.api import build
    from amp_datasets.plugin.discovery import load_registry

    load_registry()
    options: dict[str, Any] = {"jobs": 2}
    if engine == "ray":
        import ray

        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        options = {"jobs": 2, "engine": "ray"}
        with tempfile.TemporaryDirectory(dir=sets.CACHE) as work:
            build(ways.MANIFEST, out=Path(work) / "warm", sources=[folder], limit=WARM, **options)
    measuring.mark()
    before, started = cpu(psutil), time.monotonic()
    build(ways.MANIFEST, out=out, sources=[folder], **options)
    told = {"wall": time.monotonic() - started, "cpu": cpu(psutil) - before}
    out.with_suffix(".json").write_text(json.dumps(told))


def cpu(psutil: Any) -> float:
    """CPU seconds of this process and all that it started, those that have ended included."""
    total = 0.0
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            total += sum(process.cpu_times()[:4])
    return total


def kills(ray: Any, psutil: Any, count: int, chance: random.Random) -> None:
    """Builds that lose a worker and a node. Raises AssertionError where the tree is another."""
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        write_set(home / "set", IMAGES)
        write_manifest(home / "amp.yaml", ["set"], splits="{train: 0.7, validation: 0.3}")
        rebuild(home)
        whole = tree(home / "build")
        head = node("--head", f"--port={PORT}", "--include-dashboard=false")
        try:
            wait(lambda: answers(PORT))
            ray.init(address=f"127.0.0.1:{PORT}", log_to_driver=False, logging_level="ERROR")
            lost = [disturbed(ray, psutil, home, whole, chance, number) for number in range(count)]
        finally:
            ray.shutdown()
            end(psutil, head)
    workers, nodes = (sum(each) for each in zip(*lost, strict=True))
    print(f"{count} builds lost {workers} workers and {nodes} nodes at work: all the same tree as local, byte for byte")


def disturbed(
    ray: Any, psutil: Any, home: Path, whole: dict[str, str], chance: random.Random, number: int
) -> tuple[bool, bool]:
    """One build; whether a worker and a node were killed before it had ended."""
    second = node(f"--address=127.0.0.1:{PORT}")
    lost = {"worker": False, "node": False}
    over = threading.Event()

    def kill(what: str, after_s: float) -> None:
        if over.wait(after_s):
            return
        if what == "node":
            end(psutil, second)
            lost[what] = True
        while what == "worker" and not lost[what] and not over.wait(0.05):
            for pid in chance.sample(found := busy(psutil), min(1, len(found))):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                    lost[what] = True

    try:
        wait(lambda: sum(each["Alive"] for each in ray.nodes()) == 2)
        threads = [threading.Thread(target=kill, args=(what, chance.uniform(0.2, 4))) for what in lost]
        for thread in threads:
            thread.start()
        rebuild(home, out=home / "disturbed", engine="ray")
        over.set()
        for thread in threads:
            thread.join()
        assert tree(home / "disturbed") == whole, "the tree is another"
    finally:
        over.set()
        end(psutil, second)
        shutil.rmtree(home / "disturbed", ignore_errors=True)
    wait(lambda: sum(each["Alive"] for each in ray.nodes()) == 1)
    measuring.note(f"{number + 1}: {', '.join(what for what, was in lost.items() if was) or 'had ended before'}")
    return lost["worker"], lost["node"]


def busy(psutil: Any) -> list[int]:
    """The processes that make shards right now, on any node."""
    every = psutil.process_iter(["cmdline"])
    return [each.pid for each in every if "".join((each.info["cmdline"] or [])[:1]).startswith("ray::_make")]


def node(*options: str) -> subprocess.Popen[bytes]:
    """A node of a cluster, as processes of this machine."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1", *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def end(psutil: Any, started: subprocess.Popen[bytes]) -> None:
    """Kill a node with all that belongs to it, without a word."""
    with contextlib.suppress(psutil.Error):
        for process in [psutil.Process(started.pid), *psutil.Process(started.pid).children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                process.kill()
    started.wait()


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def wait(condition: Any) -> None:
    """Until something is so. Raises TimeoutError if it never is."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the cluster does not come up, or a node does not go")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
