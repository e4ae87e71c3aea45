"""`p`, `within` and `only` in a manifest: read, written back, described for editors, and refused in plain words."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from amp_datasets.errors import ManifestError
from amp_datasets.manifest.dump import manifest_document, manifest_text
from amp_datasets.manifest.json_schema import manifest_schema
from amp_datasets.manifest.load import load_manifest
from amp_datasets.manifest.model import Manifest
from amp_datasets.plugin.discovery import load_registry

TEXT = """
filters:
  flip: {how: horizontal, p: 0.5, only: {classes: [a, b]}}
  blur: {sigma: 3, within: objects}
mixes:
  m:
    only: {classes: [c]}
    copies: 2
    steps: [rotate: {degrees: [-15, 15], p: 0.25}, brightness: {percent: [-20, 20], within: object}]
"""

WRONG = {
    "filters: {flip: {p: 2}}": "`filters.flip.p`: must be at most 1 (got 2)",
    "filters: {flip: {p: 0}}": "`filters.flip.p`: must be above 0 (got 0)",
    "filters: {flip: {within: boxes}}": "must be '', 'objects' or 'object' (got 'boxes')",
    "filters: {crop: {within: objects}}": "looks for objects, and inside a box there is nothing else",
    "filters: {cutout: {within: objects}}": "`cutout` does not work inside boxes",
    "mixes: {m: [flip: {only: {classes: [a]}}]}": "`only` concerns a whole mix: write it beside `steps`",
    "filters: {rotate: {degrees: [15, -15]}}": "`filters.rotate.degrees`",
    "filters: {rotate: {degrees: [-200, 15]}}": "must be at least -180",
    "filters: {brightness: {percent: [-99, 15]}}": "nothing of the image is left at -100 percent",
}


def loaded(folder: Path, text: str) -> Manifest:
    """A manifest from its text."""
    path = folder / "amp.yaml"
    path.write_text(text, encoding="utf-8")
    return load_manifest(path, load_registry())


def test_conditions_are_read_and_written_back(tmp_path: Path) -> None:
    """What a manifest says of a step is in its kinds of variant, and in the manifest as run."""
    manifest = loaded(tmp_path, TEXT)
    flip, blur, mix = manifest.variants()
    assert (flip.steps[0].p, flip.only, blur.steps[0].within, mix.only) == (0.5, ("a", "b"), "objects", ("c",))
    assert [(s.p, s.within) for s in mix.steps] == [(0.25, ""), (1.0, "object")]
    again = loaded(tmp_path, manifest_text(manifest_document(manifest, tmp_path)))
    assert again.variants() == manifest.variants()


def test_editors_know_conditions() -> None:
    """The schema accepts what the program does, in filters and in steps."""
    check = jsonschema.Draft202012Validator(manifest_schema(load_registry()))
    assert check.is_valid(yaml.safe_load(TEXT))
    assert not check.is_valid({"filters": {"flip": {"p": 3}}})


@pytest.mark.parametrize("text", WRONG)
def test_wrong_conditions_are_told(text: str, tmp_path: Path) -> None:
    """In the words of people, with the place."""
    with pytest.raises(ManifestError) as caught:
        loaded(tmp_path, text)
    assert WRONG[text] in str(caught.value)
