"""Every shipped manifest builds, and makes what its first lines promise."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import amp_datasets as amp
from amp_datasets.manifest.load import load_manifest
from amp_datasets.manifest.model import Manifest
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.variants.recipe import ORIGINAL

FOLDER = Path(__file__).parents[1] / "manifests"
MANIFESTS = sorted(FOLDER.glob("*.yaml"))
IMAGES = 5
SEED_SETS = 20


def manifest(name: str) -> Manifest:
    """A shipped manifest, completed and checked."""
    return load_manifest(FOLDER / f"{name}.yaml", load_registry())


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.stem)
def test_manifest_builds(file: Path, demo_folder: Path, tmp_path: Path) -> None:
    """Five small images give every variant, none refused or dropped, and the result loads with its boxes."""
    report = amp.build(file, sources=[demo_folder], out=tmp_path / "build", jobs=1)
    assert (report.refused_variants, report.dropped, report.repairs) == ([], [], [])
    rows = [row for split in amp.load(tmp_path / "build").values() for row in split.remove_columns("image")]
    made = Counter(row["variant"] for row in rows if row["variant"] != ORIGINAL)
    augmented = len({row["source_id"] for row in rows if row["variant"] != ORIGINAL})
    wanted = manifest(file.stem)
    assert made == {spec.label(copy): augmented for spec in wanted.variants() for copy in range(spec.copies)}
    assert len(rows) - made.total() == (IMAGES if wanted.originals else 0)
    assert all(row["objects"]["bbox"] for row in rows)
    assert len([*(tmp_path / "build" / "images").rglob("*.jpg")]) == len(rows)


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.stem)
def test_manifest_is_commented(file: Path) -> None:
    """Someone who opens it learns from the first line what it makes."""
    assert file.read_text(encoding="utf-8").startswith("# ")


def test_seed20_is_the_originals_twenty_sets() -> None:
    """17 filters and 3 mixes, one variant each and no originals: 10 images give 200."""
    seed = manifest("seed20")
    assert len(seed.filters) == 17
    assert [*seed.mixes] == ["mix1", "mix2", "mix3"]
    assert sum(spec.copies for spec in seed.variants()) == SEED_SETS
    assert not seed.originals
    assert seed.splits == {"train": 1.0}


@pytest.mark.parametrize("name", ["quickstart", "default"])
def test_twenty_variants_of_each_image(name: str) -> None:
    """As README says of `make demo`, and of a build without a manifest."""
    assert sum(spec.copies for spec in manifest(name).variants()) == 20


def test_roboflow_uncovers_no_pixels() -> None:
    """Its rotation zooms in, so no filled corner is learnt."""
    (version,) = manifest("roboflow").mixes.values()
    (rotation,) = (step.settings for step in version.steps if step.filter == "rotate")
    assert rotation["fill"] == "crop"
    assert rotation["degrees"][1] == 15
