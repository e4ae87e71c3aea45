"""One source image to its ledger rows and image files: what a worker does, whatever engine runs it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from amp_datasets.audit.strength import too_strong
from amp_datasets.building.choosing.task import Task
from amp_datasets.building.loaded import LastDecoded, Loaded, OtherImages, why_anew
from amp_datasets.images.codec import encode
from amp_datasets.ledger.keys import text_sha256
from amp_datasets.ledger.schema import DROPPED, MADE, empty_row
from amp_datasets.rows.schema import count_labels, dump_annotations
from amp_datasets.storage.files import place_file, replace_by_link, replace_file, write_failed
from amp_datasets.variants.breaking import why_not
from amp_datasets.variants.layers import unchanged_pixels, variant_pixels
from amp_datasets.variants.maker import Planned, Refused, VariantMaker
from amp_datasets.variants.recipe import ORIGINAL, Recipe, VariantSpec, canonical
from amp_datasets.variants.steps import Original


class Maker:
    """Makes the rows of tasks and puts the image files into `images`/split.

    Without `images` it makes rows with digests alone, and with `plan_only` rows without digests, which costs no pixels.
    With a folder `drafts` files are whole before they get their names: another worker may be making the same ones.
    """

    def __init__(
        self, recipe: Recipe, images: Path | None, *, plan_only: bool = False, drafts: Path | None = None
    ) -> None:
        self.recipe = recipe
        self.images = images
        self.plan_only = plan_only
        self.drafts = drafts
        self.variants = VariantMaker(recipe)
        self.specs = {spec.name: spec for spec in recipe.variants}
        self._decoded = LastDecoded()
        self._others = OtherImages(recipe, self.variants)

    def rows(self, task: Task) -> Iterator[dict[str, Any]]:
        """The ledger rows of a source, in the manifest's order; its files are written on the way."""
        base = self._base(task)
        ready = {name: rows for name, rows in task.ready.items() if all(map(_is_intact, rows))}
        source = Loaded(task, self.recipe, self._others, self._decoded) if len(ready) < len(task.keys) else None
        if source is not None and source.problem is not None:
            yield {**base, "status": DROPPED, **source.problem}  # the source as a whole, not each of its variants
            return
        for number, (name, key) in enumerate(task.keys.items()):
            if source is not None and ORIGINAL not in [*task.keys][number:]:
                source.data = b""  # of the largest images that is a tenth of all memory
            if source is None or name in ready:
                yield from (self._again(row, task, base) for row in ready[name])
            elif name == ORIGINAL:
                yield self._original({**base, "key": key}, source, task)
            else:
                yield from self._variants({**base, "key": key}, source, self.specs[name], task)

    def _base(self, task: Task) -> dict[str, Any]:
        return {
            **empty_row(),
            "source_id": task.source_id,
            "source_sha256": task.sha256,
            "source_labels": task.labels,
            "group": task.group,
            "values": task.values,
            "piece": task.piece,
            "split": task.split,
            "labels_in": count_labels(task.labels),
        }

    def _variants(
        self, base: dict[str, Any], source: Loaded, spec: VariantSpec, task: Task
    ) -> Iterator[dict[str, Any]]:
        written_as = source.encoding.dump()
        for planned, data in self._rendered(source, spec, task):
            row = {**base, "spec": spec.name, "copy": planned.copy, "variant": task.named(spec.label(planned.copy))}
            row["partners"] = task.partners(spec.name, planned.copy)
            if isinstance(planned, Refused):
                yield _refused(row, planned)
                continue
            row |= {
                "encoding": written_as,
                "detail": "; ".join(f"{why}: {how}" for why, how in too_strong(planned, source.original).items()),
                **described(planned, source.original, source.labels),
            }
            yield self._put(row, data, source.encoding.suffix, planned.warp.size, task)

    def _rendered(self, source: Loaded, spec: VariantSpec, task: Task) -> Iterator[tuple[Planned | Refused, bytes]]:
        """All copies of a kind of variant with their files' bytes; one that breaks is set aside, the rest goes on."""
        for planned in self.variants.plan_copies(source.original, spec, task.copies.get(spec.name)):
            if isinstance(planned, Refused) or self.plan_only:
                yield planned, b""
                continue
            try:
                pixels = variant_pixels(source.original, planned, source.encoding, self.recipe.limits)
                data = encode(pixels, source.encoding)
            except BaseException as error:
                why = why_not(error, task.source_id)
                yield Refused(spec, planned.copy, planned.attempt + 1, *why), b""
                continue
            yield planned, data

    def _original(self, base: dict[str, Any], source: Loaded, task: Task) -> dict[str, Any]:
        """The untouched file; one that not every reader would show alike is written anew, and the row says why."""
        original = source.original
        row = {**base, "spec": ORIGINAL, "variant": task.named(ORIGINAL), "labels": source.labels}
        row |= {"labels_sha256": text_sha256(source.labels), "labels_out": count_labels(source.labels)}
        row |= {"steps": canonical(list(original.before)), "labels_dropped": counted(original.lost)}
        least = self.recipe.labels.min_visibility
        row["labels_partial"] = sum(known.share < least for known in original.known)
        suffix, data, why = task.suffix, source.data, why_anew(source.header, source.encoding)
        why = ["preprocessed", *why] if source.changed else why
        if why:
            suffix = source.encoding.suffix
            try:
                data = encode(unchanged_pixels(original, source.encoding, self.recipe.limits), source.encoding)
            except BaseException as error:
                reason, detail = why_not(error, task.source_id)
                return {**row, "status": DROPPED, "reason": reason, "detail": detail, "labels_out": 0}
            row |= {"encoding": source.encoding.dump(), "detail": "; ".join(why)}
        return self._put(row, data, suffix, original.size, task)

    def _put(self, row: dict[str, Any], data: bytes, suffix: str, size: tuple[int, int], task: Task) -> dict[str, Any]:
        name = task.file_name(row, suffix)
        if self.images is not None:
            target = self.images / task.split / name
            try:
                if self.drafts is None:
                    target.write_bytes(data)
                else:
                    replace_file(target, data, self.drafts)
            except OSError as error:
                raise write_failed(error, target) from error
        row |= {"status": MADE, "file_name": name, "sha256": "" if self.plan_only else hashlib.sha256(data).hexdigest()}
        return {**row, "width": size[0], "height": size[1]}

    def _again(self, row: dict[str, Any], task: Task, base: dict[str, Any]) -> dict[str, Any]:
        """A row of an earlier build, with its file linked under the name that it has in this one."""
        held = row["held_at"]
        row = {**{name: row[name] for name in base}, **{key: base[key] for key in ("source_id", "group", "split")}}
        if row["status"] != MADE:
            return row
        copied = row["spec"] == ORIGINAL and not row["encoding"]
        suffix = task.suffix if copied else Path(row["file_name"]).suffix
        name = task.file_name(row, suffix)
        if self.images is not None:
            target = self.images / task.split / name
            if self.drafts is None:
                place_file(Path(held), target)
            else:
                replace_by_link(Path(held), target, self.drafts)
        return {**row, "file_name": name}


def _is_intact(row: dict[str, Any]) -> bool:
    """Whether the file of an earlier row is still what it was (after a power cut it may be empty)."""
    if row["status"] != MADE:
        return True
    try:
        found = hashlib.sha256(Path(row["held_at"]).read_bytes()).hexdigest()
    except OSError:
        return False
    return found == str(row["sha256"])


def described(planned: Planned, original: Original, source_labels: str) -> dict[str, Any]:
    """The ledger's columns about a plan; where no label changed, the source's text serves again."""
    judged = planned.judged
    same = judged.annotations is original.annotations and judged.labels == original.labels
    labels = source_labels if same else dump_annotations(judged.annotations, judged.labels)
    return {
        "attempt": planned.attempt,
        "steps": planned.steps_json,
        "labels": labels,
        "labels_sha256": text_sha256(labels),
        "labels_out": len(judged.annotations) + len(judged.labels),
        "labels_partial": judged.partial,
        "labels_estimated": judged.estimated,
        "labels_dropped": counted(judged.dropped),
    }


def counted(dropped: Mapping[str, int]) -> str:
    """Reasons and how often each was met, as the ledger holds them."""
    return json.dumps(dict(dropped), sort_keys=True) if dropped else ""


def _refused(row: dict[str, Any], refused: Refused) -> dict[str, Any]:
    return {
        **row,
        "status": DROPPED,
        "attempt": max(0, refused.attempts - 1),
        "reason": refused.reason,
        "detail": refused.detail,
    }
