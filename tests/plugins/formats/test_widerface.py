"""WIDER FACE lists: boxes by corner and size, attributes, images without faces, numbers that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import best_source, read_set, reasons, rules, write_files

from amp_datasets.model import Annotation
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import open_folder

REGISTRY = load_registry()
WIDER = REGISTRY.source("widerface")


def one(folder: Path, text: str, *names: str) -> Path:
    """Images of one event in the training split, and the list."""
    files = {f"WIDER_train/images/0--Parade/{name}": "" for name in names or ("a.jpg",)}
    return write_files(folder, {**files, "wider_face_split/wider_face_train_bbx_gt.txt": text})


def labels_of(folder: Path) -> dict[str, tuple[Annotation, ...]]:
    """The labels of each image by its bare name."""
    return {s.source_id.rpartition("/")[2]: s.annotations for s in read_set(WIDER, folder).samples}


def test_rows_are_faces_with_attributes(tmp_path: Path) -> None:
    """Golden rows of the readme: x, y, width, height; an invalid one is a crowd."""
    text = "0--Parade/a.jpg\n2\n10 20 30 25 2 0 1 0 0 1 \n1 2 8 8 0 0 0 1 2 0 \n"
    found = best_source(REGISTRY, one(tmp_path, text))
    assert found is not None
    assert found[0] == "widerface"
    face, invalid = labels_of(tmp_path)["a.jpg"]
    assert (face.category, face.xyxy, face.iscrowd) == ("face", (10.0, 20.0, 40.0, 45.0), False)
    assert dict(face.attributes) == {"blur": 2, "illumination": 1, "pose": 1}
    assert (invalid.iscrowd, dict(invalid.attributes)) == (True, {"occlusion": 2})
    assert read_set(WIDER, tmp_path).samples[0].split == "train"


def test_an_image_without_faces_is_empty(tmp_path: Path) -> None:
    """The number 0 has one row of zeros, or none; an image in no list is unlabelled."""
    text = "0--Parade/a.jpg\n0\n0 0 0 0 0 0 0 0 0 0 \n0--Parade/b.jpg\n0\n0--Parade/c.jpg\n1\n1 2 8 8 0 0 0 0 0 0\n"
    labels = read_set(WIDER, one(tmp_path, text, "a.jpg", "b.jpg", "c.jpg", "d.jpg"))
    assert [(s.labelled, len(s.annotations)) for s in labels.samples] == [(True, 0), (True, 0), (True, 1), (False, 0)]
    assert not labels.dropped


def test_splits_have_their_own_folders(tmp_path: Path) -> None:
    """Events and names repeat; the list's name says whose they are."""
    write_files(tmp_path, {"wider_face_split/wider_face_val_bbx_gt.txt": "0--Parade/a.jpg\n1\n1 2 8 8 0 0 0 0 0 0\n"})
    write_files(tmp_path, {"WIDER_val/images/0--Parade/a.jpg": ""})
    labels = read_set(WIDER, one(tmp_path, "0--Parade/a.jpg\n1\n3 4 9 9 0 0 0 0 0 0\n"))
    found = {(s.source_id.partition("/")[0], s.split, s.annotations[0].xyxy) for s in labels.samples}
    assert found == {
        ("WIDER_train", "train", (3.0, 4.0, 12.0, 13.0)),
        ("WIDER_val", "validation", (1.0, 2.0, 9.0, 10.0)),
    }


def test_a_list_of_files_alone_says_a_split(tmp_path: Path) -> None:
    """The test set has no labels; its images are in no other split, and not empty."""
    files = {
        "WIDER_test/images/0--Parade/t.jpg": "",
        "wider_face_split/wider_face_test_filelist.txt": "0--Parade/t.jpg\n",
    }
    labels = read_set(WIDER, write_files(one(tmp_path, "0--Parade/a.jpg\n1\n3 4 9 9 0 0 0 0 0 0\n"), files))
    assert [(s.split, s.labelled) for s in labels.samples] == [("test", False), ("train", True)]
    assert not labels.dropped


def test_wrong_numbers_and_rows_are_counted(tmp_path: Path) -> None:
    """The next path ends an image's rows, whatever its number says; a bad row is dropped alone."""
    text = "0--Parade/a.jpg\n3\n10 20 30 25\n1 x 8 8\n0--Parade/b.jpg\n1\n1 2 8 8\n"
    labels = read_set(WIDER, one(tmp_path, text, "a.jpg", "b.jpg"))
    assert [len(s.annotations) for s in labels.samples] == [1, 1]
    assert (reasons(labels), rules(labels)) == ({"label cannot be read"}, {"number of boxes is wrong"})


def test_a_class_may_stand_at_the_end(tmp_path: Path) -> None:
    """As Datumaro and CVAT write it, with `-` where nothing is known."""
    labels = labels_of(one(tmp_path, "0--Parade/a.jpg\n1\n1 2 8 8 - - - False - - big cat\n"))
    assert [a.category for a in labels["a.jpg"]] == ["big cat"]


@pytest.mark.parametrize("text", ["a.jpg\nb.jpg\n", "a.jpg 1,2,3,4,0\n", "1\n2\n3\n", "a.jpg\n1\ncat\n", ""])
def test_other_lists_are_not_claimed(text: str, tmp_path: Path) -> None:
    """Lists of images, rows of other tools."""
    assert WIDER.detect(open_folder(write_files(tmp_path, {"a.jpg": "", "list.txt": text}))) is None
