"""The manifest: one short YAML file that says what to build. Every mistake in it is reported, with its place."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

import re2
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from amp_datasets.filtering.settings import is_filter
from amp_datasets.images.codec import EncodeSettings
from amp_datasets.manifest.fields import (
    Classes,
    ExportName,
    Name,
    Only,
    OutlineName,
    RequiredPlugin,
    Share,
    StepSetting,
)
from amp_datasets.manifest.image_settings import Encode, LimitSettings
from amp_datasets.manifest.preprocess import FilterTag, PreprocessSetting
from amp_datasets.manifest.short_forms import in_full
from amp_datasets.variants.recipe import ORIGINAL, LabelSettings, Step, VariantSpec

HUB_PREFIX = "hf://"
_QUIET = re2.Options()
_QUIET.log_errors = False


def is_address(path: str) -> bool:
    """Whether a source is no path of this machine: on a hub, or given in memory."""
    return "://" in path


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _check_path(path: str) -> str:
    if re.search(r"[\x00-\x1f]", path):
        raise ValueError("a path has no line break or tab (\\n, \\t between double quotes): use single quotes")
    return path


class SourceSettings(_Model):
    """A set to read: a folder, zip archive, or `hf://datasets/owner/name@revision`."""

    path: Annotated[str, AfterValidator(_check_path)]
    format: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    classes: dict[str, str] = Field(default_factory=dict, description="this source's class names -> names in the build")
    links: Literal["inside", "follow"] = Field(default="inside", description="follow links that lead out of the folder")
    values: tuple[float, float] | None = Field(
        default=None, description="black and white of images deeper than 8 bits; without it they are measured"
    )

    @field_validator("values")
    @classmethod
    def _rising(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not (math.isfinite(value[0]) and math.isfinite(value[1]) and value[0] < value[1]):
            raise ValueError(f"black must be below white, both finite (got {list(value)})")
        return value


class Labels(_Model):
    """How labels are judged after a filter."""

    min_visibility: Share = 0.4
    drop_below: Share = 0.1
    min_side_px: Annotated[float, Field(ge=0)] = 2.0
    outline: Literal["auto"] | OutlineName | dict[str, OutlineName] = Field(
        default="auto",
        description="shape inside a plain box; by category, with `default` for the others; auto takes the one that "
        "outlined objects of the class show, else ellipse",
    )
    max_box_rotation: Annotated[float, Field(ge=0, le=45)] = Field(
        default=15.0, description="degrees by which a plain box may be turned if nobody knows the shape inside"
    )
    sides: Literal["auto", "off"] | dict[str, str] = Field(
        default="auto", description="categories that a mirror image exchanges"
    )
    attempts: Annotated[int, Field(ge=1, le=1000)] = 10
    min_difference: Annotated[float, Field(ge=0, le=255)] = 0.5

    @model_validator(mode="after")
    def _ordered(self) -> Labels:
        if self.drop_below > self.min_visibility:
            raise ValueError("drop_below must not be above min_visibility")
        return self


class Hub(_Model):
    """Where `amp publish` pushes to."""

    repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    private: bool = True
    license: str | None = None


class Balance(_Model):
    """Rare classes get more copies of the mixes, until each has as many labels, or images, as the target says.

    `to` is the median or the maximum of what the classes would have without it, or a number; no image gets more
    variants than `limit`.
    """

    to: Literal["median", "max"] | Annotated[int, Field(ge=1)] = "median"
    by: Literal["labels", "images"] = "labels"
    limit: Annotated[int, Field(ge=1, le=1000)] = 10


class Mix(_Model):
    """Several filters in a row; with `pick`, that many of them are chosen at random for each of `copies`.

    `versions` counts as Roboflow does, the untouched image included: with `originals` it is one more than `copies`.
    """

    steps: Annotated[tuple[StepSetting, ...], Field(min_length=1)]
    copies: Annotated[int, Field(ge=1, le=1000)] = 1
    versions: Annotated[int, Field(ge=1, le=1000)] | None = None
    pick: Annotated[int, Field(ge=1)] | None = None
    max_severity: Annotated[int, Field(ge=1)] = 4
    only: Only | None = Field(default=None, description="made only of images that show one of these classes")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if isinstance(value, str | list):
            value = {"steps": value}
        if isinstance(value, dict) and isinstance(value.get("steps"), str):
            value = {**value, "steps": [value["steps"]]}
        if isinstance(value, dict) and value.get("versions") is not None and value.get("copies", 1) != 1:
            raise ValueError("say `copies`, or `versions`, which counts the untouched image too; not both")
        return value

    @model_validator(mode="after")
    def _can_pick(self) -> Mix:
        if self.pick is not None and self.pick > len(self.steps):
            raise ValueError(f"pick is {self.pick}, but there are only {len(self.steps)} steps")
        if any(step.only for step in self.steps):
            raise ValueError("`only` concerns a whole mix: write it beside `steps`")
        return self


class Manifest(_Model):
    """What to build, from what, and how."""

    name: Name = "dataset"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    sources: tuple[SourceSettings, ...] = ()
    classes: Classes | None = None
    unknown_classes: Literal["error", "keep", "drop"] = "error"
    unlabelled: Literal["drop", "empty"] = "drop"
    duplicates: Literal["keep", "drop"] = "keep"
    near_duplicates: Literal["auto", "report", "off"] = Field(
        default="auto", description="look for images that look the same: auto where splits are made anew"
    )
    group_by: str | None = Field(default=None, description="regular expression; its first group names the split group")
    splits: Literal["keep", "auto"] | dict[Literal["train", "validation", "test"], Share] = "keep"
    augment: tuple[Literal["train", "validation", "test"], ...] = ("train",)
    originals: bool = True
    preprocess: tuple[PreprocessSetting, ...] = Field(
        default=(), description="what every image of every split goes through before any filter"
    )
    filters: dict[str, StepSetting] = Field(default_factory=dict)
    mixes: dict[Name, Mix] = Field(default_factory=dict)
    balance: Balance | None = None
    labels: Labels = Labels()
    encode: Encode = Encode()
    limits: LimitSettings = LimitSettings()
    exports: tuple[ExportName, ...] = ("yolo", "coco", "huggingface")
    hub: Hub | None = None
    requires: tuple[RequiredPlugin, ...] = Field(default=(), description="plugins that must be there, by name")

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("a manifest is a map of settings")
        return in_full(value, lambda inner: isinstance(inner, Step) or is_filter(inner))

    @field_validator("exports")
    @classmethod
    def _one_of_a_kind(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        families: dict[str, str] = {}
        for name in names:
            other = families.setdefault(name.partition("-")[0], name)
            if other != name:
                raise ValueError(f"`{other}` and `{name}` write the same files; export one of them afterwards")
        return tuple(dict.fromkeys(names))

    @field_validator("splits")
    @classmethod
    def _add_up(cls, value: Any) -> Any:
        if isinstance(value, dict) and abs(sum(value.values()) - 1) > 1e-6:
            raise ValueError(
                f"the shares add up to {sum(value.values()):g}, not to 1: like {{train: 0.7, validation: 0.3}}"
            )
        return value

    @field_validator("group_by")
    @classmethod
    def _names_a_group(cls, value: str | None) -> str | None:
        if value is None:
            return value
        try:
            groups = re2.compile(value, _QUIET).groups
        except re2.error as error:
            told = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else error
            raise ValueError(
                f"this is not a regular expression without look-around and back references (RE2): {told}"
            ) from error
        if groups < 1:
            raise ValueError("it needs one group in brackets, which names the split group")
        return value

    @field_validator("mixes")
    @classmethod
    def _not_a_filter(cls, value: dict[str, Mix], info: ValidationInfo) -> dict[str, Mix]:
        both = sorted(set(info.data.get("filters", ())) & set(value))
        if both:
            raise ValueError(f"`{both[0]}` is both a filter and a mix; rename the mix")
        return value

    @model_validator(mode="after")
    def _one_file_each(self) -> Manifest:
        """Each variant of an image is a file of its own, also where file systems know no capitals."""
        owners = {ORIGINAL: "the untouched image"}
        for spec in self.variants():
            for copy in range(spec.copies):
                label = spec.label(copy)
                other = owners.setdefault(label.casefold(), spec.name)
                if other != spec.name or label.casefold() == ORIGINAL:
                    raise ValueError(
                        f"`{spec.name}` and `{other}` would both name a file `{label}`; rename one of them"
                    )
        return self

    def variants(self) -> tuple[VariantSpec, ...]:
        """Every kind of variant, in the manifest's order."""
        plain = [VariantSpec(name, (step,), only=step.only) for name, step in self.filters.items()]
        most = 0 if self.balance is None else self.balance.limit
        mixed = [
            VariantSpec(name, m.steps, copies, m.pick, m.max_severity, m.only.classes if m.only else ())
            for name, m in self.mixes.items()
            if (copies := max(self.copies_of_mix(name), most)) > 0
        ]
        return (*plain, *mixed)

    def copies_of_mix(self, name: str) -> int:
        """How many copies of a mix each image gets, before any balance."""
        mix = self.mixes[name]
        return mix.copies if mix.versions is None else mix.versions - self.originals

    @model_validator(mode="after")
    def _something_to_balance(self) -> Manifest:
        if self.balance is not None and not self.mixes:
            raise ValueError("`balance` makes more copies of mixes, and there is none: add `mixes:`")
        return self

    @property
    def tag_filter(self) -> FilterTag | None:
        """Which tags an image must have, if that matters."""
        found = [FilterTag(**step.settings) for step in self.preprocess if step.filter == "filter_tag"]
        return found[0] if found else None

    @property
    def labelled_share(self) -> float | None:
        """The share of images that must show an object, if that matters."""
        found = [step.settings["percent"] / 100 for step in self.preprocess if step.filter == "filter_null"]
        return max(found) if found else None

    def label_settings(self) -> LabelSettings:
        """The part of `labels` that concerns single images."""
        said = self.labels.outline
        per_class = said if isinstance(said, dict) else {} if said == "auto" else {"default": said}
        names = ("min_visibility", "drop_below", "min_side_px", "attempts", "min_difference", "max_box_rotation")
        return LabelSettings(
            **{name: getattr(self.labels, name) for name in names},
            outline=per_class.get("default", "ellipse"),
            outlines={name: shape for name, shape in per_class.items() if name != "default"},
            assumed="default" not in per_class,
        )

    def encode_settings(self) -> EncodeSettings:
        """How images are written."""
        return EncodeSettings(**self.encode.model_dump())
