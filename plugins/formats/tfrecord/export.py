"""Writes what TensorFlow's detection API trains on: one file of records a split, and the label map."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from typing import BinaryIO, ClassVar

from amp_datasets.formats.base import Exporter, Feature, Options
from amp_datasets.model import LabelSet, Sample

from .example import dump_example
from .records import framed


class TfRecordExporter(Exporter[Options]):
    """Writes `<split>.tfrecord` with each image's file as it is, and `label_map.pbtxt`; classes count from 1."""

    name: ClassVar[str] = "tfrecord"
    title: ClassVar[str] = "TFRecord, as TensorFlow's detection API has it"
    holds: ClassVar[frozenset[Feature]] = frozenset({"keypoints", "crowd", "empty", "split", "classes"})

    def write(self, labels: LabelSet) -> None:
        """Write records and label map."""
        numbers = {category.name: number for number, category in enumerate(labels.categories, start=1)}
        self._dots = {category.name: category.keypoints for category in labels.categories}
        files: dict[str, BinaryIO] = {}
        with ExitStack() as stack:
            for sample in (sample for sample in labels.samples if sample.labelled):
                split = str(sample.split)
                if split not in files:
                    files[split] = stack.enter_context((self.target / f"{split}.tfrecord").open("wb"))
                files[split].write(framed(self._record(sample, numbers)))
        items = (f"item {{\n  id: {number}\n  name: {_quoted(name)}\n}}\n" for name, number in numbers.items())
        (self.target / "label_map.pbtxt").write_text("".join(items), encoding="utf-8", newline="\n")

    def _record(self, sample: Sample, numbers: dict[str, int]) -> bytes:
        image = self.bytes_of(sample)
        width, height = sample.size
        boxes = [annotation.xyxy for annotation in sample.annotations]
        kind = b"png" if image[:4] == b"\x89PNG" else b"jpeg"
        name = sample.source_id.encode()
        return dump_example(
            {
                "image/encoded": [image],
                "image/format": [kind],
                "image/filename": [name],
                "image/source_id": [name],
                "image/key/sha256": [hashlib.sha256(image).hexdigest().encode()],
                "image/width": [width],
                "image/height": [height],
                "image/object/bbox/xmin": [float(box[0] / width) for box in boxes],
                "image/object/bbox/ymin": [float(box[1] / height) for box in boxes],
                "image/object/bbox/xmax": [float(box[2] / width) for box in boxes],
                "image/object/bbox/ymax": [float(box[3] / height) for box in boxes],
                "image/object/class/text": [annotation.category.encode() for annotation in sample.annotations],
                "image/object/class/label": [numbers[annotation.category] for annotation in sample.annotations],
                "image/object/is_crowd": [int(annotation.iscrowd) for annotation in sample.annotations],
                **self._keypoints(sample),
            }
        )

    def _keypoints(self, sample: Sample) -> dict[str, Sequence[bytes] | Sequence[float] | Sequence[int]]:
        """The keypoints of all objects, as many places for each; those that an object has not are zeros."""
        places = max((len(a.keypoints) for a in sample.annotations if a.keypoints is not None), default=0)
        rows: list[list[float]] = []
        texts: list[bytes] = []
        for annotation in sample.annotations if places else ():
            own = [] if annotation.keypoints is None else annotation.keypoints.tolist()
            names = self._dots.get(annotation.category, ()) or [f"keypoint_{n}" for n in range(len(own))]
            rows += [*own, *([[0.0, 0.0, 0.0]] * (places - len(own)))]
            texts += [name.encode() for name in [*names[: len(own)], *([""] * (places - len(own)))]]
        if not rows:
            return {}
        width, height = sample.size
        return {
            "image/object/keypoint/x": [float(x / width) for x, _, _ in rows],
            "image/object/keypoint/y": [float(y / height) for _, y, _ in rows],
            "image/object/keypoint/visibility": [int(visibility) for _, _, visibility in rows],
            "image/object/keypoint/text": texts,
            "image/object/keypoint/num": [
                0 if a.keypoints is None else int((a.keypoints[:, 2] > 0).sum()) for a in sample.annotations
            ],
        }


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
