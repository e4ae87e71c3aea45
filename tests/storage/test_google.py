"""Sets and builds on Google's storage, through a server of the test: the bytes of disk."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_builds import write_manifest, write_set

import amp_datasets as amp
from amp_datasets.storage import remote

# Before the import: the server of the test has no gRPC, which newer versions ask for the kind of each bucket.
os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
gcsfs = pytest.importorskip("gcsfs")
emulator = pytest.importorskip("gcp_storage_emulator.server")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SAME = ("images/", "labels/", "annotations/", "data.yaml")
"""What of a build does not say where it stands."""


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[gcsfs.GCSFileSystem]:
    """An empty bucket `amp` on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = emulator.create_server("127.0.0.1", port, in_memory=True, default_bucket="amp")
    server.start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    remote._file_system.cache_clear()
    yield gcsfs.GCSFileSystem(token="anon", skip_instance_cache=True)
    remote._file_system.cache_clear()
    server.stop()


def test_a_build_from_storage_to_storage_has_the_bytes_of_disk(bucket: gcsfs.GCSFileSystem, tmp_path: Path) -> None:
    """It is verified and loaded from there; a second build takes its place."""
    write_set(tmp_path / "set", 4)
    write_manifest(tmp_path / "amp.yaml", ["set"], splits="{train: 0.5, validation: 0.5}")
    amp.build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)
    for path in (tmp_path / "set").rglob("*"):
        if path.is_file():
            bucket.put_file(str(path), f"amp/set/{path.relative_to(tmp_path / 'set').as_posix()}")
    for _ in range(2):
        amp.build(tmp_path / "amp.yaml", sources=["gs://amp/set"], out="gs://amp/out", jobs=1)
        bucket.invalidate_cache()
        there = {name.removeprefix("amp/out/"): bucket.cat_file(name) for name in bucket.find("amp/out")}
        here = {
            path.relative_to(tmp_path / "build").as_posix(): path.read_bytes()
            for path in (tmp_path / "build").rglob("*")
            if path.is_file()
        }
        assert {n: d for n, d in there.items() if n.startswith(SAME)} == {
            n: d for n, d in here.items() if n.startswith(SAME)
        }
        assert not [name for name in there if ".amp-part" in name]
        assert not amp.verify("gs://amp/out", replay=2).findings
        assert {s: len(rows) for s, rows in amp.load("gs://amp/out").items()} == {
            s: len(rows) for s, rows in amp.load(tmp_path / "build").items()
        }
