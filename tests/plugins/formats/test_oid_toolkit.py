"""Downloads of the OIDv4 toolkit: labels below each class's folder, and the same image in several of them."""

from __future__ import annotations

from pathlib import Path

from builders import best_source, image_bytes, read_set, reasons, write_files

from amp_datasets.plugin.discovery import load_registry

REGISTRY = load_registry()
TOOLKIT = REGISTRY.source("oid_toolkit")


def test_rows_are_a_class_of_any_words_and_corners(tmp_path: Path) -> None:
    """Golden rows of the toolkit, in the split that its folders name."""
    text = "Coffee cup 20.5 20.0 60.0 40.0\nApple 1 2 3 4\n"
    write_files(tmp_path, {"train/Coffee cup/0a.jpg": "", "train/Coffee cup/Label/0a.txt": text})
    found = best_source(REGISTRY, tmp_path)
    assert found is not None
    assert found[0] == "oid_toolkit"
    (sample,) = read_set(TOOLKIT, tmp_path).samples
    assert [(a.category, a.xyxy) for a in sample.annotations] == [
        ("Coffee cup", (20.5, 20.0, 60.0, 40.0)),
        ("Apple", (1.0, 2.0, 3.0, 4.0)),
    ]
    assert sample.split == "train"


def test_copies_in_several_classes_become_one_image(tmp_path: Path) -> None:
    """With the labels of all of them; another image of the same name keeps to itself."""
    files: dict[str, str | bytes] = {
        "train/Apple/0a.jpg": image_bytes(),
        "train/Apple/Label/0a.txt": "Apple 1 2 30 40",
        "train/Pear/0a.jpg": image_bytes(),
        "train/Pear/Label/0a.txt": "Pear 5 6 30 40",
        "train/Plum/0a.jpg": image_bytes((50, 50)),
        "train/Plum/Label/0a.txt": "Plum 5 6 30 40",
    }
    labels = read_set(TOOLKIT, write_files(tmp_path, files))
    found = {s.source_id: [a.category for a in s.annotations] for s in labels.samples}
    assert found == {"train/Apple/0a.jpg": ["Apple", "Pear"], "train/Plum/0a.jpg": ["Plum"]}
    assert reasons(labels) == {"exact copy of another image"}


def test_bad_rows_are_dropped_one_by_one(tmp_path: Path) -> None:
    """The row beside stays."""
    text = "Apple 1 2 30 40\nApple 1 2 x 4\n5 6\n"
    labels = read_set(TOOLKIT, write_files(tmp_path, {"Apple/0.jpg": "", "Apple/Label/0.txt": text}))
    assert [len(s.annotations) for s in labels.samples] == [1]
    assert reasons(labels) == {"label cannot be read"}
