"""Lazy rows without `exact`: the pixels that the filters give, with the labels of the built files."""

from __future__ import annotations

import pickle
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image as PillowImage
from small_builds import ledger, small_build, write_manifest, write_set

import amp_datasets as amp
from amp_datasets.images.codec import Limits, decode, read_header
from amp_datasets.ledger.lock import read_lock
from amp_datasets.loading.lazy import recipe_of
from amp_datasets.rows.schema import load_annotations
from amp_datasets.variants import remaker
from amp_datasets.variants.maker import Planned, VariantMaker, render
from amp_datasets.variants.steps import Original

MOSAIC = """
mixes:
  joined: [mosaic: {}, brightness: {percent: 30}]
  any: {copies: 3, pick: 1, steps: [rotate: {degrees: [3, 15]}, cutout: {count: 2}, flip: {how: horizontal}]}
"""

RESIZED = "preprocess: [resize: {size: [40, 40]}]\nfilters: {flip: {how: horizontal}}\n"


def test_pixels_are_the_filters_output(tmp_path: Path) -> None:
    """Of a JPEG build, whose files differ from them: what `render` makes of the plan, to the bit."""
    build = small_build(tmp_path, images=3)
    rows = amp.load(tmp_path / "amp.yaml", exact=False)["train"]
    made = [row for row in ledger(build) if row["status"] == "made"]
    assert len(rows) == len(made) > 12
    maker, differs = VariantMaker(recipe_of(read_lock(build))), 0
    for row, line in zip(rows, made, strict=True):
        data = next((tmp_path / "set").rglob(Path(line["source_id"]).name)).read_bytes()
        if line["spec"] == "original":
            expected = np.asarray(PillowImage.open(next(build.rglob(line["file_name"]))))
        else:
            labels = load_annotations(line["source_labels"])
            source = Original(decode(data, read_header(data, Limits())), line["source_sha256"], labels)
            plans = {(p.spec.name, p.copy): p for p in maker.plan_all(source) if isinstance(p, Planned)}
            expected = render(source.image, plans[line["spec"], line["copy"]])
            built = np.asarray(PillowImage.open(next(build.rglob(line["file_name"]))))
            differs += not np.array_equal(expected, built)
        assert np.array_equal(np.asarray(row["image"]), expected), line["file_name"]
    assert differs > 9


@pytest.mark.parametrize(
    "more", [MOSAIC, "preprocess: [resize: {size: [40, 40]}]\nfilters: {flip: {how: horizontal}}\n"]
)
def test_rows_of_a_lossless_set_are_the_exact_ones(tmp_path: Path, more: str) -> None:
    """Labels, types, order and, as PNG loses nothing, pixels; with images joined and cut before as well."""
    write_set(tmp_path / "set", 5)
    manifest = write_manifest(tmp_path / "amp.yaml", ["set"], more, encode="{format: png}")
    exact, fast = amp.load(manifest)["train"], amp.load(manifest, exact=False)["train"]
    assert fast.features == exact.features
    assert fast.remove_columns("image").to_list() == exact.remove_columns("image").to_list()
    for one, other in zip(exact, fast, strict=True):
        assert one["image"].mode == other["image"].mode
        assert np.array_equal(np.asarray(one["image"]), np.asarray(other["image"]))


def test_deep_images_stay_deep(tmp_path: Path) -> None:
    """16 bits that a manifest keeps are 16 bits here too."""
    write_set(tmp_path / "set", 2)
    for file in (tmp_path / "set").rglob("*.jpg"):
        grey = np.asarray(PillowImage.open(file).convert("L")).astype(np.uint16) * 257
        PillowImage.fromarray(grey).save(file.with_suffix(".png"))
        file.unlink()
    for file in (tmp_path / "set").rglob("*.json"):
        file.write_text(file.read_text().replace(".jpg", ".png"))
    more = "filters: {flip: {how: horizontal}}\n"
    manifest = write_manifest(tmp_path / "amp.yaml", ["set"], more, encode="{format: png, depth: 16}")
    exact, fast = amp.load(manifest)["train"], amp.load(manifest, exact=False)["train"]
    assert any(row["image"].mode.startswith("I;16") for row in fast)
    for one, other in zip(exact, fast, strict=True):
        assert np.array_equal(np.asarray(one["image"]), np.asarray(other["image"]))


def test_a_source_stays_decoded_while_its_variants_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order each is decoded once, however little memory there is for others."""
    monkeypatch.setattr(remaker, "_MAX_KEPT_BYTES", 1)
    opened: list[str] = []
    real = remaker.load_original
    monkeypatch.setattr(remaker, "load_original", lambda *a, **k: (opened.append(k["where"]), real(*a, **k))[1])
    small_build(tmp_path, images=3)
    opened.clear()
    list(amp.load(tmp_path / "amp.yaml", exact=False)["train"])
    assert len(opened) == len(set(opened)) == 3


def test_addresses_travel_and_open_as_files(tmp_path: Path) -> None:
    """Rows pickle for workers; whoever opens such an address through fsspec gets the file, which has bytes."""
    small_build(tmp_path, images=2)
    rows = amp.load(tmp_path / "amp.yaml", exact=False)["train"]
    again = pickle.loads(pickle.dumps(rows))
    assert np.array_equal(np.asarray(again[1]["image"]), np.asarray(rows[1]["image"]))
    from datasets import Image

    address = rows.cast_column("image", Image(decode=False))[1]["image"]["path"]
    with fsspec.open(address, "rb") as file:
        data = file.read()
    built = tmp_path / "build" / "images" / "train" / Path(address).name
    assert data == built.read_bytes()


def test_a_build_is_what_it_is(tmp_path: Path) -> None:
    """Its images are files: `exact` changes nothing."""
    build = small_build(tmp_path, images=2)
    one, other = amp.load(build)["train"], amp.load(build, exact=False)["train"]
    assert np.array_equal(np.asarray(one[1]["image"]), np.asarray(other[1]["image"]))
