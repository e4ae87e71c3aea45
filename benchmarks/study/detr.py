"""A small RT-DETR of transformers with random weights, trained by a loop of a few lines over the build's own rows.

It has no online augmentation of its own; everything it sees comes from `amp.load`, `DetrTransform` and `EpochDataset`.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from faster_coco_eval import COCO, COCOeval_faster
from torch.utils.data import BatchSampler, DataLoader
from transformers import RTDetrConfig, RTDetrForObjectDetection, RTDetrImageProcessor, RTDetrResNetConfig

import amp_datasets as amp
from study.plan import EPOCHS, Effort, Point, Run
from study.samples import SPLIT, load_recipe


def train(run: Run, effort: Effort, work: Path) -> list[Point]:
    """Train a model of random weights and test it on its way."""
    torch.manual_seed(run.wanted.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    build = amp.load(run.folder(work))
    names = _names(build[SPLIT])
    processor = RTDetrImageProcessor(size={"height": effort.size, "width": effort.size})
    model = RTDetrForObjectDetection(_config(len(names))).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=1e-4)
    steps = effort.passes // effort.batch
    falling = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-4, total_steps=steps, pct_start=0.1)
    points: list[Point] = []
    for step, batch in zip(range(1, steps + 1), _batches(run, build["train"], processor, effort), strict=False):
        labels = [{name: value.to(device) for name, value in row.items()} for row in batch["labels"]]
        model.train()
        model(pixel_values=batch["pixel_values"].to(device), labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        optimizer.zero_grad()
        falling.step()
        if step % max(1, steps // effort.points) == 0 and len(points) < effort.points:
            strict, loose = test(model, processor, build[SPLIT], device)
            points.append(Point(step * effort.batch, strict, loose))
    return points


def _names(rows: Any) -> list[str]:
    return list(rows.features["objects"]["category"].feature.names)


def _config(classes: int) -> RTDetrConfig:
    """About six million weights: a ResNet of eight layers, one layer of encoder and three of decoder."""
    sizes = [32, 64, 128, 256]
    backbone = RTDetrResNetConfig(
        embedding_size=32, hidden_sizes=sizes, depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    return RTDetrConfig(
        backbone_config=backbone, encoder_in_channels=sizes[1:], encoder_hidden_dim=128, encoder_ffn_dim=256,
        decoder_in_channels=[128] * 3, d_model=128, decoder_layers=3, decoder_ffn_dim=256, num_queries=100,
        num_denoising=20, num_labels=classes,
    )  # fmt: skip


class Numbered:
    """The rows of a dataset by numbers that count on over passes: row n of pass p has the number n + p * length."""

    def __init__(self, rows: Any, transform: amp.DetrTransform, recipe: Any = None) -> None:
        self.rows, self.transform = rows, transform
        self.drawn = None if recipe is None else recipe.transform(rows)

    def __getitem__(self, number: int) -> Any:
        passed, index = divmod(number, len(self.rows))
        row = {name: [value] for name, value in self.rows[index].items()}
        if self.drawn is not None:
            self.drawn.set_epoch(passed)
            row = self.drawn(row)
        return {name: value[0] for name, value in self.transform(row).items()}


def _batches(run: Run, rows: Any, processor: Any, effort: Effort) -> Iterator[Any]:
    from study.passes import Passes

    recipe = load_recipe(run.recipe, run.wanted.seed) if run.way == EPOCHS else None
    sampler = Passes(len(rows), effort.passes, run.wanted.seed, numbered=True)
    return iter(
        DataLoader(
            Numbered(rows, amp.DetrTransform(processor), recipe),
            batch_sampler=BatchSampler(sampler, effort.batch, drop_last=True),
            num_workers=effort.workers,
            collate_fn=amp.collate,
        )
    )


def test(model: Any, processor: Any, rows: Any, device: str) -> tuple[float, float]:
    """mAP50-95 and mAP50 on the test images, by COCO's own rules."""
    truth: dict[str, list[Any]] = {"images": [], "annotations": [], "categories": []}
    truth["categories"] = [{"id": number, "name": name} for number, name in enumerate(_names(rows))]
    found: list[dict[str, Any]] = []
    model.eval()
    for number, row in enumerate(rows):
        size = (row["image"].height, row["image"].width)
        truth["images"].append({"id": number, "height": size[0], "width": size[1]})
        objects = row["objects"]
        for box, category, area in zip(objects["bbox"], objects["category"], objects["area"], strict=True):
            one = {"id": len(truth["annotations"]) + 1, "image_id": number, "category_id": category, "iscrowd": 0}
            truth["annotations"].append({**one, "bbox": list(box), "area": area})
        given = processor(images=np.asarray(row["image"].convert("RGB")), return_tensors="pt").to(device)
        with torch.no_grad():
            output = model(**given)
        (result,) = processor.post_process_object_detection(output, threshold=0.0, target_sizes=[size])
        for score, label, box in zip(result["scores"], result["labels"], result["boxes"].tolist(), strict=True):
            x0, y0, x1, y1 = box
            xywh = [x0, y0, x1 - x0, y1 - y0]
            found.append({"image_id": number, "category_id": int(label), "bbox": xywh, "score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(truth)
        judged = COCOeval_faster(coco, coco.loadRes(found), "bbox")
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    return float(judged.stats[0]), float(judged.stats[1])
