"""What every exporter in parts promises: a set that is written in parts is the set that is written at once."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from builders import classified_sets, label_sets, make_sample, make_set, place_image
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amp_datasets.formats.base import Part, PartedExporter
from amp_datasets.model import Annotation, LabelSet
from amp_datasets.plugin.discovery import load_registry

REGISTRY = load_registry()
PARTED = sorted(name for name, exporter in REGISTRY.exporters.items() if issubclass(exporter, PartedExporter))


def whole(name: str, labels: LabelSet, folder: Path) -> dict[str, bytes]:
    """The label files that an exporter writes at once."""
    folder.mkdir()
    exporter = REGISTRY.exporter(name)
    exporter(folder, exporter.options_type(), lambda _sample, _path: None).write(labels)
    return files(folder)


def in_parts(name: str, labels: LabelSet, cuts: list[int], work: Path) -> tuple[dict[str, bytes], dict[str, str]]:
    """The label files that it writes in parts that end at `cuts`, and the digests that it told."""
    (work / "set").mkdir()
    exporter = REGISTRY.exporter(name)
    runs = [labels.samples[a:b] for a, b in zip([0, *cuts], [*cuts, len(labels.samples)], strict=True)]

    def new() -> PartedExporter[object]:
        made = exporter(work / "set", exporter.options_type(), place_image)
        assert isinstance(made, PartedExporter)
        return made

    surveys = [new().survey(run) for run in runs]
    parts, digests = list[Part](), dict[str, str]()
    images, annotations = Counter[str](), Counter[str]()
    for number, run in enumerate(runs):
        (work / str(number)).mkdir()
        splits = tuple(dict.fromkeys(str(sample.split) for sample in run))
        parts.append(Part(work / str(number), splits, Counter(images), Counter(annotations), surveys))
        digests |= new().write_part(replace(labels, samples=run), parts[-1])
        for sample in run:
            images[str(sample.split)] += 1
            annotations[str(sample.split)] += len(sample.annotations)
    new().join_parts(replace(labels, samples=()), parts)
    return files(work / "set"), digests


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its relative name."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", PARTED)
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_parts_are_the_whole(name: str, data: st.DataObject) -> None:
    """Wherever a set is cut, the joined files are those of one pass, byte for byte, and told digests are theirs."""
    some = data.draw(st.one_of(label_sets(), classified_sets()) if name != "yolo-pose" else label_sets())
    labels = replace(some, samples=tuple(sample for sample in some.samples if sample.labelled))
    if not labels.samples:
        return
    cuts = sorted(data.draw(st.sets(st.integers(0, len(labels.samples)), max_size=3)))
    with tempfile.TemporaryDirectory() as folder:
        expected = whole(name, labels, Path(folder) / "whole")
        found, digests = in_parts(name, labels, cuts, Path(folder))
    assert found == expected
    assert digests == {file: hashlib.sha256(expected[file]).hexdigest() for file in digests}


def test_rows_are_grouped_alike_however_they_are_cut(tmp_path: Path) -> None:
    """Groups of a parquet file hold a thousand rows, also where parts end in between."""
    label = Annotation("cat", (1.0, 2.0, 30.5, 40.0))
    samples = [make_sample(f"{number:04}.jpg", [label], split="train") for number in range(2345)]
    labels = make_set(samples)
    (tmp_path / "parts").mkdir()
    found, _ = in_parts("huggingface", labels, [1, 700, 1999], tmp_path / "parts")
    assert found == whole("huggingface", labels, tmp_path / "whole")
