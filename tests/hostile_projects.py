"""A whole project as a stranger would ship it: what runs, or leads elsewhere, where somebody is careless."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image as PillowImage
from strangers import watched

FUZZ = Path(__file__).parents[1] / "benchmarks" / "fuzz"
SECRET = "the user's own"


class Bomb:
    """Leaves a file where it is unpickled."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.victim}",)


def plant(folder: Path, victim: Path) -> None:
    """What runs or leads elsewhere where somebody is careless, beside whatever is there."""
    bomb, code = pickle.dumps(Bomb(victim)), f"import os\nos.system('touch {victim}')\n"
    for name in ("weights.pt", "labels.pkl", "images.npy", "cache.cache"):
        (folder / name).write_bytes(bomb)
    np.save(folder / "objects.npy", np.array([Bomb(victim)], object), allow_pickle=True)
    scripts = (
        f"{folder.name}.py",
        "dataset.py",
        "setup.py",
        "sitecustomize.py",
        "cv2.py",
        "signal.py",
        "amp_datasets/__init__.py",
        "plugins/evil.py",
        "amp_plugins/evil.py",
    )
    for name in scripts:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(code)
    (folder / "more.yaml").write_text(f"names: !!python/object/apply:os.system ['touch {victim}']\ntrain: /etc\n")
    about = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": bomb}
    field = pa.field("file_name", pa.string(), metadata=about)
    pq.write_table(pa.table([pa.array(["a.jpg"])], schema=pa.schema([field])), folder / "extension.parquet")
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        for name in ("../climbed.jpg", "/tmp/climbed.jpg", "a/../../climbed.txt", f"{victim}"):
            archive.writestr(name, b"0 0.5 0.5 0.1 0.1\n")
        link = zipfile.ZipInfo("link.jpg")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, str(victim.parent / "secret" / "me.jpg"))
    secret = victim.parent / "secret"
    (folder / "linked.jpg").symlink_to(secret / "me.jpg")
    (folder / "linked").symlink_to(secret)
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe.csv")


def project(folder: Path, name: str, *, climbing: bool) -> Path:
    """A stranger's project with a set of a format, or with one whose labels name images outside."""
    sys.path.insert(0, str(FUZZ))
    try:
        from small_sets import write_set
    finally:
        sys.path.remove(str(FUZZ))
    private(folder / "secret")
    home = folder / "project"
    write_set(name, home / "set")
    if climbing:
        for path in sorted((home / "set").rglob("*")):
            if path.is_file() and path.suffix in {".json", ".csv", ".xml", ".txt", ".yaml"}:
                data = path.read_bytes()
                for image in (b"demo_001.jpg", b"a.jpg"):
                    data = data.replace(image, b"../../../secret/me.jpg")
                path.write_bytes(data)
    plant(home / "set", folder / "victim")
    plant(home, folder / "victim")
    (home / "amp.yaml").write_text("sources: [set]\nsplits: keep\nfilters: {flip: {}}\n")
    return home


def private(folder: Path) -> None:
    """An image that nobody may see in a result."""
    folder.mkdir()
    comment = SECRET.encode() * 3
    stream = io.BytesIO()
    PillowImage.new("RGB", (64, 48), "red").save(stream, "JPEG", comment=comment)
    (folder / "me.jpg").write_bytes(stream.getvalue())


@contextlib.contextmanager
def guarded(folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch, starts: str = "") -> Iterator[Path]:
    """The shell stands in the stranger's folder; results may be written to one place and caches to theirs.

    `starts` is a process that may be started, as the watcher tells of it.
    """
    out = folder / "out"
    out.mkdir()
    monkeypatch.chdir(home)
    before = standing(home)
    with watched(out, Path(os.environ["HF_HOME"])) as seen:
        yield out
    assert [line for line in seen if line != starts] == []
    assert not (folder / "victim").exists()
    assert standing(home) == before
    assert not [path for path in out.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


def standing(folder: Path) -> list[tuple[str, bool, int]]:
    """All names below a folder, what is a link, and how large the files are."""
    return sorted((str(path), path.is_symlink(), path.lstat().st_size) for path in folder.rglob("*"))
