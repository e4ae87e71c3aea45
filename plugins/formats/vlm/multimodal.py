"""Conversations for vision-language models: JSON lines of `messages`, as TRL's supervised fine-tuning reads them.

https://huggingface.co/docs/trl/dataset_formats#vision-datasets

    images/train/a.jpg
    train.jsonl     {"messages": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "..."}]},
                                  {"role": "assistant", "content": [{"type": "text", "text": "..."}]}],
                     "images": ["images/train/a.jpg"]}

Paths are relative to the folder of the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO, ClassVar, Literal

from amp_datasets.formats.base import Exporter, Feature, Options
from amp_datasets.model import LabelSet, Sample

from .conversation import (
    Coordinates,
    Order,
    Style,
    askable,
    assistant_message,
    counting,
    detection_answer,
    detection_question,
    generator,
    objects,
    user_message,
)


class MultimodalOptions(Options):
    """What is asked (`task`), and how boxes are said (`coordinates`, `order`; `loc` has an order of its own)."""

    task: Literal["detection", "counting", "both"] = "both"
    coordinates: Coordinates = "pixels"
    order: Order = "xyxy"


class MultimodalExporter(Exporter[MultimodalOptions]):
    """Writes one line a question: detection, counting or both for every labelled image."""

    name: ClassVar[str] = "multimodal"
    title: ClassVar[str] = "Conversations about images (TRL `messages` JSONL)"
    options_type: ClassVar[type[Options]] = MultimodalOptions
    holds: ClassVar[frozenset[Feature]] = frozenset({"empty", "split"})
    shares_images: ClassVar[bool] = True

    def write(self, labels: LabelSet) -> None:
        """Write images and one JSONL a split."""
        files: dict[str, IO[str]] = {}
        with ExitStack() as stack:
            for sample in labels.samples:
                names = askable(sample, labels.categories)
                if not sample.labelled or not names:
                    continue
                split = str(sample.split)
                image = self.target / "images" / split / sample.source_id
                self.place(sample, image)
                if split not in files:
                    path = self.target / f"{split}.jsonl"
                    files[split] = stack.enter_context(path.open("w", encoding="utf-8", newline="\n"))
                for question, answer in self._turns(sample, names):
                    messages = [user_message(question), assistant_message(answer)]
                    row = {"messages": messages, "images": [image.relative_to(self.target).as_posix()]}
                    files[split].write(json.dumps(row, ensure_ascii=False) + "\n")

    def _turns(self, sample: Sample, names: list[str]) -> Iterator[tuple[str, str]]:
        style = Style(self.options.coordinates, self.options.order)
        if self.options.task != "counting":
            question = detection_question(names, style, generator(sample.source_id, "detection"))
            yield question, detection_answer(objects(sample, names, style), style)
        if self.options.task != "detection":
            yield counting(sample, names, generator(sample.source_id, "counting"))
