"""What `amp filters` and `amp env` say is what there is."""

from __future__ import annotations

from pathlib import Path

import albumentations
import numpy as np
import pytest
from small_builds import write_set

import amp_datasets as amp
from amp_datasets.errors import PluginError
from amp_datasets.interface.commands import environment
from amp_datasets.manifest.load import load_manifest
from amp_datasets.plugin.catalogue import describe_filter, kind_of, list_filters
from amp_datasets.plugin.discovery import load_registry

REGISTRY = load_registry()


def test_every_filter_is_listed_once_in_one_line() -> None:
    """With what it does to labels, and the other libraries' after them."""
    found = list_filters(REGISTRY)
    assert [line.name for line in found.filters] == sorted(REGISTRY.filters)
    text = found.as_text()
    assert len(text) == len(REGISTRY.filters) + len(REGISTRY.families)
    assert all(line.about and len(line.about) < 160 for line in found.filters)
    kinds = {line.name: line.kind for line in found.filters}
    assert (kinds["rotate"], kinds["cutout"], kinds["blur"]) == ("geometry", "hides", "pixels")
    assert found.to_json()["families"]["albumentations"]


@pytest.mark.parametrize("name", sorted(REGISTRY.filters))
def test_a_description_has_all_settings_and_an_example_that_works(name: str, tmp_path: Path) -> None:
    """What is printed can be pasted into a manifest."""
    found = describe_filter(REGISTRY, name)
    text = found.as_text()
    settings = REGISTRY.filters[name].InitSchema.model_fields
    assert set(found.settings) >= {key for key in settings if key not in {"p", "strict"}}
    assert all(any(line.startswith(f"  {key} = ") for line in text) for key in found.settings)
    write_set(tmp_path / "set", 1)
    example = "\n".join(line[2:] for line in text[text.index("example:") + 1 :])
    (tmp_path / "amp.yaml").write_text(f"sources: [set]\n{example}\n")
    manifest = load_manifest(tmp_path / "amp.yaml", REGISTRY)
    assert list(manifest.filters) == [name]
    assert found.to_json()["kind"] == kind_of(REGISTRY.filters[name])


def test_members_of_families_are_described_too() -> None:
    """`albumentations.NAME` by the library's own settings."""
    found = describe_filter(REGISTRY, "albumentations.CLAHE")
    assert "clip_limit" in found.settings
    with pytest.raises(PluginError, match="is not a filter"):
        describe_filter(REGISTRY, "blurr")


def test_the_environment_names_versions_plugins_and_machine() -> None:
    """What a bug report needs."""
    found = environment()
    assert found["albumentations"] == albumentations.__version__
    assert found["filters"] == sorted(REGISTRY.filters)
    assert {"coco", "yolo"} <= set(found["reads"]) & set(found["writes"])
    assert {"amp_datasets", "python", "platform", "cpu_features"} <= set(found)


def test_filters_are_transforms_to_import() -> None:
    """`from amp_datasets import Rotate`, used in anybody's Compose."""
    for plugin in REGISTRY.filters.values():
        assert getattr(amp, plugin.__name__) is plugin
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    compose = albumentations.Compose([amp.Rotate(degrees=(5, 15)), amp.Blur(sigma=1)], seed=1)
    assert compose(image=image)["image"].shape == image.shape
    with pytest.raises(AttributeError, match=r"there is no filter 'Rotato'; there are: .*Rotate"):
        amp.Rotato  # noqa: B018


@pytest.mark.parametrize("name", sorted(REGISTRY.filters))
def test_every_filter_says_when_not_to_use_it(name: str) -> None:
    """A filter that suits every set does not exist; the description ends in full sentences."""
    found = describe_filter(REGISTRY, name)
    assert found.caution.endswith(".")
    assert f"not for: {found.caution}" in found.as_text()


def test_what_roboflow_offers_on_its_page_is_named_in_its_words() -> None:
    """So that who comes from there finds the same by the name known from there."""
    named = {describe_filter(REGISTRY, name).roboflow for name in REGISTRY.filters}
    assert named >= {"Flip", "90 degree rotate", "Crop", "Rotation", "Shear", "Grayscale", "Hue", "Saturation"}
    assert named >= {"Brightness", "Exposure", "Blur", "Noise", "Cutout", "Mosaic", "Motion blur", "Camera gain"}
    assert named >= {"Resize", "Auto-Adjust Contrast", "Isolate Objects", "Static Crop", "Tile"}
