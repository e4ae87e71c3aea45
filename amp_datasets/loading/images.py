"""The Image feature of sets that we load: `datasets`' own, with our list of decoders and our limits.

The library's opens whatever Pillow has a plugin for, from wherever a row says. Ours opens the six formats that a build
may hold, from the set itself; what it stores, and how a dataset describes itself, stay the library's.
"""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import datasets
import numpy as np
from datasets import DownloadConfig, config
from datasets.utils.file_utils import xopen
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageOps

from amp_datasets.errors import ImageError, UnreadableError
from amp_datasets.images.codec import Encoding, Limits, decode, encode, read_header
from amp_datasets.images.opening import careful, open_image
from amp_datasets.loading.addresses import PROTOCOL
from amp_datasets.loading.lazy import open_address, open_pixels
from amp_datasets.model import ImageFile
from amp_datasets.storage.folder import read_image_file

_ARCHIVES = frozenset({"zip", "tar", "gzip", "bz2", "xz", "zstd", "lz4"})
"""What `datasets` may put before an address of the hub, to read a member of an archive there."""

D = TypeVar("D", bound=Any)


class CheckedImage(datasets.Image):  # type: ignore[misc] # `datasets` has no types
    """An Image feature that decodes only what a build may hold; equal to the library's, and stored as it.

    Files are opened below `root` alone, if one is given.
    """

    root: str | None = None

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, datasets.Image)
        return same and (self.mode, self.decode) == (other.mode, other.decode)  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((self.mode, self.decode))

    def decode_example(self, value: Any, token_per_repo_id: Mapping[str, Any] | None = None) -> Any:
        """The upright image of a row. Raises ImageError for bytes and places that are none of ours."""
        if not self.decode or not isinstance(value, dict):
            return super().decode_example(value, token_per_repo_id)
        image = self._opened(value.get("bytes"), value.get("path"), token_per_repo_id or {})
        return image.convert(self.mode) if self.mode and self.mode != image.mode else image

    def _opened(self, data: Any, where: Any, tokens: Mapping[str, Any]) -> PillowImage.Image:
        """A row's image in its own mode, from its bytes or from where it is."""
        if data is not None:
            return opened(bytes(data), where)
        pixels = open_pixels(where) if str(where).startswith(f"{PROTOCOL}://") else None
        return opened(self._read(str(where), tokens), where) if pixels is None else shown(pixels)

    def _read(self, path: str, tokens: Mapping[str, Any]) -> bytes:
        limit = Limits().max_bytes
        if path.startswith(f"{PROTOCOL}://"):
            return open_address(path)
        if "://" not in path:
            inside = self.root is None or _is_below(path, self.root)
            if not inside:
                raise ImageError("a row names a file outside of its set", where=path, fix="get the set again")
            return read_image_file(ImageFile(Path(path)), limit)
        return _from_hub(path, tokens, limit)


def checked(dataset: D, root: Path | None = None) -> D:
    """A dataset, or the splits of one, whose images are opened by `CheckedImage`."""
    features = dataset.features if hasattr(dataset, "features") else next(iter(dataset.values())).features
    for name, kind in (features or {}).items():
        if isinstance(kind, datasets.Image):
            feature = CheckedImage(mode=kind.mode, decode=kind.decode)
            feature.root = None if root is None else str(root.resolve())
            dataset = dataset.cast_column(name, feature)
    return dataset


def opened(data: bytes, where: object = None) -> PillowImage.Image:
    """The upright image in its own mode, decoded; RGB deeper than 8 bits, which Pillow lacks, as `decode` gives it."""
    header = read_header(data, Limits(), where)
    if header.depth > 8 and (header.colour != "grey" or header.has_alpha):
        return PillowImage.fromarray(decode(data, header, where))
    with careful(where):
        image = open_image(data)
        image.load()
        return image if header.orientation == 1 else ImageOps.exif_transpose(image)


def shown(pixels: NDArray[Any]) -> PillowImage.Image:
    """Pixels as an image, with no loss: 8 bits as they are, 16 bits as their PNG would open."""
    if pixels.dtype == np.uint8 and pixels.shape[2] == 3:
        image = PillowImage.new(
            "RGB", (pixels.shape[1], pixels.shape[0]), None
        )  # `fromarray` would paint it black first
        image.frombytes(np.ascontiguousarray(pixels).data)
        return image
    if pixels.dtype == np.uint8:
        return PillowImage.fromarray(pixels)
    return opened(encode(pixels, Encoding("png", depth=16)))


def _is_below(path: str, root: str) -> bool:
    """By its words: a link inside of the set is followed, as the hub's cache is made of them."""
    return os.path.commonpath([root, os.path.normpath(os.path.join(root, path))]) == root  # noqa: PTH118 - not resolved


def _from_hub(path: str, tokens: Mapping[str, Any], limit: int) -> bytes:
    """A file of a set that streams from the hub, the only place on the network that a row may name."""
    *archives, source = path.split("::")
    at_hub = source.startswith((config.HF_ENDPOINT + "/", "hf://"))
    if not at_hub or not {part.partition("://")[0] for part in archives} <= _ARCHIVES:
        raise ImageError("a row names an address that is not on the hub", where=path, fix="get the set again")
    name = source.removeprefix("hf://datasets/").removeprefix(f"{config.HF_ENDPOINT}/datasets/").partition("@")[0]
    token = tokens.get("/".join(name.split("/")[:2]))
    with xopen(path, "rb", download_config=DownloadConfig(token=token)) as file:
        data: bytes = file.read(limit + 1)
    if len(data) > limit:
        raise UnreadableError(f"the file has more than the limit of {limit} bytes", where=path)
    return data
