"""The dataset card of a build: what is in it, how it was made, how to load it. `configs` make it a typed dataset."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import yaml

from amp_datasets.building.cards.licences import licence_metadata
from amp_datasets.building.engines.labels import Facts
from amp_datasets.building.report import BuildReport
from amp_datasets.ledger.schema import LEDGER_FILE
from amp_datasets.manifest.model import Manifest
from amp_datasets.model import Category
from amp_datasets.shown import as_markdown
from amp_datasets.variants.recipe import digest

SHEET = ".card/contact-sheet.webp"
"""The image that the card shows; in a hidden folder, so that nobody takes it for one of the set."""
_ON_HUB = re.compile(r"hf://datasets/([^/]+/[^/@]+)")
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


_USE = """## Load it

```python
from datasets import load_dataset

dataset = load_dataset("path/or/owner/name")  # typed: ClassLabel, boxes as [x, y, width, height] in pixels
```
"""
_FORMATS = {
    "data.yaml": "`data.yaml` is for Ultralytics",
    "annotations": "`annotations/<split>.json` is COCO (categories\nfrom 1; the rows count them from 0)",
}
_BOXES = "Boxes refer to the upright image. A box shows the visible part of its object."
_AUGMENTED = "The variants are augmented already: turn down what your trainer adds on the fly, or it comes twice."
_FOR_ULTRALYTICS = """ For Ultralytics:
`train(data="data.yaml", mosaic=0, hsv_h=0, hsv_s=0, hsv_v=0, fliplr=0)`."""

_USE_CLASSES = """## Load it

```python
from datasets import load_dataset

dataset = load_dataset("path/or/owner/name")  # typed: `label` is a ClassLabel, the class of the whole image
```

For trainers that want a folder for each class: `amp export BUILD --to yolo-classify -o DIR`, or `--to imagefolder`.
The variants are augmented already: turn down what your trainer adds on the fly, or it comes twice.
"""

_LAZY_USE = """## Load it

The images are made when they are read, bit for bit the same on every machine with the versions below; this set holds
the untouched sources and `ledger.parquet` with every label.

```python
import amp_datasets as amp  # pip install amp-datasets
from huggingface_hub import snapshot_download

folder = snapshot_download("owner/name", repo_type="dataset")  # or the path of your copy
dataset = amp.load(folder)  # typed: ClassLabel, boxes as [x, y, width, height] in pixels
```

Boxes refer to the upright image. A box shows the visible part of its object.
"""


def card_text(
    categories: Sequence[Category],
    facts: Facts,
    manifest: Manifest,
    report: BuildReport,
    lock: Mapping[str, Any],
    files: Collection[str],
) -> str:
    """README.md: YAML for the hub, then text for people; of label files only those among `files` are named."""
    metadata = _metadata(manifest, report, lock, tasks_of(facts))
    header = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True)
    sheet = f"![Images with their labels]({SHEET})\n" if SHEET in files else ""
    parts = [
        f"---\n{header}---\n",
        _body(categories, facts, manifest, report),
        *([sheet] if sheet else []),
        _LAZY_USE if lock["lazy"] else _USE_CLASSES if facts.classifies else _use(files),
        _recipe(manifest, report),
        _provenance(lock),
    ]
    return "\n".join(parts)


def tasks_of(facts: Facts) -> list[str]:
    """What the labels are for, as the hub calls it: whole images, objects, their outlines, their keypoints."""
    if facts.classifies:
        return ["image-classification"]
    more = [("image-segmentation", facts.outlined), ("keypoint-detection", facts.pointed)]
    return ["object-detection", *(task for task, number in more if number)]


def _use(files: Collection[str]) -> str:
    """How to load it, naming only the label files that are there."""
    named = [text for file, text in _FORMATS.items() if file in files]
    places = f"In the folder that `amp build` wrote, {' and '.join(named)}. " if named else ""
    trainer = _FOR_ULTRALYTICS if "data.yaml" in files else ""
    return f"{_USE}\n{places}{_BOXES}\n\n{_AUGMENTED}{trainer}\n"


def _metadata(manifest: Manifest, report: BuildReport, lock: Mapping[str, Any], tasks: Sequence[str]) -> dict[str, Any]:
    """What the hub reads. What nobody said is not stated: who labelled the images, and where they come from."""
    total = report.originals + report.variants
    names = source_datasets(lock["sources"])
    return {
        "pretty_name": manifest.name,
        **licence_metadata(manifest.hub.license if manifest.hub else None, lock["sources"]),
        "task_categories": list(tasks),
        "size_categories": [next((name for top, name in _SIZES if total < top), "n>1M")],
        **({"source_datasets": names} if names else {}),
        "tags": ["data-augmentation", "amp-datasets"],
        "configs": [_config(report, lock)],
    }


def source_datasets(sources: Sequence[Mapping[str, Any]]) -> list[str]:
    """The hub's datasets among the sources of a lock."""
    paths = [source["source"].get("path", "") for source in sources]
    return list(dict.fromkeys(found.group(1) for path in paths if (found := _ON_HUB.match(path))))


def _config(report: BuildReport, lock: Mapping[str, Any]) -> dict[str, Any]:
    """Where `datasets` finds the rows. It caches a folder by its name and this config, so the content is named too."""
    content = digest([lock[key] for key in ("manifest_digest", "sources", "plugins", "versions", "categories")])
    if lock["lazy"]:
        return {"config_name": "ledger", "description": f"content {content}", "data_files": LEDGER_FILE}
    data_files = [{"split": split, "path": f"images/{split}/**"} for split in report.splits]
    return {"config_name": "default", "description": f"content {content}", "data_files": data_files}


def _body(categories: Sequence[Category], facts: Facts, manifest: Manifest, report: BuildReport) -> str:
    splits = list(report.splits)
    rows = "\n".join(
        f"| {as_markdown(c.name)} | {' | '.join(str(facts.classes[c.name, split]) for split in splits)} |"
        for c in categories
    )
    return f"""# {as_markdown(manifest.name)}

{report.originals + report.variants} images made from {report.sources} labelled ones: {report.originals} originals and
{report.variants} augmented variants. All variants of an image are in its own split, so no split leaks into another.

| labels of class | {" | ".join(splits)} |
|---|{"---|" * len(splits)}
{rows}
| **images** | {" | ".join(str(report.splits[s]) for s in splits)} |

{report.certainty().capitalize()}.
"""


def _recipe(manifest: Manifest, report: BuildReport) -> str:
    labels = manifest.labels
    lost = "".join(f"\n- {loss.count} images: {loss.reason}" for loss in report.converted)
    kept = f"\nNot carried over from the sources:\n{lost}\n" if lost else ""
    return f"""## How it was made

{len(manifest.variants())} kinds of variant, seed {manifest.seed}; all settings are in `amp.yaml`. An object keeps its
label if at least {labels.min_visibility:.0%} of it is visible, and loses it at {labels.drop_below:.0%} or less; a
variant in between is sampled again. `ledger.parquet` has a row for every variant: source, filters, sampled
parameters, checksums.
{kept}"""


def _provenance(lock: Mapping[str, Any]) -> str:
    sources = "\n".join(
        f"- {as_markdown(s['name'])}: {s['images']} images" + (f"; {as_markdown(text)}" if text else "")
        for s in lock["sources"]
        for text in [s.get("provenance", "")]
    )
    versions = ", ".join(f"{name} {number}" for name, number in sorted(lock["versions"].items()))
    return f"## Sources\n\n{sources}\n\nMade with {versions}.\n"
