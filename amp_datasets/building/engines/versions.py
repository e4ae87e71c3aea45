"""Whether another process would give the same bytes: the versions of all that shapes them."""

from __future__ import annotations

from collections.abc import Mapping

from amp_datasets.errors import BuildError
from amp_datasets.ledger.keys import library_versions, plugin_digests
from amp_datasets.plugin.registry import Registry
from amp_datasets.variants.recipe import Recipe

_NAMED = 3


def made_with(recipe: Recipe, registry: Registry) -> dict[str, str]:
    """The versions of libraries and the digests of plugins that images are made with here."""
    return {**library_versions(), **plugin_digests(recipe, registry)}


def refuse_other_versions(planned: Mapping[str, str], here: Mapping[str, str], where: object) -> None:
    """A BuildError that names the first differences, if there are any."""
    names = sorted(name for name in {*planned, *here} if planned.get(name) != here.get(name))
    if names:
        told = [f"{name} was {planned.get(name, 'not there')}, is {here.get(name, 'not there')}" for name in names]
        raise BuildError(
            f"the build was planned with other versions: {'; '.join(told[:_NAMED])}",
            where=where,
            fix="use one environment for all processes, or plan again in this one",
        )
