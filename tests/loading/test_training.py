"""Training code gets boxes and classes as the rows have them, in every process, and a model learns from them."""

from __future__ import annotations

import importlib.util
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, List, Value
from PIL import Image as PillowImage
from torch_prelude import TORCH_PRELUDE

from amp_datasets.errors import AmpError
from amp_datasets.loading.training import DetrTransform, collate, id2label, label2id, to_coco_annotations

NAMES = ["cat", "dög"]
TYPES = Features(
    {
        "image": Image(),
        "image_id": Value("int64"),
        "objects": {
            "bbox": List(List(Value("float32"), length=4)),
            "category": List(ClassLabel(names=NAMES)),
            "area": List(Value("float32")),
            "iscrowd": List(Value("bool")),
        },
    }
)
OBJECTS = {
    "bbox": [[4.0, 6.0, 20.0, 10.0], [0.0, 0.0, 64.0, 48.0]],
    "category": [1, 0],
    "area": [150.0, 3000.0],
    "iscrowd": [False, True],
}


class Processor:
    """Returns what it was given."""

    def __call__(self, **given: Any) -> dict[str, Any]:
        """The arguments."""
        return given


def rows() -> Dataset:
    """One image with an object and a crowd, one without."""
    empty: dict[str, Any] = {key: [] for key in OBJECTS}
    images = [PillowImage.new("L", (64, 48), 9), PillowImage.new("RGB", (64, 48))]
    return Dataset.from_list(
        [
            {"image": p, "image_id": n, "objects": o}
            for n, (p, o) in enumerate(zip(images, (OBJECTS, empty), strict=True))
        ],
        features=TYPES,
    )


def augment(image: Any, bboxes: list[list[float]], category: list[int]) -> dict[str, Any]:
    """A stand-in for a Compose that halves the image's width and loses nothing."""
    halved = [[x / 2, y, w / 2, h] for x, y, w, h in bboxes]
    return {"image": image[:, ::2], "bboxes": halved, "category": category}


def test_labels_are_those_of_the_row() -> None:
    """Categories from 0, the areas of outlines as they are, crowds marked."""
    annotations = to_coco_annotations({"image_id": 7, "objects": OBJECTS})
    assert annotations == {
        "image_id": 7,
        "annotations": [
            {"image_id": 7, "category_id": 1, "bbox": [4.0, 6.0, 20.0, 10.0], "area": 150.0, "iscrowd": 0},
            {"image_id": 7, "category_id": 0, "bbox": [0.0, 0.0, 64.0, 48.0], "area": 3000.0, "iscrowd": 1},
        ],
    }
    bare = to_coco_annotations({"image_id": 7, "objects": {"bbox": [[0, 0, 4, 5]], "category": [0]}})
    assert bare["annotations"][0]["area"] == 20.0


def test_the_transform_hands_rgb_images_and_labels_to_the_processor() -> None:
    """Also of grey images and of those without objects."""
    given = rows().with_transform(DetrTransform(Processor()))[:2]
    assert [image.shape for image in given["images"]] == [(48, 64, 3)] * 2
    assert [len(labels["annotations"]) for labels in given["annotations"]] == [2, 0]
    assert given["return_tensors"] == "pt"


def test_augmented_labels_follow_and_their_areas_are_new() -> None:
    """Crowds, which the processors drop anyway, are not augmented."""
    given = rows().with_transform(DetrTransform(Processor(), augment))[:1]
    assert given["images"][0].shape == (48, 32, 3)
    (only,) = given["annotations"][0]["annotations"]
    assert (only["category_id"], only["bbox"], only["area"]) == (1, [2.0, 6.0, 10.0, 10.0], 100.0)


def test_the_transform_can_be_pickled() -> None:
    """Workers that are spawned get it so."""
    again = pickle.loads(pickle.dumps(DetrTransform(Processor(), augment)))
    assert again(rows()[:2])["annotations"] == DetrTransform(Processor(), augment)(rows()[:2])["annotations"]


def test_names_come_from_a_dataset_or_its_first_split_in_old_and_new_types() -> None:
    """`Sequence` of older datasets gives a list of mappings; a dataset without names says so."""
    expected = {0: "cat", 1: "dög"}
    old_types = Features({"objects": List({"category": ClassLabel(names=NAMES)})})
    old = Dataset.from_list([{"objects": [{"category": 1}]}], features=old_types)
    assert id2label(rows()) == id2label(DatasetDict({"test": rows()})) == id2label(old) == expected
    assert label2id(rows()) == {"cat": 0, "dög": 1}
    with pytest.raises(AmpError, match="no named classes"):
        id2label(Dataset.from_dict({"objects": [1]}))


def test_rows_of_one_size_are_stacked_and_others_padded_with_their_boxes() -> None:
    """Boxes are shares of the padded image, so they shrink as it grows."""
    torch = pytest.importorskip("torch", reason="torch is not installed")

    def row(height: int, width: int) -> dict[str, Any]:
        labels = {"boxes": torch.tensor([[0.5, 0.5, 1.0, 1.0]]), "class_labels": torch.tensor([1])}
        mask = torch.ones((height, width), dtype=torch.int64)
        return {"pixel_values": torch.ones(3, height, width), "pixel_mask": mask, "labels": labels}

    same = collate([row(8, 6), row(8, 6)])
    assert same["pixel_values"].shape == (2, 3, 8, 6)
    assert same["labels"][0]["boxes"].tolist() == [[0.5, 0.5, 1.0, 1.0]]
    mixed = collate([row(8, 6), row(4, 12)])
    assert mixed["pixel_values"].shape == (2, 3, 8, 12)
    assert mixed["pixel_mask"].sum(dim=(1, 2)).tolist() == [48, 48]
    assert mixed["labels"][0]["boxes"].tolist() == [[0.25, 0.5, 0.5, 1.0]]
    assert mixed["labels"][1]["boxes"].tolist() == [[0.5, 0.25, 1.0, 0.5]]


def test_rows_of_models_without_a_mask_have_none() -> None:
    """RT-DETR resizes all images to one size."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    batch = collate([{"pixel_values": torch.ones(3, 4, 4), "labels": {}}] * 2)
    assert set(batch) == {"pixel_values", "labels"}


_TRAIN = (
    TORCH_PRELUDE
    + """
import json, sys
import datasets
from torch.utils.data import DataLoader
from transformers import DetrConfig, DetrForObjectDetection, DetrImageProcessor, ResNetConfig
from amp_datasets.loading.training import DetrTransform, collate, id2label, label2id

if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    dataset = datasets.load_dataset(sys.argv[1], split="train")
    backbone = ResNetConfig(embedding_size=8, hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], out_features=["stage4"])
    config = DetrConfig(
        use_timm_backbone=False, use_pretrained_backbone=False, backbone=None, backbone_config=backbone, d_model=16,
        encoder_layers=1, decoder_layers=1, encoder_ffn_dim=16, decoder_ffn_dim=16, encoder_attention_heads=2,
        decoder_attention_heads=2, num_queries=5, id2label=id2label(dataset), label2id=label2id(dataset),
    )
    model = DetrForObjectDetection(config)
    processor = DetrImageProcessor(size={"shortest_edge": 48, "longest_edge": 64})
    rows = dataset.with_transform(DetrTransform(processor))
    losses, classes = [], []
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    for batch in DataLoader(rows, batch_size=2, collate_fn=collate, num_workers=2):
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
        classes += [label["class_labels"].tolist() for label in batch["labels"]]
    print(json.dumps({"losses": losses, "classes": classes, "names": model.config.num_labels}))
"""
)


def test_a_detr_model_trains_on_an_export(tmp_path: Path) -> None:
    """Two steps of a tiny random model with two loading processes: finite losses, the rows' own classes."""
    for module in ("torch", "transformers", "scipy"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    root = export(tmp_path)
    (tmp_path / "train.py").write_text(_TRAIN)
    command = [sys.executable, str(tmp_path / "train.py"), str(root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert len(result["losses"]) == 2
    assert all(0 < loss < 1e4 for loss in result["losses"])
    assert result["classes"] == [[1], [1, 0], [], [0]]
    assert result["names"] == 2


def export(tmp_path: Path) -> Path:
    """Four images of two sizes, exported as an image folder."""
    from amp_datasets.model import Annotation, Category, ImageFile, LabelSet, Sample
    from amp_datasets.plugin.discovery import load_registry

    samples = []
    for number, labels in enumerate((["dög"], ["dög", "cat"], [], ["cat"])):
        size = (64, 48) if number % 2 else (40, 60)
        path = tmp_path / f"{number}.png"
        PillowImage.new("RGB", size, (number * 40, 90, 90)).save(path)
        annotations = [Annotation(name, (4.0 + n, 6.0, 24.0, 20.0)) for n, name in enumerate(labels)]
        samples.append(Sample(path.name, ImageFile(path), size, tuple(annotations), split="train"))
    kind = load_registry().exporter("parquet")
    (tmp_path / "out").mkdir()
    categories = (Category("cat"), Category("dög"))
    kind(tmp_path / "out", kind.options_type(), lambda _, __: None).write(LabelSet(categories, samples))
    return tmp_path / "out"
