"""The same recipe as YAML, in Python and on the command line gives the same bytes for every image."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from small_builds import variants, write_set

import amp_datasets as amp

YAML = """
name: same
seed: 11
sources: [set]
splits: keep
filters:
  flip: {how: horizontal}
  rotate: {degrees: [5, 15]}
  blur: {sigma: [1, 3], p: 0.5}
  brightness: {percent: [-25, 25]}
mixes:
  version: {copies: 4, pick: 2, steps: [flip: {p: 0.5}, brightness: {percent: [10, 25]}, rotate: {degrees: [3, 9]}]}
  inside: [blur: {sigma: 3, within: objects}, grayscale]
  some: {only: {classes: [CLASS]}, steps: [hue: {degrees: [30, 90]}, crop]}
  joined: {copies: 2, steps: [mosaic]}
preprocess:
  - resize: {size: [56, 40]}
  - auto_contrast
labels: {min_visibility: 0.5, outline: rect}
encode: {format: png}
"""


def recipe(category: str) -> amp.Recipe:
    """The same with objects, keywords and maps."""
    return amp.Recipe(
        filters=[
            amp.Flip(how="horizontal"),
            amp.Rotate(degrees=(5, 15)),
            amp.Blur(sigma=(1, 3), p=0.5),
            amp.Brightness(percent=(-25, 25)),
        ],
        mixes={
            "version": amp.Mix(
                [amp.Flip(p=0.5), amp.Brightness(percent=(10, 25)), amp.Rotate(degrees=(3, 9))], copies=4, pick=2
            ),
            "inside": [{"blur": {"sigma": 3, "within": "objects"}}, amp.Grayscale()],
            "some": amp.Mix([amp.Hue(degrees=(30, 90)), amp.Crop()], only={"classes": [category]}),
            "joined": amp.Mix(["mosaic"], copies=2),
        },
        preprocess=[amp.Resize(size=(56, 40)), "auto_contrast"],
        labels=amp.Labels(min_visibility=0.5, outline="rect"),
        encode=amp.Encode(format="png"),
        name="same",
        seed=11,
        splits="keep",
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A drawn set with the manifest beside it, and one of its classes."""
    folder = tmp_path_factory.mktemp("same")
    write_set(folder / "set", 5)
    category = amp.read(folder / "set").categories[0].name
    (folder / "amp.yaml").write_text(YAML.replace("CLASS", category), encoding="utf-8")
    return folder, category


def test_yaml_python_and_command_line_make_the_same_images(place: tuple[Path, str]) -> None:
    """With probabilities, classes, boxes worked in, preprocessing and joins: each sha256 is the same three times."""
    folder, category = place
    amp.build(folder / "amp.yaml", out=folder / "yaml", jobs=1)
    amp.build(recipe(category), sources=[folder / "set"], out=folder / "python", jobs=1)
    command = [sys.executable, "-m", "amp_datasets", "build", "amp.yaml", "-o", "command", "-j", "1"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = variants(folder / "yaml")
    assert len([digest for digest in expected.values() if digest]) > 30
    assert variants(folder / "python") == expected == variants(folder / "command")


def test_both_are_the_same_manifest_both_ways(place: tuple[Path, str], tmp_path: Path) -> None:
    """Equal as objects; written as YAML and read again nothing changes."""
    folder, category = place
    read = amp.Recipe.from_yaml(folder / "amp.yaml")
    assert read.model_dump(exclude={"sources"}) == recipe(category).model_dump(exclude={"sources"})
    recipe(category).to_yaml(tmp_path / "again.yaml")
    again = amp.Recipe.from_yaml(tmp_path / "again.yaml")
    assert again.model_dump(exclude={"sources"}) == recipe(category).model_dump(exclude={"sources"})
