"""What the reader and the writer of OpenImages' tables both know."""

from __future__ import annotations

TITLE = "OpenImages, tables of boxes and of class descriptions"
FLAGS = {
    "IsOccluded": "occluded",
    "IsTruncated": "truncated",
    "IsDepiction": "depiction",
    "IsInside": "inside",
}
"""Columns of 1, 0 and -1 (nobody looked), and the attributes that they become."""
