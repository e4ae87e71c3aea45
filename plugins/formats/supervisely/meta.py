"""A project's meta.json: its classes in order, and the keypoints of those that are graphs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from amp_datasets.formats.kit.reading import Reading, brief, category_name, parse_json
from amp_datasets.model import Category


@dataclass
class Meta:
    """The classes of a project by name, and for each class which node of its graphs is which keypoint."""

    classes: dict[str, Category] = field(default_factory=dict)
    nodes: dict[str, dict[str, int]] = field(default_factory=dict)


def read_meta(reading: Reading, file: str) -> Meta:
    """What a meta.json says; a SourceError if it is no JSON."""
    document = parse_json(reading.folder.read(file), reading.folder.path(file))
    found = Meta()
    entries = document.get("classes") if isinstance(document, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        try:
            name = category_name(entry["title"])
        except (ValueError, KeyError, TypeError) as error:
            reading.drop(f"{file}: {brief(entry)}", "category cannot be read", str(error))
            continue
        config = entry.get("geometry_config")
        names, numbers, edges = _graph(config if isinstance(config, dict) else {})
        found.nodes[name] = numbers
        found.classes.setdefault(name, Category(name, "", names, edges))
    return found


def _graph(config: Mapping[str, Any]) -> tuple[tuple[str, ...], dict[str, int], tuple[tuple[int, int], ...]]:
    """The names of a graph's keypoints, the place of each node among them, and the edges between them."""
    nodes, edges = config.get("nodes"), config.get("edges")
    names: list[str] = []
    numbers: dict[str, int] = {}
    for key, node in (nodes if isinstance(nodes, dict) else {}).items():
        numbers[str(key)] = len(names)
        label = node.get("label") if isinstance(node, dict) else None
        names.append(str(label or key))
    pairs = []
    for edge in edges if isinstance(edges, list) else ():
        ends = [numbers.get(str(edge.get(end))) for end in ("src", "dst")] if isinstance(edge, dict) else []
        if len(ends) == 2 and ends[0] is not None and ends[1] is not None:
            pairs.append((ends[0], ends[1]))
    return tuple(names), numbers, tuple(pairs)
