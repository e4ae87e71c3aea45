"""What this user's own runs made, and what came from elsewhere: only the former is ever reused.

A folder can be shipped with everything that a run of ours leaves behind. So what is to serve a later run is marked with
a secret that never leaves this user's cache, or remembered there by its digest.
"""

from __future__ import annotations

import contextlib
import functools
import hmac
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from amp_datasets.storage.files import file_sha256

_SECRET_BYTES = 32
_DIGEST = re.compile(r"[0-9a-f]{16,128}")


def cache_root() -> Path:
    """Our folder in the cache of `datasets`, found as that library finds its own, without importing it."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    hugging_face = os.environ.get("HF_HOME") or f"{home}/huggingface"
    return Path(os.environ.get("HF_DATASETS_CACHE") or f"{hugging_face}/datasets").expanduser() / "amp"


def mark_of(text: str) -> str:
    """A mark that only this user's runs can put on a text."""
    return hmac.new(_secret(cache_root()), text.encode(), "sha256").hexdigest()


def is_marked(text: str, mark: str) -> bool:
    """Whether `mark_of` gave this mark to this text, in whatever process of this user."""
    return hmac.compare_digest(mark_of(text).encode(), mark.encode(errors="replace"))


def remember(digest: str) -> None:
    """Note that this user made what has this digest. Without a cache that can be written it is simply not known."""
    with contextlib.suppress(OSError):
        place = _noted(digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch(mode=0o600)


def is_remembered(digest: str) -> bool:
    """Whether this user made what has this digest, as far as the cache still knows."""
    return _DIGEST.fullmatch(digest) is not None and _noted(digest).is_file()


def kept_copy(folder: Path, key: str, suffix: str, write: Callable[[BinaryIO], None]) -> Path:
    """A file of the cache for a key, written if it is not there. OSError if it cannot be.

    It lies in a folder of the key's name and is called by its own digest: one that was cut off, or put there by
    somebody, is not taken.
    """
    place = folder / key
    for path in place.glob(f"*{suffix}"):
        with contextlib.suppress(OSError):
            if path.stem == file_sha256(path):
                return path
    place.mkdir(parents=True, exist_ok=True)
    draft = place / f".{secrets.token_hex(8)}.amp-part"
    try:
        with draft.open("xb") as stream:
            write(stream)
        path = place / f"{file_sha256(draft)}{suffix}"
        draft.replace(path)  # at once, also where two processes come first
    finally:
        draft.unlink(missing_ok=True)
    return path


def _noted(digest: str) -> Path:
    if _DIGEST.fullmatch(digest) is None:
        raise OSError("a digest is hexadecimal digits")
    return cache_root() / "made" / digest


@functools.lru_cache(maxsize=4)
def _secret(cache: Path) -> bytes:
    """The user's secret, made at its first use; one for this process alone where nothing can be kept."""
    path, fresh = cache / "secret", secrets.token_bytes(_SECRET_BYTES)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        draft = cache / f".secret-{secrets.token_hex(8)}"
        draft.touch(mode=0o600)
        draft.write_bytes(fresh)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)  # whole, and only if there is none: two first runs agree on one
        draft.unlink()
        kept = path.read_bytes()
    except OSError:
        return fresh
    return kept if len(kept) == _SECRET_BYTES else fresh
