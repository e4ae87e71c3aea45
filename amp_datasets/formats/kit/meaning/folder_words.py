"""What folder names say: which split, that images or labels are inside, that images are masks or previews of others."""

from __future__ import annotations

import functools
import re

_LABELS = {
    *("annotation", "annotations", "ann", "anns", "label", "labels", "labeltxt", "labelstxt", "xml", "xmls", "label_2"),
    *("json", "jsons", "txt", "bbox", "bboxes", "gt"),
}
_PLAIN = _LABELS | {
    *("image", "images", "img", "imgs", "jpegimages", "picture", "pictures", "photo", "photos", "frame", "frames"),
    "image_2",
    *("data", "dataset", "datasets", "default", "upload", "uploads", "media", "content", "obj", "file", "files"),
}
"""Folders called so, or by several such words, hold images or labels, and say nothing about which ones."""
_ASIDE = re.compile(
    r"(^|[^a-z])(masks?|thumb(nail)?s?|previews?|overlays?|vis|viz)($|[^a-z])"
    r"|visuali[sz]ation|segmentation_?(class|object)|panoptic|colou?r_?mask",
    re.IGNORECASE,
)
_SPLITS = {
    "train": "train",
    "training": "train",
    "trainval": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
_YEAR = re.compile(r"[_-]?(19|20)\d\d$")
_WORD = re.compile(r"[^\W_]+")


@functools.lru_cache(maxsize=4096)
def split_name(word: str) -> str | None:
    """The split that a folder or key means: `val`, `train2017`, `images_test`, `obj_valid_data` and the like."""
    words = _WORD.findall(_YEAR.sub("", word.lower()))
    splits = {_SPLITS[each] for each in words if each in _SPLITS}
    return splits.pop() if len(splits) == 1 and all(each in _SPLITS or each in _PLAIN for each in words) else None


def split_of(name: str) -> str | None:
    """The split that a path's folders name (train, validation, test), if any."""
    return _split_of_folder(name.rpartition("/")[0])


@functools.lru_cache(maxsize=4096)
def _split_of_folder(folder: str) -> str | None:
    return next((split for part in folder.split("/") if (split := split_name(part)) is not None), None)


def is_for_labels(folder: str) -> bool:
    """Whether a folder's last name says that it holds label files: `Annotations`, `labels_train` and the like."""
    return any(word in _LABELS for word in _WORD.findall(folder.rpartition("/")[2].lower()))


@functools.lru_cache(maxsize=4096)
def is_aside(folder: str) -> bool:
    """Whether a folder is called as those are that hold masks, previews or thumbnails of images that lie elsewhere."""
    return _ASIDE.search(folder) is not None


@functools.lru_cache(maxsize=4096)
def telling_parts(folder: str) -> tuple[str, ...]:
    """The parts of a folder's path that tell it from others, lower case; splits in one spelling (`<train>`)."""
    parts = (part.lower() for part in folder.split("/") if part not in ("", ".", ".."))
    return tuple(f"<{split}>" if (split := split_name(part)) else part for part in parts if not _is_plain(part))


def _is_plain(part: str) -> bool:
    words = _WORD.findall(part)
    return part in _PLAIN or (bool(words) and all(word in _PLAIN for word in words))
