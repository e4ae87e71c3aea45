"""Ultralytics YOLO (nano) as one of the trainers: every way gets the same passes, batches and learning rates.

What is changed in its loop, and why: images are drawn in passes that go on over the end of an epoch, so that an epoch
has the same number of images for 10 sources and for 2,100 variants; the accumulation of gradients to batches of 64 is
off, since small samples would give a handful of steps; the last model counts, not the one that is best on the test
images.
"""

from __future__ import annotations

import os
from copy import deepcopy
from math import ceil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import yaml
from PIL import Image

from study.passes import Passes
from study.plan import EPOCHS, YOLO_ONLY, Effort, Point, Run
from study.samples import SPLIT, load_recipe

os.environ.setdefault("YOLO_OFFLINE", "true")
from ultralytics.data.build import InfiniteDataLoader
from ultralytics.models.yolo.detect import DetectionTrainer

OFF = {
    "hsv_h": 0, "hsv_s": 0, "hsv_v": 0, "degrees": 0, "translate": 0, "scale": 0, "shear": 0, "perspective": 0,
    "flipud": 0, "fliplr": 0, "mosaic": 0, "mixup": 0, "cutmix": 0, "copy_paste": 0, "augmentations": [],
}  # fmt: skip
"""The trainer's online augmentation, switched off."""


class Variants:
    """Stands in for a dataset's reading of an image: a new variant of it for each pass."""

    def __init__(self, dataset: Any, recipe: str, seed: int) -> None:
        self.dataset = dataset
        self.transform = load_recipe(recipe, seed).transform(boxes="xywh")

    def __call__(self, number: int) -> dict[str, Any]:
        """The label and image of a number of `Passes`."""
        passed, index = divmod(number, len(self.dataset.labels))
        label = deepcopy(self.dataset.labels[index])
        label.pop("shape", None)
        self.transform.set_epoch(passed)
        with Image.open(label["im_file"]) as image:
            size = np.array([*image.size, *image.size], dtype=np.float64)
            corner = label["bboxes"][:, :2] - label["bboxes"][:, 2:] / 2
            boxes = np.concatenate([corner, label["bboxes"][:, 2:]], axis=1) * size
            objects = {"bbox": boxes.tolist(), "category": label["cls"].astype(int).ravel().tolist()}
            made = self.transform.row({"image": image.convert("RGB"), "objects": objects})
        return self.dataset.update_labels_info(self._fitted(label, made))

    def _fitted(self, label: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
        """The variant at the trainer's size, its boxes as shares of it."""
        image = np.asarray(made["image"])[..., ::-1]
        shape = image.shape[:2]
        ratio = self.dataset.imgsz / max(shape)
        height, width = (min(ceil(side * ratio), self.dataset.imgsz) for side in shape)
        boxes = np.array(made["objects"]["bbox"], dtype=np.float64).reshape(-1, 4)
        boxes[:, :2] += boxes[:, 2:] / 2
        label |= {
            "img": cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR),
            "ori_shape": shape,
            "resized_shape": (height, width),
            "ratio_pad": (height / shape[0], width / shape[1]),
            "bboxes": (boxes / np.array([shape[1], shape[0]] * 2)).astype(np.float32),
            "cls": np.array(made["objects"]["category"], dtype=np.float32).reshape(-1, 1),
            "segments": [],
        }
        return label


class Trainer(DetectionTrainer):
    """Ultralytics' own trainer with the three changes."""

    run: Run
    effort: Effort

    def get_dataloader(self, dataset_path: str, batch_size: int = 16, rank: int = 0, mode: str = "train") -> Any:
        """Theirs for testing; for training, passes over the images."""
        if mode != "train":
            return super().get_dataloader(dataset_path, batch_size, rank, mode)
        dataset = self.build_dataset(dataset_path, mode, batch_size)
        count, is_new = len(dataset), self.run.way == EPOCHS
        if is_new:
            dataset.get_image_and_label = Variants(dataset, self.run.recipe, self.run.wanted.seed)
        per_epoch = self.effort.passes // self.effort.points
        sampler = Passes(count, per_epoch, self.run.wanted.seed, numbered=is_new)
        return InfiniteDataLoader(
            dataset,
            batch_size=self.effort.batch,
            sampler=sampler,
            num_workers=self.effort.workers,
            collate_fn=dataset.collate_fn,
        )

    def final_eval(self) -> None:
        """The last model has been tested already."""

    def save_model(self) -> bool:
        """Nothing is kept."""
        return False


def train(run: Run, effort: Effort, work: Path) -> list[Point]:
    """Train a model of random weights (or those given) and test it on its way."""
    folder = run.folder(work)
    names = yaml.safe_load((folder / "data.yaml").read_text(encoding="utf-8"))["names"]
    described = folder / "study.yaml"
    split = {"path": str(folder.resolve()), "train": "images/train", "val": f"images/{SPLIT}", "names": names}
    described.write_text(yaml.safe_dump(split), encoding="utf-8")
    online = run.way in YOLO_ONLY
    settings: dict[str, Any] = {
        "model": effort.weights or "yolo11n.yaml", "pretrained": bool(effort.weights), "data": str(described),
        "epochs": effort.points, "imgsz": effort.size, "batch": effort.batch, "nbs": effort.batch,
        "optimizer": "AdamW", "lr0": 0.002, "warmup_epochs": 1, "close_mosaic": effort.points // 4 if online else 0,
        "seed": run.wanted.seed, "workers": effort.workers, "cache": False, "plots": False, "verbose": False,
        "save": False, "patience": 0, "project": str(work / "runs"), "exist_ok": True, "deterministic": True,
        **({} if online else OFF),
    }  # fmt: skip
    trainer = Trainer(overrides=settings)
    trainer.run, trainer.effort = run, effort
    points: list[Point] = []

    def tested(done: Any) -> None:
        found, seen = done.metrics, (done.epoch + 1) * (effort.passes // effort.points)
        points.append(Point(seen, found["metrics/mAP50-95(B)"], found["metrics/mAP50(B)"]))

    trainer.add_callback("on_fit_epoch_end", tested)
    trainer.train()
    torch.cuda.empty_cache()
    return points
