"""What a worker does with one source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import amp_datasets as amp
from amp_datasets.building.report import BuildReport
from amp_datasets.errors import BuildError

BROKEN = '''
"""A filter with a mistake in it."""

from typing import Any, ClassVar

from amp_datasets.filtering.base import PixelFilter, Settings


class Broken(PixelFilter):
    """Breaks on every full-size image."""

    name: ClassVar[str] = "broken"
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({},)

    class InitSchema(Settings):
        """Settings."""

    def __init__(self, p: float = 1.0) -> None:
        super().__init__(p=p)

    def get_params(self) -> dict[str, Any]:
        return {}

    def apply(self, img, **_: Any):
        if img.shape[1] > 100:  # a thumbnail is smaller
            raise ZeroDivisionError("a mistake in the plugin")
        return 255 - img


def register(registry):
    registry.add_filter(Broken)
'''


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_filter_that_breaks_is_named_with_its_source(tmp_path: Path, demo_folder: Path, jobs: int) -> None:
    """Its variants are set aside, each counted, and the others are made; where nothing is left that is an error."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "broken.py").write_text(BROKEN)
    manifest = tmp_path / "amp.yaml"
    manifest.write_text("splits: {train: 1.0}\noriginals: false\nfilters: {broken: , flip: }\n")

    def made(**settings: Any) -> BuildReport:
        out = tmp_path / "out"
        return amp.build(manifest, sources=[demo_folder], out=out, jobs=jobs, plugin_dirs=[plugins], **settings)

    with pytest.raises(BuildError, match="not one image could be made") as caught:
        made(settings=["filters={broken: }"])
    assert "a filter breaks on this image" in str(caught.value.fix)
    assert not (tmp_path / "out").exists()
    report = made()
    assert report.variants == report.sources == 5
    (loss,) = report.refused_variants
    assert (loss.reason, loss.count) == ("a filter breaks on this image", 5)
    assert "demo_001.jpg broken: ZeroDivisionError: a mistake in the plugin" in loss.examples[0]
