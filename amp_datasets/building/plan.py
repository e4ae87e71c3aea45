"""From images to tasks: what is to be made of each, under which keys, and what earlier runs have made already."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from amp_datasets.building.choosing.partners import Partners, as_json, key_of
from amp_datasets.building.choosing.prepared import Prepared, copies_of
from amp_datasets.building.choosing.task import Task
from amp_datasets.ledger.keys import VariantKeys
from amp_datasets.rows.schema import dump_annotations
from amp_datasets.sources.joining import Item
from amp_datasets.variants.recipe import ORIGINAL


def plan(prepared: Prepared, ready: Mapping[str, list[dict[str, Any]]]) -> list[Task]:
    """One task for every source image; `ready` are rows, by key, that need not be made again."""
    planner = _Planner(prepared, ready)
    return [planner.task(item) for item in prepared.joined.items]


class _Planner:
    """What all tasks of a build share."""

    def __init__(self, prepared: Prepared, ready: Mapping[str, list[dict[str, Any]]]) -> None:
        self.prepared = prepared
        self.ready = ready
        self.keys = VariantKeys(prepared.recipe, prepared.registry)
        self.partners = Partners(prepared)

    def task(self, item: Item) -> Task:
        sample = item.sample
        labels = dump_annotations(sample.annotations, sample.labels)
        values = "" if item.values is None else json.dumps(item.values)
        wanted: dict[str, str] = {}
        beside: dict[str, Any] = {}
        counts: dict[str, int] = {}
        piece = [f"piece {item.piece}"] if item.piece else []
        if self.prepared.keeps_original(item):
            wanted[ORIGINAL] = self.keys.original_key(item.sha256, labels, values, piece)
        for spec in self.prepared.kinds_of(item):
            copies = copies_of(item, spec)
            if not copies:
                continue
            more = list(piece)
            if copies != spec.copies:  # not as many rows as the kind of variant says
                counts[spec.name] = copies
                more.append(f"copies {copies}")
            groups = self.partners.of(item, spec, copies)
            if groups:
                beside[spec.name] = as_json(groups)
                more += key_of(groups)
            wanted[spec.name] = self.keys.key(item.sha256, labels, spec, item.one_sided, values, more)
        reused = {name: self.ready[key] for name, key in wanted.items() if key in self.ready}
        split, group = str(sample.split), str(sample.group)
        known = (item.sha256, labels, split, item.stem, wanted, reused, group, item.one_sided, values, item.piece)
        return Task(sample.source_id, sample.image, *known, beside, counts)
