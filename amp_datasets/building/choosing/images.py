"""Which images a build is made of, after preprocessing and selection."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from amp_datasets.building.choosing.balance import Candidate, extra_copies
from amp_datasets.building.choosing.prepared import Prepared
from amp_datasets.manifest.model import Manifest
from amp_datasets.model import Dropped
from amp_datasets.sources.joining import Consolidated, Item
from amp_datasets.variants.composing.pieces import Piece
from amp_datasets.variants.maker import VariantMaker


def balanced(prepared: Prepared) -> Prepared:
    """The same images with so many copies of each mix that rare classes come up to the others, as `balance` says."""
    joined, manifest = prepared.joined, prepared.manifest
    wanted = manifest.balance
    if wanted is None:
        return prepared
    candidates, mixes = [], []
    for item in joined.items:
        kinds = prepared.kinds_of(item)
        mixed = [spec.name for spec in kinds if spec.name in manifest.mixes]
        base = {name: manifest.copies_of_mix(name) for name in mixed}
        plain = len(kinds) - len(mixed) + sum(base.values())
        names = item.classes
        adds = Counter(names) if wanted.by == "labels" else Counter(set(names))
        room = max(0, wanted.limit - plain) if mixed else 0
        name = f"{item.sha256} {item.piece}"
        candidates.append(Candidate(name, adds, plain + prepared.keeps_original(item), room))
        mixes.append(base)
    in_reach = [n for n, item in enumerate(joined.items) if item.sample.split in manifest.augment]
    extra = extra_copies([candidates[n] for n in in_reach], wanted.to, manifest.seed)
    items = list(joined.items)
    for number, more in zip(in_reach, extra, strict=True):
        names = list(mixes[number])
        share = {name: more // len(names) + (i < more % len(names)) for i, name in enumerate(names)} if names else {}
        copies = {name: mixes[number][name] + share[name] for name in names}
        items[number] = replace(items[number], copies=copies)
    return replace(prepared, joined=replace(joined, items=tuple(items)))


def selected(joined: Consolidated, manifest: Manifest, maker: VariantMaker) -> Consolidated:
    """The images that the manifest's `preprocess` leaves, each as all the pieces that it makes of it."""
    if not manifest.preprocess:
        return joined
    dropped: list[Dropped] = []
    items = list(_with_tags(joined.items, manifest, dropped))
    if maker.recipe.preprocess:
        items = [piece for item in items for piece in _pieces(item, maker, manifest.seed, dropped)]
    items = _with_few_empty(items, manifest, dropped)
    return replace(joined, items=tuple(items), dropped=(*joined.dropped, *dropped))


def _with_tags(items: Iterable[Item], manifest: Manifest, dropped: list[Dropped]) -> Iterator[Item]:
    wanted = manifest.tag_filter
    for item in items:
        why = None if wanted is None else wanted.refuses(item.sample.tags)
        if why is None:
            yield item
        else:
            dropped.append(Dropped(item.sample.source_id, "left out by filter_tag", why))


def _pieces(item: Item, maker: VariantMaker, seed: int, dropped: list[Dropped]) -> Iterator[Item]:
    sample = item.sample
    pieces = maker.preprocessing.pieces(sample.size, sample.annotations, item.sha256)
    if not pieces:
        dropped.append(Dropped(sample.source_id, "no object to isolate"))
    for piece in pieces:
        if stays(piece, seed, item.sha256):
            yield replace(item, piece=piece.name, shown=piece.judged.annotations, category=piece.category)
        else:
            dropped.append(Dropped(f"{sample.source_id} {piece.name}", "piece without an object"))


def stays(piece: Piece, seed: int, sha256: str) -> bool:
    """Whether a piece of an image is taken: of those without an object only a share is, drawn by a hash."""
    if piece.judged.annotations or piece.empty_share >= 1:
        return True
    return _chance(seed, f"{sha256} {piece.name}") < piece.empty_share


def _with_few_empty(items: list[Item], manifest: Manifest, dropped: list[Dropped]) -> list[Item]:
    """No more images without an object than their share allows, in each set and split by itself.

    Which ones stay is drawn by a hash of the image, so what another set has does not matter.
    """
    share = manifest.labelled_share
    if share is None:
        return items
    labelled: dict[tuple[str, str | None], int] = {}
    empty: dict[tuple[str, str | None], list[Item]] = {}
    for item in items:
        place = (item.set_name, item.sample.split)
        if item.classes:
            labelled[place] = labelled.get(place, 0) + 1
        else:
            empty.setdefault(place, []).append(item)
    too_many: set[int] = set()
    for place, found in empty.items():
        room = int(labelled.get(place, 0) * (1 - share) / share + 1e-9) if share > 0 else len(found)
        ranked = sorted(found, key=lambda item: _chance(manifest.seed, f"{item.sha256} {item.piece}"))
        for item in ranked[room:]:
            too_many.add(id(item))
            dropped.append(Dropped(f"{item.sample.source_id} {item.piece}".strip(), "one empty image too many"))
    return [item for item in items if id(item) not in too_many]


def _chance(seed: int, name: str) -> float:
    """A number of 0..1 that a name has under a seed."""
    digest = hashlib.blake2b(f"{seed}|preprocess|{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64
