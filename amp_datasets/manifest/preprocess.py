"""The manifest's `preprocess`: filters that every image goes through first, and which images are taken at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SerializeAsAny, ValidationError, ValidationInfo

from amp_datasets.filtering.settings import Problem, SettingsError, problems_of
from amp_datasets.manifest.fields import read_step, registry_of
from amp_datasets.variants.recipe import Step

if TYPE_CHECKING:
    from amp_datasets.filtering.base import Filter


class FilterNull(BaseModel):
    """So many percent of the images of each set and split, or more, show an object: of the others some are left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    percent: Annotated[float, Field(ge=0, le=100)] = 90


class FilterTag(BaseModel):
    """Images with all tags of `require`, with one of `allow`, and with none of `exclude`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    require: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def refuses(self, tags: frozenset[str]) -> str | None:
        """Why an image with these tags is left out; None if it is taken."""
        lacking, wrong = set(self.require) - tags, set(self.exclude) & tags
        if lacking:
            return f"it lacks {', '.join(sorted(lacking))}"
        if wrong:
            return f"it has {', '.join(sorted(wrong))}"
        return None if not self.allow or tags & set(self.allow) else f"it has none of {', '.join(self.allow)}"


SELECTIONS: dict[str, type[BaseModel]] = {"filter_null": FilterNull, "filter_tag": FilterTag}
"""Steps that leave images out, by name; they change none."""


def _step(value: Any, info: ValidationInfo) -> Step:
    name, settings = next(iter(value.items())) if isinstance(value, dict) and len(value) == 1 else (value, None)
    if isinstance(name, str) and name in SELECTIONS:
        try:
            checked = SELECTIONS[name].model_validate(settings or {})
        except ValidationError as error:
            raise SettingsError(problems_of(error)) from error
        return Step(name, checked.model_dump(mode="json"))
    step = read_step(value, info)
    _refuse_random(registry_of(info).filter(step.filter))
    if step.conditions():
        first = next(iter(step.conditions()))
        raise SettingsError([Problem(first, "preprocessing is for all images; among the filters this can be said")])
    return step


def _refuse_random(plugin: type[Filter]) -> None:
    """What hides parts of an image, or takes parts of another, belongs among the filters."""
    from amp_datasets.filtering.base import GeometricFilter, PixelFilter

    if not issubclass(plugin, PixelFilter | GeometricFilter):
        raise SettingsError([Problem(None, f"`{plugin.name}` is no preprocessing", "put it among the filters")])


PreprocessSetting = Annotated[SerializeAsAny[Step], BeforeValidator(_step)]
