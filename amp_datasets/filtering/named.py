"""What the manifest needs to know of every filter, and how all of them refuse wrong arguments."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import albumentations as A  # noqa: N812 - the library's own convention

from amp_datasets.filtering.class_hints import Meaning
from amp_datasets.filtering.settings import check_arguments
from amp_datasets.filtering.types import Draw


class StrictArguments(type(A.BasicTransform)):  # type: ignore[misc] # the metaclass of Albumentations, which is untyped
    """Makes a wrong argument of a filter an error; Albumentations warns of it and goes on without."""

    @property
    def __signature__(cls) -> inspect.Signature:
        """The constructor's own, for `help` and editors: they would show that of `__call__` below."""
        whole = inspect.signature(type.__getattribute__(cls, "__init__"))
        return whole.replace(parameters=list(whole.parameters.values())[1:])

    if not TYPE_CHECKING:  # editors and mypy are to see each filter's own arguments

        def __call__(cls, *args: Any, **settings: Any) -> Any:
            """A filter with checked settings. Raises AmpError."""
            wrong = check_arguments(cls, args, settings)
            if wrong is not None:
                raise wrong
            return super().__call__(*args, **settings)


class NamedFilter:
    """What the manifest needs to know of a filter."""

    name: ClassVar[str]
    examples: ClassVar[tuple[dict[str, Any], ...]]
    """Settings that the contract tests run; the first is the one in the documentation's image."""
    roboflow: ClassVar[str] = ""
    """What Roboflow's page for generating a version calls it, where it has the like."""
    caution: ClassVar[str] = ""
    """When not to use it: sets and classes that it harms, in one or two sentences."""
    to_write: ClassVar[tuple[str, ...]] = ()
    """What a filter of this kind has to define."""
    severity: ClassVar[int] = 1
    """1 leaves the image natural, 2 distorts it clearly, 3 leaves little of it; mixes cap the sum."""
    any_depth: ClassVar[bool] = False
    """Whether it also works on images of 16 bits: what moves or hides pixels does, what computes values does not."""
    spoils: ClassVar[frozenset[Meaning]] = frozenset()
    """What a class may mean that this filter makes wrong; a build warns of classes whose names say so."""

    @classmethod
    def get_class_fullname(cls) -> str:
        """The name in `A.to_dict`, which survives moving the module."""
        return f"amp_datasets.{cls.__name__}"

    def get_params_dependent_on_data(self, params: Mapping[str, Any], data: Mapping[str, Any]) -> Draw:  # noqa: ARG002
        """Nothing more to draw; Albumentations' own default repeats the image's shape, which nobody chose."""
        return {}

    @classmethod
    def lacks(cls) -> list[str]:
        """What it has to define and does not: methods that are still those of a base class, and `name`, `examples`."""
        missing = [name for name in ("name", "examples", "InitSchema") if not hasattr(cls, name)]
        return missing + [name for name in cls.to_write if _home_of(cls, name).startswith(_BASES)]


_BASES = ("amp_datasets.filtering.", "albumentations.")


def _home_of(plugin: type, name: str) -> str:
    """The module of the class that defines a method."""
    return next((base.__module__ for base in plugin.__mro__ if name in vars(base)), _BASES[0])
