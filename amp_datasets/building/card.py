"""The dataset card of a build: what is in it, how it was made, how to load it. `configs` make it a typed dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from amp_datasets.building.engines.labels import Facts
from amp_datasets.building.report import BuildReport
from amp_datasets.ledger.schema import LEDGER_FILE
from amp_datasets.manifest.model import Manifest
from amp_datasets.model import Category
from amp_datasets.shown import as_markdown
from amp_datasets.variants.recipe import digest

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


_USE = """## Load it

```python
from datasets import load_dataset

dataset = load_dataset("path/or/owner/name")  # typed: ClassLabel, boxes as [x, y, width, height] in pixels
```

In the folder that `amp build` wrote, `data.yaml` is for Ultralytics and `annotations/<split>.json` is COCO (categories
from 1; the rows count them from 0). Boxes refer to the upright image. A box shows the visible part of its object.

The variants are augmented already: turn down what your trainer adds on the fly, or it comes twice. For Ultralytics:
`train(data="data.yaml", mosaic=0, hsv_h=0, hsv_s=0, hsv_v=0, fliplr=0)`.
"""

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
    categories: Sequence[Category], facts: Facts, manifest: Manifest, report: BuildReport, lock: Mapping[str, Any]
) -> str:
    """README.md: YAML for the hub, then text for people."""
    whole_images = facts.classifies
    task = "image-classification" if whole_images else "object-detection"
    header = yaml.safe_dump(_metadata(manifest, report, lock, task), sort_keys=False, allow_unicode=True)
    parts = [
        f"---\n{header}---\n",
        _body(categories, facts, manifest, report),
        _LAZY_USE if lock["lazy"] else _USE_CLASSES if whole_images else _USE,
        _recipe(manifest, report),
        _provenance(lock),
    ]
    return "\n".join(parts)


def _metadata(manifest: Manifest, report: BuildReport, lock: Mapping[str, Any], task: str) -> dict[str, Any]:
    total = report.originals + report.variants
    return {
        "pretty_name": manifest.name,
        **({"license": manifest.hub.license} if manifest.hub and manifest.hub.license else {}),
        "task_categories": [task],
        "size_categories": [next((name for top, name in _SIZES if total < top), "n>1M")],
        "annotations_creators": ["machine-generated"],
        "source_datasets": ["original"],
        "tags": ["data-augmentation", "amp-datasets"],
        "configs": [_config(report, lock)],
    }


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
variant in between is drawn again. `ledger.parquet` has a row for every variant: source, filters, draws, checksums.
{kept}"""


def _provenance(lock: Mapping[str, Any]) -> str:
    sources = "\n".join(
        f"- {as_markdown(s['name'])}: {s['images']} images" + (f"; {as_markdown(text)}" if text else "")
        for s in lock["sources"]
        for text in [s.get("provenance", "")]
    )
    versions = ", ".join(f"{name} {number}" for name, number in sorted(lock["versions"].items()))
    return f"## Sources\n\n{sources}\n\nMade with {versions}.\n"
