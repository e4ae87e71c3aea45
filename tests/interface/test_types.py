"""`mypy --strict` is content with a user's file that uses all of the API, and sees what is wrong in one that is not."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import amp_datasets as amp
from amp_datasets.plugin.discovery import load_registry

ROOT = Path(__file__).parents[2]
FILTERS = sorted(plugin.__name__ for plugin in load_registry().filters.values())

GOOD = """
from pathlib import Path
from typing import Any

import amp_datasets as amp
from amp_datasets import testing
from amp_datasets.filtering.base import Draw, PixelFilter


def told(what: str, done: int, total: int) -> None:
    print(what, done / max(total, 1))


recipe = amp.Recipe(
    filters=[amp.Flip(), amp.Rotate(degrees=(5, 15)), amp.Blur(sigma=2.5), "noise", {"cutout": {"count": 3}}],
    mixes={
        "version": amp.Mix([amp.Flip(p=0.5), amp.Brightness(percent=(-25, 25))], copies=3, pick=2),
        "some": amp.Mix(["hue"], versions=3, max_severity=3, only={"classes": ["cat"]}),
    },
    name="mine",
    seed=7,
    sources=["photos", Path("more"), amp.Source(path="third", format="yolo")],
    classes=["cat", {"dog": ["hound"]}],
    unknown_classes="drop",
    unlabelled="empty",
    duplicates="drop",
    near_duplicates="off",
    group_by="(.*)_",
    splits={"train": 0.8, "validation": 0.2},
    augment=["train"],
    originals=True,
    preprocess=[amp.Resize(size=(640, 640)), "grayscale"],
    balance={"to": "max"},
    labels=amp.Labels(min_visibility=0.4, outline="rect"),
    encode=amp.Encode(format="png"),
    limits={"max_pixels": 1000},
    exports=["yolo"],
    hub={"repo": "a/b"},
    requires=["mine"],
)
text: str = recipe.to_yaml()
again: amp.Recipe = amp.Recipe.from_yaml("amp.yaml")

built = amp.build(recipe, sources=["photos"], out=Path("build"), jobs=2, progress=told)
number: int = built.variants
document: dict[str, Any] = built.to_json()
lines: list[str] = built.as_text()

labels: amp.LabelSet = amp.read("photos", progress=told)
findings: int = len(amp.check("photos", progress=told).findings)
converted = amp.convert("photos", to="yolo", out="yolo", settings={"task": "detect"}, progress=told)
images: int = converted.images
merged = amp.merge(["a", "b"], out="all", progress=told)
amp.preview("photos", progress=told).save("sheet.jpg")
amp.report("build", progress=told).save("report.html")
started = amp.init("photos", out="amp.yaml")
verified = amp.verify("build", replay="all", progress=told)
replayed = amp.replay("build", "a__flip", "a.jpg", progress=told)
same: bool = replayed.same_image
changed = amp.diff("build-1", "build-2", progress=told)
names = [each.name for each in amp.filters().filters]
published = amp.publish("build", repo="a/b", dry_run=True, progress=told)
print(amp.describe("blur"), amp.explain("AMP309"))

rows = amp.load("build", exact=False)
train = rows["train"].with_transform(recipe.transform(rows["train"], epoch=3))
large = amp.augment(rows["train"], recipe)
epochs = amp.EpochDataset(rows["train"], recipe.transform())
epochs.set_epoch(3)
detr = amp.DetrTransform(None)
tensors = amp.TvTensors(first_label=0)
laws: int = testing.check_filter(amp.Blur)

try:
    amp.build("amp.yaml")
except amp.AmpError as error:
    print(error.what, error.where, error.fix)
"""

WRONG = [
    "amp.Recipe(sede=3)",
    "amp.Recipe(unlabelled='maybe')",
    "amp.Recipe(originals='no')",
    "amp.Mix(['flip'], copys=3)",
    "amp.Labels(min_visibility='much')",
    "amp.Labels(min_visiblity=0.3)",
    "amp.Encode(format='gif')",
    "amp.build(3)",
    "amp.build('amp.yaml', output='build')",
    "amp.read()",
    "amp.convert('a', to='yolo')",
    "amp.load('build', exact='no')",
    "amp.nothing()",
    "amp.Rotate(degrees='much')",
    *(f"amp.{name}(nonsense=1)" for name in FILTERS),
]


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What mypy says of both files, against the packages as they are installed (their own errors are not a user's)."""
    folder = tmp_path_factory.mktemp("types")
    site = folder / "site"
    site.mkdir()
    (site / "amp_datasets").symlink_to(ROOT / "amp_datasets")
    (site / "amp_plugins").symlink_to(ROOT / "plugins")
    (folder / "good.py").write_text(GOOD, encoding="utf-8")
    (folder / "wrong.py").write_text("\n".join(["import amp_datasets as amp", *WRONG]), encoding="utf-8")
    (folder / "mypy.ini").write_text("[mypy]\n", encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "good.py", "wrong.py"]
    environment = {**os.environ, "MYPYPATH": str(site)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def test_a_file_that_uses_all_of_the_api_is_clean(checked: str) -> None:
    """Every public function with its result, every keyword of a recipe, filters as objects."""
    assert [line for line in checked.splitlines() if line.startswith("good.py")] == []
    used = set(re.findall(r"amp\.(\w+)", GOOD))
    left = {"__version__", "collate", "show"}  # they need torch, a notebook
    assert set(amp.__all__) - used == left


def test_every_mistake_is_seen(checked: str) -> None:
    """One error a line: misspelt settings of recipes and of each filter, wrong types, names that are not there."""
    seen = {int(number) for number in re.findall(r"^wrong\.py:(\d+): error", checked, re.MULTILINE)}
    missed = [text for line, text in enumerate(WRONG, start=2) if line not in seen]
    assert not missed


@pytest.mark.parametrize(("name", "model"), [("Recipe", amp.Recipe), ("Mix", amp.Mix)])
def test_the_keywords_for_editors_are_those_of_the_model(name: str, model: type[amp.Recipe]) -> None:
    """None is missing and none is made up."""
    tree = ast.parse((ROOT / "amp_datasets" / "interface" / "recipe.py").read_text(encoding="utf-8"))
    (found,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    first = next(node for node in ast.walk(found) if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    names = [each.arg for each in (*first.args.args[1:], *first.args.kwonlyargs)]
    assert set(names) == set(model.model_fields)
