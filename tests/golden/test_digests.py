"""No change to anybody's bytes passes unseen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from amp_datasets.plugin.discovery import ALGORITHM_VERSION

from . import builds

MEANT = f"""
If this is meant: raise ALGORITHM_VERSION in amp_datasets/plugin/discovery.py, say in CHANGELOG.md what changes,
and record the digests anew:  {builds.RECORD}"""


@pytest.mark.parametrize("name", builds.names())
def test_bytes_are_those_that_were_recorded(name: str, tmp_path: Path) -> None:
    """Every image, and every line of labels, is to the bit what it was; nothing is missing and nothing new."""
    images, labels = builds.digests(name, tmp_path)
    assert images
    changed = _changed(builds.read(builds.LABEL_FILE)["builds"].get(builds.kind_of(name), {}), labels)
    recorded = builds.read(builds.image_file())
    if recorded:
        changed += _changed(recorded["builds"].get(name, {}), images)
    if changed:
        pytest.fail(f"{len(changed)} of `{name}` are not what was recorded: {', '.join(changed[:12])}{MEANT}")


def test_digests_are_recorded_for_these_libraries() -> None:
    """What is installed has its file; without one, only labels are compared."""
    if not builds.image_file().is_file():
        pytest.skip(f"no digests of images for {builds.library_set()}; record them:  {builds.RECORD}")


def test_digests_are_those_of_this_algorithm() -> None:
    """Whoever raises the version records anew, and whoever records anew thinks of the version."""
    files = [builds.LABEL_FILE, *builds.DIGESTS.glob("images_*.json")]
    stale = [file.name for file in files if builds.read(file)["algorithm"] != ALGORITHM_VERSION]
    assert not stale, f"of another ALGORITHM_VERSION: {stale}; record them, or remove what cannot be:  {builds.RECORD}"


def _changed(recorded: dict[str, Any], made: dict[str, Any]) -> list[str]:
    """The names of what is another, missing or new."""
    return sorted(name for name in recorded.keys() | made.keys() if recorded.get(name) != made.get(name))
