"""What people write in short as the manifest has it in full: lists for maps, a word for a list, percent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

SPLIT_WORDS = {"val": "validation", "valid": "validation", "dev": "validation", "training": "train", "testing": "test"}
_SPLITS = ("train", "validation", "test")
PERCENT = r"^\s*[+-]?\d+(\.\d+)?\s*%\s*$"
"""A number with a percent sign, as editors' schemas say it."""
SHARES = r"^\s*\d+(\s*/\s*\d+){1,2}\s*$"
"""Shares of splits in a row: `70/20/10`."""
_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")


def in_full(value: dict[str, Any], is_step: Any) -> dict[str, Any]:
    """A manifest's map with its short forms written out; what is not clear stays for the checks that follow."""
    empty = [key for key in ("sources", "preprocess", "filters", "mixes") if key in value and value[key] is None]
    value = {key: inner for key, inner in value.items() if key not in empty}
    for key in ("sources", "preprocess", "augment", "exports", "requires"):
        if isinstance(value.get(key), str):
            value[key] = [value[key]]
    if isinstance(value.get("sources"), list):
        value["sources"] = [{"path": s} if isinstance(s, str) else s for s in value["sources"]]
    if isinstance(value.get("augment"), list):
        value["augment"] = [SPLIT_WORDS.get(split, split) for split in value["augment"]]
    if "splits" in value:
        value["splits"] = split_shares(value["splits"])
    if isinstance(value.get("preprocess"), Mapping):
        value["preprocess"] = [{name: settings} for name, settings in value["preprocess"].items()]
    if "filters" in value:
        value["filters"] = _filters(value["filters"], is_step)
    return value


def split_shares(value: Any) -> Any:
    """`70/20/10`, percent and whole numbers of a hundred as shares; `val` as validation."""
    if isinstance(value, str) and re.match(SHARES, value):
        value = dict(zip(_SPLITS, map(int, value.split("/")), strict=False))
    if not isinstance(value, Mapping):
        return value
    shares = {SPLIT_WORDS.get(str(name), name): _number(share) for name, share in value.items()}
    if len(shares) < len(value):
        return value
    numbers = [share for share in shares.values() if isinstance(share, int | float)]
    if len(numbers) == len(shares) and abs(sum(numbers) - 100) < 1e-6:
        return {name: share / 100 for name, share in shares.items()}
    return shares


def _number(share: Any) -> Any:
    found = _PERCENT.fullmatch(share) if isinstance(share, str) else None
    return share if found is None else float(found.group(1))


def _filters(value: Any, is_step: Any) -> Any:
    """A list of filters as a map, each under its own name; and each value as a step."""
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list):
        pairs: list[tuple[Any, Any]] = []
        for entry in value:
            pairs += entry.items() if isinstance(entry, Mapping) else [(entry, None)]
        names = [name for name, _ in pairs]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(
                f"the filter `{twice}` is given twice: put one of them under `mixes`, where each has a name of its own"
            )
        value = dict(pairs)
    if isinstance(value, Mapping):
        return {name: inner if is_step(inner) else {name: inner} for name, inner in value.items()}
    return value
