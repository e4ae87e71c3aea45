"""The process that calls us is after a call as it was before: nothing that belongs to everybody in it is changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from small_builds import write_manifest, write_set

PROGRAM = '''
import gc, json, locale, logging, multiprocessing, os, random, resource, signal, sys, threading, warnings
from pathlib import Path

import albumentations, scipy.sparse  # these, and torch with them, set filters of warnings while they are imported
import cv2, datasets, imagehash, numpy as np, PIL.Image, PIL.ImageFile, PIL.PngImagePlugin
from datasets.utils import are_progress_bars_disabled, tqdm

import amp_datasets as amp

C_CALLS = []
sys.addaudithook(lambda event, args: C_CALLS.append(args[1]) if event == "ctypes.dlsym" else None)


def snapshot():
    """What a library could change for everybody in the process, as text."""
    numpy_state = np.random.get_state()
    state = {
        "cv2 threads": cv2.getNumThreads(),
        "cv2 optimized": cv2.useOptimized(),
        "progress bars off": are_progress_bars_disabled(),
        "datasets verbosity": datasets.logging.get_verbosity(),
        "datasets caching": datasets.is_caching_enabled(),
        "progress lock": id(tqdm.get_lock()),
        "bomb limit": PIL.Image.MAX_IMAGE_PIXELS,
        "truncated images": PIL.ImageFile.LOAD_TRUNCATED_IMAGES,
        "png text": PIL.PngImagePlugin.MAX_TEXT_CHUNK,
        "pillow open": PIL.Image.open.__module__,
        "numpy errors": np.geterr(),
        "numpy print": np.get_printoptions(),
        "numpy random": [str(numpy_state[0]), numpy_state[1].tolist(), numpy_state[2:]],
        "random": random.getstate(),
        "warning filters": warnings.filters,
        "show warning": warnings.showwarning.__module__,
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "locale": locale.setlocale(locale.LC_ALL),
        "start method": multiprocessing.get_start_method(allow_none=True),
        "signals": [signal.getsignal(number) for number in signal.valid_signals()],
        "hooks": [sys.excepthook.__module__, threading.excepthook.__module__, sys.displayhook.__module__],
        "streams": [id(sys.stdout), id(sys.stderr), id(sys.stdin)],
        "path": sys.path,
        "log level": [logging.root.level, logging.root.disabled, logging.root.manager.disable],
        "log handlers": logging.root.handlers,
        "collector": [gc.isenabled(), gc.get_threshold(), gc.get_debug()],
        "limits": [resource.getrlimit(kind) for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_AS)],
        "recursion": sys.getrecursionlimit(),
        "threads": sorted(thread.name for thread in threading.enumerate() if thread.name != "tqdm_monitor"),
        "children": [child.pid for child in multiprocessing.active_children()],
    }
    return {name: repr(value) for name, value in state.items()}


def used():
    """Everything that a caller does with us in one process."""
    jobs, folder = int(sys.argv[1]), Path.cwd()
    amp.build("amp.yaml", out="build", jobs=jobs)
    amp.build("amp.yaml", out="build", jobs=jobs, settings=["seed=9"])
    amp.build("amp.yaml", out="lazy", jobs=jobs, lazy=True)
    for path in ("build", "lazy", "amp.yaml"):
        [row["image"] for row in amp.load(path)["train"]]
    try:
        amp.build("amp.yaml", out="set/images", jobs=jobs)
    except amp.AmpError:
        pass


mask = os.umask(0o022)
cv2.setNumThreads(3)
before = snapshot()
used()
after = snapshot()
assert os.umask(mask) == 0o022
changed = {name: [before[name][:300], after[name][:300]] for name in before if before[name] != after[name]}
changed |= {"allocator": True} if "mallopt" in C_CALLS else {}
print(json.dumps(changed))
'''


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("bars", ["shown", "off"])
def test_nothing_global_is_changed(tmp_path: Path, jobs: str, bars: str) -> None:
    """Builds, a build that fails, and loaded sets leave no trace in the process, whoever had set what before."""
    write_set(tmp_path / "set", 3)
    write_manifest(tmp_path / "amp.yaml", ["set"])
    quiet = "datasets.disable_progress_bars()\n" if bars == "off" else ""
    program = PROGRAM.replace("before =", f"{quiet}before =", 1)
    command = [sys.executable, "-c", program, jobs]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {}
