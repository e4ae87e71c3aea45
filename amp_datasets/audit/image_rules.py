"""The rules of `amp check` about what image files hold besides 8-bit RGB, and about links."""

from __future__ import annotations

from typing import Literal

from amp_datasets.images.kinds import DEEP, FLAT, FRAMES, INKS, PROFILE
from amp_datasets.storage.folder import LEADS_OUT

_KEEP = "nothing: originals and variants are made alike"
IMAGE_RULES: tuple[tuple[str, Literal["error", "warning", "note"], str, str], ...] = (
    ("AMP330", "warning", LEADS_OUT, "put the files in its place, or say `links: follow` for this source"),
    ("AMP331", "note", DEEP, f"{_KEEP}; `encode: {{format: png, depth: 16}}` keeps 16 bits"),
    ("AMP332", "note", FLAT, f"{_KEEP}; `encode: {{alpha: keep}}` keeps it in PNG and WebP"),
    ("AMP333", "note", INKS, f"{_KEEP}; convert it with a colour profile if shades matter"),
    ("AMP334", "note", FRAMES, "save the others as files of their own if they are labelled"),
    ("AMP335", "note", PROFILE, "nothing: trainers do not apply it either; convert to sRGB if shades matter"),
    ("AMP336", "warning", "image is nearly black in the range of its set",
     "declare `values: [BLACK, WHITE]` for this source, or put the image into a source of its own"),
)  # fmt: skip
OF_LOSSES = {row[2]: row[0] for row in IMAGE_RULES if row[0] in ("AMP331", "AMP332", "AMP333", "AMP334", "AMP335")}
"""The rule for each thing that can be lost of an image."""

IMAGE_REASONS: dict[str, tuple[str, ...]] = {"AMP330": (LEADS_OUT,)}
"""What readers count, by its rule."""
