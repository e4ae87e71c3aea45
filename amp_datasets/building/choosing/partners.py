"""The other images that variants take parts of, for every image of a build."""

from __future__ import annotations

import base64
import json
from typing import Any

from amp_datasets.building.choosing.pool import Pool
from amp_datasets.building.choosing.prepared import Prepared
from amp_datasets.filtering.base import JoiningFilter
from amp_datasets.filtering.settings import create
from amp_datasets.plugin.registry import Registry
from amp_datasets.rows.schema import dump_annotations
from amp_datasets.sources.joining import Item
from amp_datasets.variants.composing.join import whole_outlines
from amp_datasets.variants.recipe import VariantSpec, digest

Groups = list[list[list[Item]]]
"""By copy and joining step: other images."""


class Partners:
    """Chooses the other images of every variant, from those of its split that are in the build."""

    def __init__(self, prepared: Prepared) -> None:
        self._seed = prepared.recipe.seed
        self._joining = {spec.name: _joining(spec, prepared.registry) for spec in prepared.recipe.variants}
        self._items: dict[str, Item] = {}
        self._pools: dict[tuple[str, bool], Pool] = {}
        if not any(self._joining.values()):
            return
        names: dict[tuple[str, bool], list[str]] = {}
        for item in prepared.joined.items:
            if prepared.keeps_original(item) or prepared.kinds_of(item):
                self._items[_name(item)] = item
                names.setdefault((str(item.sample.split), False), []).append(_name(item))
                if any(whole_outlines(item.seen, item.sample.size)):
                    names.setdefault((str(item.sample.split), True), []).append(_name(item))
        self._pools = {place: Pool(found) for place, found in names.items()}

    def of(self, item: Item, spec: VariantSpec, copies: int | None = None) -> Groups:
        """For each copy and each step that joins images, the others; nothing for a kind without such a step."""
        joining = self._joining[spec.name]
        if not joining:
            return []
        own, split = _name(item), str(item.sample.split)
        return [
            [self._chosen(f"{self._seed}|{own}|{spec.name}|{copy}|{number}", own, split, f) for number, f in joining]
            for copy in range(spec.copies if copies is None else copies)
        ]

    def _chosen(self, key: str, own: str, split: str, transform: JoiningFilter) -> list[Item]:
        pool = self._pools.get((split, transform.wants_outlines))
        names = [] if pool is None else pool.choose(key, transform.partners, without=own)
        return [self._items[name] for name in names]


def key_of(groups: Groups) -> list[str]:
    """What of other images belongs to a variant's key."""
    return [f"partners {digest([[[_name(i) for i in step] for step in copy] for copy in groups])}"] if groups else []


def as_json(groups: Groups) -> list[list[list[dict[str, Any]]]]:
    """The other images as a worker and the ledger need them."""
    return [[[_plain(item) for item in step] for step in copy] for copy in groups]


def _joining(spec: VariantSpec, registry: Registry) -> list[tuple[int, JoiningFilter]]:
    made = [create(registry.filter(step.filter), step.settings) for step in spec.steps]
    return list(enumerate(transform for transform in made if isinstance(transform, JoiningFilter)))


def _name(item: Item) -> str:
    """An image and its labels, by content alone."""
    labels = digest(dump_annotations(item.sample.annotations, item.sample.labels))
    return f"{item.sha256} {labels} {item.piece}"


def _plain(item: Item) -> dict[str, Any]:
    file = item.sample.image
    return {
        "source_id": item.sample.source_id,
        "source_sha256": item.sha256,
        "source_labels": dump_annotations(item.sample.annotations, item.sample.labels),
        "values": "" if item.values is None else json.dumps(item.values),
        "piece": item.piece,
        "path": str(file.path),
        "member": file.member,
        "data": None if file.data is None else base64.b64encode(file.data).decode("ascii"),
    }
