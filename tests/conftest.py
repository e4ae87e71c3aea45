"""What all tests share: no network, no deadlines, and a small labelled set with exact outlines."""

from __future__ import annotations

import ipaddress
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

os.environ["HF_HUB_OFFLINE"] = "1"  # before any test imports the library that reads it
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

settings.register_profile("amp", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("amp")  # a deadline would make tests depend on how busy the machine is


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests connect to this machine only."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not _is_loopback(str(address[0])):
            raise PermissionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _own_caches(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the user's caches out of tests, and tests out of the user's caches."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three demo pictures of 160x120 with polygons, as COCO. Read it, never write to it."""
    from amp_datasets.demo import write_demo

    folder = tmp_path_factory.mktemp("demo") / "set"
    write_demo(folder, images=3, size=(160, 120))
    return folder


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
