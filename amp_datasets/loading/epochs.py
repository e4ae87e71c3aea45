"""New variants every epoch: one variant of each row, sampled anew from (seed, epoch, image), labels exact.

    train = train.with_transform(recipe.transform(epoch=3))

The same image, epoch and seed give the same variant, in any order and with any number of DataLoader workers.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from amp_datasets.errors import AmpError
from amp_datasets.images.decoding import rgb_of
from amp_datasets.loading.columns import BoxForm, Columns, columns_of_row, to_xyxy
from amp_datasets.loading.rows import maker_of, pieces_of, refuse_other_rows, refuse_set_wide
from amp_datasets.manifest.model import Manifest
from amp_datasets.manifest.resolve import recipe_for
from amp_datasets.model import Annotation, Category, Image
from amp_datasets.variants.maker import Planned, VariantMaker, render
from amp_datasets.variants.steps import Original

Batch = Mapping[str, Sequence[Any]]


class EpochTransform:
    """What `Recipe.transform` gives: a batch of rows in, the same rows with one random variant each out.

    Rows have decoded images, as `with_transform` hands them over. `set_epoch` starts the next epoch; DataLoader workers
    that live on see it only if they are started anew (`persistent_workers=False`, the default).

    Rows are preprocessed too. Raises AmpError for what one row cannot give: tiles, parts of other images, and what
    chooses among the images of a set.
    """

    def __init__(
        self,
        recipe: Manifest,
        columns: Columns | None = None,
        epoch: int = 0,
        boxes: BoxForm = "xywh",
        then: Callable[[dict[str, list[Any]]], Any] | None = None,
    ) -> None:
        made = recipe_for(recipe, [Category(name) for name in columns.names] if columns else [])
        refuse_set_wide(recipe)
        refuse_other_rows(made)
        self.recipe = made.dump()
        self.originals = recipe.originals
        self.columns = columns
        self.boxes = boxes
        self.epoch = epoch
        self.then = then

    def set_epoch(self, epoch: int) -> None:
        """Draw the variants of another epoch from now on."""
        self.epoch = epoch

    def __call__(self, batch: Batch) -> Any:
        """One variant of every row; a row whose variants are all refused stays as it is."""
        names = list(batch)
        rows = [dict(zip(names, values, strict=True)) for values in zip(*batch.values(), strict=True)]
        made = [self.row(row) for row in rows]
        result = {name: [row[name] for row in made] for name in names}
        return result if self.then is None else self.then(result)

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """One variant of a row with a decoded image."""
        from PIL import Image as PillowImage

        columns = self.columns = self.columns or columns_of_row(row, self.boxes)
        image: Image = rgb_of(row[columns.image])
        maker = maker_of(self.recipe)
        digest = hashlib.sha256(image.tobytes()).hexdigest()
        original = Original(image, digest, self._annotations(row, columns, image))
        original = next(pieces_of(original, maker), original)
        planned = self._choose(maker, original)
        if planned is None and not original.before:
            return {**row, columns.image: PillowImage.fromarray(image)}
        pixels = original.image if planned is None else render(original.image, planned)
        annotations = original.annotations if planned is None else planned.judged.annotations
        labelled = columns.row(row, annotations, (pixels.shape[1], pixels.shape[0]))
        return {**labelled, columns.image: PillowImage.fromarray(pixels)}

    def _annotations(self, row: Mapping[str, Any], columns: Columns, image: Image) -> tuple[Annotation, ...]:
        size = (image.shape[1], image.shape[0])
        for entry in columns.entries(row):
            x0, y0, x1, y1 = to_xyxy(entry[columns.box], columns.form, size)
            if x1 > size[0] * 1.05 + 2 or y1 > size[1] * 1.05 + 2 or x1 < x0 or y1 < y0:
                raise AmpError(
                    f"a box {list(entry[columns.box])} lies outside of its image as {columns.form}",
                    fix="say what the numbers are: recipe.transform(boxes='xyxy')",
                )
        return columns.annotations(row, size)

    def _choose(self, maker: VariantMaker, original: Original) -> Planned | None:
        """The variant of this epoch: of all kinds one at random, the next where it is refused; None is the original."""
        told = f"{maker.recipe.seed}|{original.sha256}|epoch|{self.epoch}"
        chance = random.Random(hashlib.blake2b(told.encode(), digest_size=16).digest())
        shown = {a.category for a in original.annotations}
        specs = [spec for spec in maker.recipe.variants if spec.concerns(shown)]
        kinds = [(spec, copy) for spec in specs for copy in range(spec.copies)]
        chance.shuffle(kinds)
        if self.originals and chance.randrange(len(kinds) + 1) == 0:
            return None
        for spec, copy in kinds:
            planned = maker.plan_one(original, spec, self.epoch * spec.copies + copy)
            if isinstance(planned, Planned):
                return planned
        return None


class EpochDataset:
    """A map-style dataset for a torch DataLoader: row i of epoch e is one variant of row i of `dataset`.

    `set_epoch` reaches workers that live on (`persistent_workers=True`) too: the number lies in shared memory.
    """

    def __init__(self, dataset: Any, transform: EpochTransform) -> None:
        import torch

        self.dataset = dataset
        self.transform = transform
        self._epoch = torch.tensor([transform.epoch]).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Draw the variants of another epoch from the next row on."""
        self._epoch[0] = epoch

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        self.transform.set_epoch(int(self._epoch[0]))
        row = self.dataset[index]
        result = self.transform({name: [value] for name, value in row.items()})
        return {name: values[0] for name, values in result.items()}
