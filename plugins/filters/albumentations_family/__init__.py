"""Albumentations' own transforms as `albumentations.NAME`: those whose labels come out right, and why others do not.

Transforms of values alone are taken as they are, some within bounds. Those that only permute or cut whole pixels get
their labels from our own point map, which is read off the transform itself. The rest is refused, each with what is
wrong with it in 2.0.8.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Mapping
from typing import Any, cast

import albumentations as A  # noqa: N812 - the library's own convention
import cv2
import numpy as np
from albumentations.augmentations.crops.transforms import CropSizeError
from pydantic import BaseModel, ValidationInfo, create_model, field_validator

from amp_datasets.errors import CannotApply, PluginError, nearest
from amp_datasets.filtering.base import Draw, Filter, GeometricFilter, PixelFilter
from amp_datasets.geometry.warp import Affine, Fill, Warp
from amp_datasets.model import Size
from amp_datasets.plugin.registry import Family, Registry

from .verdicts import BOUNDS, CROPS, EXACT, EXAMPLES, REFUSED, Bounds

PREFIX = "albumentations"

_EXAMPLE_SIZES = ("height", "width", "x_max", "y_max")


def names() -> list[str]:
    """The transforms that can be used."""
    return sorted(name for name in _transforms() if name not in REFUSED)


@functools.cache
def resolve(member: str) -> type[Filter]:
    """The transform of that name as a filter, or a PluginError that says why not."""
    known = _transforms()
    if member in REFUSED:
        reason, fix = REFUSED[member]
        raise PluginError(f"`{PREFIX}.{member}` is refused: {reason}", fix=fix)
    if member not in known:
        lower = {name.lower(): name for name in known}  # the library's capitals are hard to guess
        near = nearest(member.lower(), lower)
        hint = f"did you mean `{PREFIX}.{lower[near]}`?  " if near is not None else ""
        raise PluginError(f"`{member}` is not a transform of Albumentations", fix=f"{hint}`amp filters` lists all")
    return _geometric(known[member]) if member in EXACT else _pixel(known[member])


@functools.cache
def _transforms() -> dict[str, type[A.BasicTransform]]:
    """Every transform that Albumentations exports and that could be a filter."""
    exported = {name: value for name, value in vars(A).items() if inspect.isclass(value)}
    return {name: value for name, value in exported.items() if issubclass(value, A.BasicTransform)}


def _pixel(base: type[A.BasicTransform]) -> type[Filter]:
    plugin = _new_class(base, (base, PixelFilter), _shared_members(base))
    if base.__name__ in BOUNDS:
        plugin.InitSchema = _bounded(base.InitSchema, BOUNDS[base.__name__])
    return plugin


def _geometric(base: type[A.BasicTransform]) -> type[Filter]:
    def warp(self: Any, size: Size, *_: Any, **draw: Any) -> Warp:
        """The map that the transform applies to keypoints, and its own new size."""
        return _read_warp(self, base, size, {**draw, "shape": (size[1], size[0], 3)})

    return _new_class(base, (GeometricFilter, base), {**_shared_members(base), "warp": warp})


def _new_class(base: type[A.BasicTransform], bases: tuple[type, ...], members: dict[str, Any]) -> type[Filter]:
    return cast("type[Filter]", types.new_class(base.__name__, bases, exec_body=lambda body: body.update(members)))


def _shared_members(base: type[A.BasicTransform]) -> dict[str, Any]:
    """What makes a transform a filter: name, examples, settings that cannot be misread, choices that are its own."""
    signature = _signature(base)
    settings = tuple(name for name in signature.parameters if name not in {"self", "p"})

    def __init__(self: Any, **given: Any) -> None:  # noqa: N807
        checks = {"strict": True} if "InitSchema" in vars(base) else {}
        base.__init__(self, **{"p": 1.0, **given, **checks})
        _refuse_reflection(self)
        _refuse_out_of_bounds(self, BOUNDS.get(base.__name__))

    def get_params_dependent_on_data(self: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Draw:
        """What the transform samples from the data; without the shape, which nobody chose."""
        try:
            chosen = base.get_params_dependent_on_data(self, params, {"bboxes": np.zeros((0, 4)), **data})
        except CropSizeError as error:
            raise CannotApply(
                "the image is smaller than the crop", fix=f"leave it out, or crop less: {error}"
            ) from error
        return {key: _plain(value) for key, value in chosen.items() if key != "shape"}

    __init__.__signature__ = signature  # type: ignore[attr-defined]
    example = {name: 32 for name in _EXAMPLE_SIZES if name in signature.parameters and base.__name__ in CROPS}
    return {
        "__module__": __name__,
        "__doc__": str(inspect.getdoc(base)).split("\n\n", maxsplit=1)[0],
        "__init__": __init__,
        "name": f"{PREFIX}.{base.__name__}",
        "examples": (EXAMPLES.get(base.__name__, example),),
        "severity": 2,
        "get_class_fullname": classmethod(lambda cls: f"amp_datasets.{PREFIX}.{base.__name__}"),  # noqa: ARG005
        "get_params_dependent_on_data": get_params_dependent_on_data,
        "get_transform_init_args_names": lambda self: settings,  # noqa: ARG005 - not those of its own bases
    }


def _signature(base: type[A.BasicTransform]) -> inspect.Signature:
    """The transform's own settings, always applied unless told otherwise.

    What it requires gets None, which its schema refuses by name; what its schema does not know is not a setting.
    """
    parameters = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    for parameter in inspect.signature(base).parameters.values():
        if parameter.name not in base.InitSchema.model_fields:
            continue
        default = None if parameter.default is inspect.Parameter.empty else parameter.default
        default = 1.0 if parameter.name == "p" else default
        parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, default=default))
    return inspect.Signature(parameters)


def _refuse_reflection(transform: Any) -> None:
    """A reflected border shows objects a second time, without labels; a wrapped one as well."""
    if isinstance(transform, GeometricFilter) and _border_mode(transform) not in _FILLS:
        raise PluginError(
            f"`{transform.name}` must not fill with mirror images: they show objects without labels",
            fix=f"border_mode: {cv2.BORDER_CONSTANT} (a colour) or {cv2.BORDER_REPLICATE} (the edge)",
        )


def _refuse_out_of_bounds(transform: Any, bounds: Bounds | None) -> None:
    """Settings under which objects move are an error, not a surprise."""
    for setting in bounds.limits if bounds is not None else ():
        complaint = bounds.complaint(setting, getattr(transform, setting)) if bounds is not None else None
        if complaint is not None:
            raise PluginError(f"`{setting}` of `{transform.name}` {complaint}")


def _bounded(schema: type[BaseModel], bounds: Bounds) -> type[BaseModel]:
    """A transform's schema that knows the bounds as well, so that a manifest's mistake is reported at its line."""

    def check(value: Any, info: ValidationInfo) -> Any:
        complaint = bounds.complaint(str(info.field_name), value)
        if complaint is not None:
            raise ValueError(complaint)
        return value

    return create_model(
        "InitSchema", __base__=schema, __validators__={"within_bounds": field_validator(*bounds.limits)(check)}
    )


_FILLS = (cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE)


def _border_mode(transform: Any) -> int:
    return int(getattr(transform, "border_mode", cv2.BORDER_CONSTANT))


def _read_warp(transform: Any, base: type[A.BasicTransform], size: Size, params: dict[str, Any]) -> Warp:
    """Three points through the transform's keypoint map (it counts from pixel centres) give the matrix.

    The maps of these transforms have whole coefficients; rounding takes away what 32-bit arithmetic may have added.
    """
    try:
        height, width = base.apply(transform, np.zeros((size[1], size[0]), dtype=np.uint8), **params).shape[:2]
    except ValueError as error:
        raise CannotApply("the image does not hold the window", fix=f"crop inside the image: {error}") from error
    if not (height and width):
        raise CannotApply("nothing of the image would be left")
    keypoints = np.zeros((3, 5))
    keypoints[:, :2] = np.array([(0, 0), (1, 0), (0, 1)]) - 0.5
    moved = np.rint(base.apply_to_keypoints(transform, keypoints, **params)[:, :2] + 0.5)
    matrix = np.eye(3)
    matrix[:2] = np.stack([moved[1] - moved[0], moved[2] - moved[0], moved[0]], axis=1)
    return Warp((Affine(matrix),), size, (int(width), int(height)), _fill(transform))


def _fill(transform: Any) -> Fill:
    if _border_mode(transform) == cv2.BORDER_REPLICATE:
        return "replicate"
    red, green, blue = np.broadcast_to(np.rint(getattr(transform, "fill", 0)), 3)
    return int(red), int(green), int(blue)


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's, also within tuples, so that most parameters are JSON."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def register(registry: Registry) -> None:
    """Offer the family."""
    registry.add_family(PREFIX, Family(resolve, names))
