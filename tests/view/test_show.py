"""Whatever has images and boxes can be shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_builds import small_build

import amp_datasets as amp


@pytest.mark.parametrize("kind", ["path", "dataset", "splits", "rows", "row", "gallery"])
def test_everything_with_images_and_boxes_is_shown(tmp_path: Path, kind: str) -> None:
    """With its labels, at most as many as asked for."""
    small_build(tmp_path, images=2)
    splits = amp.load(tmp_path / "build")
    what: Any = {
        "path": tmp_path / "build",
        "dataset": splits["train"],
        "splits": splits,
        "rows": [splits["train"][0], splits["train"][1]],
        "row": splits["train"][0],
        "gallery": amp.show(splits),
    }[kind]
    shown = amp.show(what, n=2)
    assert len(shown.tiles) == (1 if kind == "row" else len(what.tiles) if kind == "gallery" else 2)
    assert any(tile.annotations for tile in shown.tiles)
    assert shown._repr_html_().startswith("<img")


@pytest.mark.parametrize("what", [3, [], {}])
def test_what_cannot_be_shown_is_told(what: object) -> None:
    """As an error of ours."""
    with pytest.raises(amp.AmpError):
        amp.show(what)
