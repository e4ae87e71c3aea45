"""What a manifest says about image files: how they are written, and what one of them may cost."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from amp_datasets.images.codec import Limits
from amp_datasets.images.kinds import MAX_PIXELS, as_word

Subsampling = Annotated[
    Literal["keep", "444", "422", "420"],
    BeforeValidator(as_word),
    WithJsonSchema({"enum": ["keep", "444", "422", "420", 444, 422, 420]}),
]

_DEFAULTS = Limits(max_pixels=MAX_PIXELS)  # whatever the environment says


class Encode(BaseModel):
    """How images are written; `keep` is what the source has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["keep", "jpeg", "png", "webp", "bmp", "tiff"] = "keep"
    quality: Annotated[int, Field(ge=1, le=100)] = 95
    subsampling: Subsampling = "keep"
    depth: Literal[8, 16] = Field(default=8, description="16 keeps deep grey and RGB, with format png")
    alpha: Literal["flatten", "keep"] = Field(default="flatten", description="keep transparency in PNG and WebP")

    @model_validator(mode="after")
    def _format_holds_it(self) -> Encode:
        if self.depth == 16 and self.format != "png":
            raise ValueError("depth 16 needs `format: png`")
        if self.alpha == "keep" and self.format not in ("keep", "png", "webp"):
            raise ValueError(f"{self.format} holds no transparency: use png or webp, or `alpha: flatten`")
        return self


class LimitSettings(BaseModel):
    """What a single image or label file may cost."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_pixels: Annotated[int, Field(gt=0)] = _DEFAULTS.max_pixels
    max_bytes: Annotated[int, Field(gt=0)] = _DEFAULTS.max_bytes
    max_label_bytes: Annotated[
        int, Field(gt=0, description="of a label file; parsed, it takes up to forty times as much")
    ] = _DEFAULTS.max_label_bytes

    def as_limits(self) -> Limits:
        """The same as those who read images take it."""
        return Limits(self.max_bytes, self.max_pixels, max_label_bytes=self.max_label_bytes)
