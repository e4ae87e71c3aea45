"""What all tests share: no network, no deadlines, and a small labelled set with exact outlines."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

HOME = tempfile.TemporaryDirectory(prefix="amp-tests-")
"""The libraries' caches and settings, so that tests neither read nor fill the user's own."""

# Set before any test imports a library that reads them.
os.environ |= {
    "HF_HOME": HOME.name,
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "YOLO_CONFIG_DIR": HOME.name,
}

settings.register_profile(
    "amp",
    deadline=None,  # it would make tests depend on how busy the machine is
    derandomize="CI" in os.environ,  # there the same examples at every run; new ones are looked for at people's desks
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("amp")


def pytest_configure() -> None:
    """Let Ctrl-C reach the programs under test, also where the tests themselves run in the background, deaf to it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure() -> None:
    """Remove what the libraries kept."""
    HOME.cleanup()


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests connect to this machine only."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not _is_loopback(str(address[0])):
            raise PermissionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five demo images of 160x120 with polygons, as COCO. Read it, never write to it."""
    from amp_datasets.demo.write import write_demo

    folder = tmp_path_factory.mktemp("demo") / "set"
    write_demo(folder, images=5, size=(160, 120))
    return folder


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
