"""The door of this wing: bytes to arrays and back, under the names that the rest of the house uses."""

from __future__ import annotations

from amp_datasets.images.decoding import Layers, decode, decode_layers
from amp_datasets.images.encoding import encode
from amp_datasets.images.kinds import (
    IMAGE_SUFFIXES,
    WRITABLE,
    EncodeSettings,
    Encoding,
    Header,
    ImageFormat,
    Limits,
    Subsampling,
    ValueRange,
    encoding_for,
    load_encoding,
    orientation_matrix,
)
from amp_datasets.images.opening import read_header
from amp_datasets.model import ImageFile
from amp_datasets.storage.folder import read_image_file

__all__ = [
    "IMAGE_SUFFIXES",
    "WRITABLE",
    "EncodeSettings",
    "Encoding",
    "Header",
    "ImageFormat",
    "Layers",
    "Limits",
    "Subsampling",
    "ValueRange",
    "decode",
    "decode_layers",
    "encode",
    "encoding_for",
    "load_encoding",
    "orientation_matrix",
    "read_bytes",
    "read_header",
]


def read_bytes(file: ImageFile, limits: Limits) -> bytes:
    """An image's file in memory; a SourceError if it is gone or larger than the limit."""
    return read_image_file(file, limits.max_bytes)
