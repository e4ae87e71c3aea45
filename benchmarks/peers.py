"""Sets of other tools, read by us and by Datumaro: which are the same, which are refused, which differ.

    python benchmarks/peers.py FOLDER [--python VENV/bin/python]

Every folder below FOLDER, two deep, that Datumaro recognises is read by both; Datumaro is run by the Python given with
--python. Compared are classes and boxes of all boxes, outlines and masks, to a pixel. Where they differ look yourself:
Datumaro reads an outline with a box as two labels, keeps labels outside their image, and takes any folders for classes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

_WITHIN_PX = 1.01
_SHOWN = 100

Boxes = list[tuple[str, tuple[float, ...]]]


def main() -> None:
    """The command line, and the program of the child that has Datumaro."""
    parser = argparse.ArgumentParser(description="Sets of other tools, read by amp and by Datumaro.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default=sys.executable, metavar="PATH", help="one that has datumaro")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        print(json.dumps(read_by_datumaro(chosen.folder)))
        return
    command = [chosen.python, __file__, str(chosen.folder), "--child"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    outcomes: Counter[str] = Counter()
    for place, theirs in found.items():
        name, _, kind = place.partition("|")
        outcome = compared([(label, tuple(box)) for label, box in theirs], chosen.folder / name)
        outcomes[outcome.partition(":")[0]] += 1
        print(f"{name} ({kind}): {outcome}"[: 2 * _SHOWN])
    print(", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common()))


def read_by_datumaro(folder: Path) -> dict[str, Boxes]:
    """Class and box of every label, by folder and format."""
    import datumaro
    from datumaro.components.annotation import AnnotationType
    from datumaro.components.environment import Environment

    kinds = (AnnotationType.bbox, AnnotationType.polygon, AnnotationType.mask)
    found: dict[str, Boxes] = {}
    for place in sorted(path for depth in ("*", "*/*") for path in folder.glob(depth) if path.is_dir()):
        try:
            kinds_found = Environment().detect_dataset(str(place))
        except Exception as error:
            print(f"{place}: {error}", file=sys.stderr)
            continue
        for kind in kinds_found:
            try:
                dataset = datumaro.Dataset.import_from(str(place), kind)
                labels = dataset.categories().get(AnnotationType.label)
                found[f"{place.relative_to(folder)}|{kind}"] = [
                    (labels[each.label].name if labels and each.label is not None else "", corners(each.get_bbox()))
                    for item in dataset
                    for each in item.annotations
                    if each.type in kinds
                ]
            except Exception as error:  # whatever it raises, the next set is tried
                print(f"{place}: {error}", file=sys.stderr)
    return found


def corners(box: Any) -> tuple[float, ...]:
    """Two corners of a corner and a size."""
    x, y, width, height = (float(value) for value in box)
    return (x, y, x + width, y + height)


def compared(theirs: Boxes, place: Path) -> str:
    """How our reading of a folder differs."""
    import amp_datasets as amp

    try:
        labels = amp.read(place)
    except amp.AmpError as error:
        return f"refused: {error.what}"
    ours = [(a.category, tuple(a.xyxy)) for sample in labels.samples for a in sample.annotations]
    pairs = list(zip(sorted(ours), sorted(theirs), strict=False))
    alike = all(a == b and max(map(abs, map(float.__sub__, p, q))) <= _WITHIN_PX for (a, p), (b, q) in pairs)
    if len(ours) == len(theirs) and alike:
        return "same"
    lost = Counter(item.reason for item in labels.dropped)
    return f"differs: {len(theirs)} labels, ours {len(ours)}, set aside {dict(lost)}"


if __name__ == "__main__":
    main()
