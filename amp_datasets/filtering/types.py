"""What filters are made of: types of settings, draws, look-up tables, strips. `filter` hands all of it on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the package index at every import otherwise

import albucore
import albumentations as A  # noqa: N812 - the library's own convention
import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Discriminator, Field, Tag

from amp_datasets.errors import PluginError
from amp_datasets.geometry.warp import Fill
from amp_datasets.model import Image, Size

if A.__version__ != "2.0.8":
    raise PluginError(
        f"albumentations {A.__version__} is installed, amp_datasets works with 2.0.8",
        fix="pip uninstall albumentationsx albumentations; pip install albumentations==2.0.8",
    )

Draw = dict[str, Any]
"""What one application chose: names to JSON values."""
Table = NDArray[np.uint8]
"""256 new values, one for each old one."""
Mode = Literal["positive", "negative", "both"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Percent = Annotated[float, Field(gt=0, le=100)]
Strength = Annotated[float, Field(ge=1, le=100)]
"""Percent of a change; below 1 most 8-bit values would stay as they are."""
Channel = Annotated[int, Field(ge=0, le=255)]
Colour = tuple[Channel, Channel, Channel]
"""Red, green, blue."""
FillSetting = Literal["replicate", "reflect", "crop"] | tuple[int, int, int]
BorderSetting = Literal["replicate", "reflect"] | Colour
"""What lies around an image that became smaller or was moved: its nearest pixel, its mirror image, or a colour."""

_T = TypeVar("_T")

_STRIP_PIXELS = 64 * 1024
_RUN_VALUES = 256 * 1024


def _ordered(value: Any) -> Any:
    if isinstance(value, tuple) and not value[0] <= value[1]:
        raise ValueError("the lower end comes first")
    return value


Range = Annotated[_T | tuple[_T, _T], AfterValidator(_ordered)]
"""Exactly this value, or a uniform draw from [low, high]."""


_S = TypeVar("_S")


def _has_sign(value: Any) -> str:
    pair = isinstance(value, list | tuple) and bool(value)
    return "signed" if pair and isinstance(value[0], int | float) and value[0] < 0 else "plain"


def _signed(value: Any) -> Any:
    low, high = _ordered(value)
    if low == high:
        raise ValueError("a range from a negative value goes up to a higher one")
    return value


Signed = Annotated[
    Annotated[_T | tuple[_T, _T], AfterValidator(_ordered), Tag("plain")]
    | Annotated[tuple[_S, _S], AfterValidator(_signed), Tag("signed")],
    Discriminator(_has_sign),
]
"""A `Range`, or one that begins below 0 such as [-15, 15]: the sign of what is drawn from that is its direction."""
SignedStrength = Signed[Strength, Annotated[float, Field(ge=-100, le=100)]]

if TYPE_CHECKING:
    from pydantic import BaseModel

    Settings = BaseModel  # what it is; Albumentations itself carries no types
else:
    Settings = A.BasicTransform.InitSchema
    """Base of a filter's `InitSchema`: a pydantic model of its settings."""


def uniform(random: Any, setting: float | tuple[float, float]) -> float:
    """The setting itself, or a uniform draw between its two values."""
    return float(random.uniform(*setting) if isinstance(setting, tuple) else setting)


def draw_seed(random: Any) -> int:
    """A seed for `random_bytes`, small enough for every reader of JSON."""
    return int(random.getrandbits(53))


def random_bytes(seed: int, count: int) -> NDArray[np.uint8]:
    """Independent uniform bytes for large random fields; raw SFC64 output, the same under every NumPy (NEP 19)."""
    words = np.random.SFC64(seed).random_raw(-(-count // 8))
    field: NDArray[np.uint8] = np.asarray(words, dtype="<u8").view(np.uint8)
    return field[:count]


def refuse_nothing_left(settings: _T) -> _T:
    """Validate `percent` and `mode` of a filter that at -100 percent leaves one flat colour."""
    percent, mode = getattr(settings, "percent", 0), getattr(settings, "mode", "positive")
    least, most = percent if isinstance(percent, tuple) else (percent, percent)
    if least < -95:
        raise ValueError(f"nothing of the image is left at -100 percent: start at -95 or above (got {least:g})")
    if mode != "positive" and least > 0 and most > 95:
        raise ValueError(f"mode {mode} takes at most 95 percent: nothing of the image is left at 100 (got {most:g})")
    return settings


def sign(random: Any, mode: Mode) -> int:
    """+1 or -1: as the mode says, drawn for `both`."""
    if mode == "both":
        return int(random.choice((1, -1)))
    return 1 if mode == "positive" else -1


def directed(random: Any, setting: float | tuple[float, float], mode: Mode) -> float:
    """A draw with its direction as its sign: as the mode says, unless the setting is a range with signs of its own."""
    if isinstance(setting, tuple) and setting[0] < 0:
        return uniform(random, setting)
    return sign(random, mode) * uniform(random, setting)


def rounded(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Rounded to nearest and clipped once, as 8-bit values."""
    clipped: NDArray[np.uint8] = np.minimum(np.maximum(np.rint(values), 0), 255).astype(np.uint8)
    return clipped


def look_up(image: Image, table: Table) -> Image:
    """Every value of an 8-bit image replaced through a table (6 times faster than cv2.LUT)."""
    return np.asarray(albucore.sz_lut(np.ascontiguousarray(image), table, inplace=False), dtype=np.uint8)


def in_strips(function: Callable[[Image], Image], image: Image, halo: int = 0) -> Image:
    """A filter applied to strips whose intermediate results stay in the processor's cache.

    `halo` is how many rows above and below a row of the result depends on.
    """
    height, width = image.shape[:2]
    rows = max(16, _STRIP_PIXELS // width)
    if height <= rows:
        return function(image)
    result = np.empty_like(image)
    for top in range(0, height, rows):
        bottom, above = min(top + rows, height), max(top - halo, 0)
        strip = function(image[above : bottom + halo])
        result[top:bottom] = strip[top - above : bottom - above]
    return result


def in_runs(count: int) -> Iterator[slice]:
    """Stretches of a long row of values, for what needs several bytes for each of them: of all at once that is 1 GB."""
    return (slice(start, start + _RUN_VALUES) for start in range(0, count, _RUN_VALUES))


def size_of(params: Mapping[str, Any]) -> Size:
    """(width, height) of the image that Albumentations passes as `shape`."""
    height, width = params["shape"][:2]
    return int(width), int(height)


def fill_of(setting: FillSetting) -> Fill:
    """What a warp fills with; a zoomed warp (`crop`) uncovers only rounding at the edge."""
    return "replicate" if setting == "crop" else setting
