"""Workers need locks in shared memory; where there is no room for them, the message names that place and a way out."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from small_builds import rebuild, write_manifest, write_set

from amp_datasets.building.engines import spread
from amp_datasets.errors import BuildError


def test_full_shared_memory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the target's disk, which has room."""
    write_set(tmp_path / "set", 9)
    write_manifest(tmp_path / "amp.yaml", ["set"])

    def full(*_: object, **__: object) -> object:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spread, "ProcessPoolExecutor", full)
    with pytest.raises(BuildError, match="workers cannot be started") as error:
        rebuild(tmp_path, jobs=2)
    assert error.value.where == "/dev/shm"
    assert "-j 1" in str(error.value.fix)
    assert not (tmp_path / "build").exists()
