"""The manifest in Python: the same model, names, defaults and checks, with filters as objects.

    recipe = amp.Recipe(filters=[amp.Flip(), amp.Rotate(degrees=(5, 15))], seed=7)

What is wrong raises an AmpError at once, with the nearest name. A recipe and the YAML that it writes make the same
images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import ValidationError

from amp_datasets.errors import AmpError, ManifestError
from amp_datasets.loading.augment import find_dataset_columns
from amp_datasets.loading.columns import BoxForm
from amp_datasets.loading.epochs import EpochTransform
from amp_datasets.manifest import image_settings, model
from amp_datasets.manifest.dump import manifest_document, manifest_text
from amp_datasets.manifest.load import load_manifest
from amp_datasets.manifest.messages import complaints
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.files import write_file
from amp_datasets.storage.yaml import YamlFile

if TYPE_CHECKING:
    from amp_datasets.filtering.base import Filter

Steps = Sequence["Filter | str | Mapping[str, Any]"]
"""Filters in order: objects (`amp.Flip()`), names ("flip"), or as in YAML ({"rotate": {"degrees": 5}})."""


class _Checked:
    """Pydantic's complaints as AmpErrors, as they are for a file."""

    if not TYPE_CHECKING:

        def __init__(self, **settings: Any) -> None:
            try:
                super().__init__(**settings)
            except ValidationError as error:
                problems = complaints(error, YamlFile(Path(type(self).__name__), settings, {}), type(self))
                raise ManifestError.of(problems) from error


class Labels(_Checked, model.Labels):
    """How labels are judged after a filter: the manifest's `labels`."""


class Encode(_Checked, image_settings.Encode):
    """How images are written: the manifest's `encode`."""


class Source(_Checked, model.SourceSettings):
    """A set with its format, options and class names: an entry of the manifest's `sources`."""


class Mix(_Checked, model.Mix):
    """Several filters in a row; with `pick`, that many of them are chosen at random for each of `copies`.

    amp.Mix([amp.Flip(), amp.Brightness(percent=(-25, 25))], copies=3, pick=1)
    """

    if TYPE_CHECKING:

        def __init__(
            self,
            steps: Steps,
            *,
            copies: int = 1,
            versions: int | None = None,
            pick: int | None = None,
            max_severity: int = 4,
            only: Mapping[str, Any] | None = None,
        ) -> None: ...

    else:

        def __init__(self, steps: Steps, **settings: Any) -> None:
            super().__init__(steps=tuple(steps), **settings)


class Recipe(_Checked, model.Manifest):
    """What to make of every image: filters, mixes, how labels are judged and images written, and the seed.

    `filters` are objects, one variant of every image each; a mapping names the variants, as in YAML. Everything that a
    manifest has is a keyword: `amp schema` describes them. Without filters, say `originals=True` alone.
    """

    if TYPE_CHECKING:

        def __init__(
            self,
            filters: Steps | Mapping[str, Any] = (),
            mixes: Mapping[str, model.Mix | Steps] | None = None,
            *,
            name: str = "dataset",
            seed: int = 0,
            sources: str | Path | Iterable[str | Path | model.SourceSettings | Mapping[str, Any]] = (),
            classes: Sequence[str | Mapping[str, Any]] | Mapping[str, Any] | None = None,
            unknown_classes: Literal["error", "keep", "drop"] = "error",
            unlabelled: Literal["drop", "empty"] = "drop",
            duplicates: Literal["keep", "drop"] = "keep",
            near_duplicates: Literal["auto", "report", "off"] = "auto",
            group_by: str | None = None,
            splits: str | Mapping[str, float] = "keep",
            augment: str | Sequence[str] = ("train",),
            originals: bool = True,
            preprocess: Steps = (),
            balance: model.Balance | Mapping[str, Any] | None = None,
            labels: model.Labels | Mapping[str, Any] = ...,
            encode: image_settings.Encode | Mapping[str, Any] = ...,
            limits: Mapping[str, int] = ...,
            exports: str | Sequence[str] = ("yolo", "coco", "huggingface"),
            hub: Mapping[str, Any] | None = None,
            requires: str | Sequence[str] = (),
        ) -> None: ...

    else:

        def __init__(self, filters=(), mixes=None, **settings: Any) -> None:
            if "sources" in settings:
                settings["sources"] = [str(s) if isinstance(s, Path) else s for s in _listed(settings["sources"])]
            super().__init__(filters=_by_name(filters), mixes=dict(mixes or {}), **settings)

    def __eq__(self, other: object) -> bool:
        """Whether both make the same, whichever way they were written."""
        return isinstance(other, model.Manifest) and self.model_dump() == other.model_dump()

    __hash__ = None  # type: ignore[assignment] # it holds maps

    @classmethod
    def from_yaml(cls, path: str | Path, *, plugin_dirs: Sequence[str | Path] = ()) -> Self:
        """The recipe in a file, or one of ours by its name (`roboflow`, `seed20`). Raises ManifestError."""
        registry = load_registry(tuple(map(Path, plugin_dirs)))
        return cls.of(load_manifest(Path(path), registry))

    def transform(
        self,
        dataset: Any = None,
        *,
        epoch: int = 0,
        boxes: BoxForm | None = None,
        then: Callable[[dict[str, list[Any]]], Any] | None = None,
    ) -> EpochTransform:
        """One random variant of each row, for `dataset.with_transform(...)`; `set_epoch` samples anew.

            train = train.with_transform(recipe.transform(train, epoch=3, then=amp.DetrTransform(processor)))

        With the `dataset` its columns, classes and form of boxes are found as `augment` does. Without it the columns
        are those of the first row, boxes are xywh in pixels unless `boxes` says otherwise, and classes that a mirror
        image exchanges (left, right) are known only by name. `then` gets the batch.
        """
        if not self.variants():
            raise AmpError("there is nothing to make", where="the recipe", fix="give it `filters` or `mixes`")
        columns = None if dataset is None else find_dataset_columns(dataset, self, boxes)[0]
        return EpochTransform(self, columns, epoch, boxes or "xywh", then)

    @classmethod
    def of(cls, manifest: model.Manifest) -> Self:
        """A manifest that was checked already."""
        return cls.model_construct(**{name: getattr(manifest, name) for name in type(manifest).model_fields})

    def to_yaml(self, path: str | Path | None = None) -> str:
        """The manifest's text with all defaults; also written to `path`, if given, with sources relative to it."""
        base = Path.cwd() if path is None else Path(path).parent
        text = manifest_text(manifest_document(self, base))
        if path is not None:
            write_file(Path(path), text.encode())
        return text


def _by_name(filters: Any) -> Any:
    """Filters in a list as a map; the name of each is that of its variant."""
    if isinstance(filters, Mapping):
        return dict(filters)
    named: dict[str, Any] = {}
    for each in filters or ():
        pairs = each.items() if isinstance(each, Mapping) else [(each if isinstance(each, str) else each.name, each)]
        for name, value in pairs:
            if name in named:
                raise ManifestError(
                    f"the filter `{name}` is given twice",
                    where="Recipe(filters=...)",
                    fix=f"name one: filters={{'{name}': ..., 'my_{name}': amp.Mix([...])}}, or put one into `mixes`",
                )
            named[name] = None if isinstance(value, str) else value
    return named


def _listed(sources: Any) -> list[Any]:
    return [sources] if isinstance(sources, str | Path) else list(sources)
