"""Small labelled image sets made large, with labels that stay exact.

    import amp_datasets as amp

    recipe = amp.Recipe(filters=[amp.Flip(), amp.Rotate(degrees=(5, 15))], seed=7)
    amp.build(recipe, sources=["photos"], out="build")
    train = amp.load("build")["train"]

Recipes: `Recipe`, `Mix`, `Labels`, `Encode`, `Source`, and every filter by its class name (`Flip`, `Rotate` ...).
Sets: `read` (a `LabelSet`), `check`, `convert`, `merge`; `filters`, `describe` and `explain` say what there is.
`init` writes a first manifest for a set, also from Roboflow's settings.
Looks: `preview`, `report` (one HTML page), `show` (in notebooks).
Builds: `build`, `load`, `verify`, `replay`, `diff`, `publish`.
Training code: `augment` (datasets in, datasets out), `EpochDataset`, `DetrTransform`, `collate`,
`TvTensors`.
What goes wrong raises `AmpError`: what, where, and how to fix it. Everything else in the package is its own matter and
may change from release to release.
"""

from __future__ import annotations

import importlib as _importlib
import os as _os
from typing import TYPE_CHECKING
from typing import Any as _Any

_os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the package index at every import otherwise

if TYPE_CHECKING:
    from amp_plugins.filters.affine import Affine as Affine
    from amp_plugins.filters.auto_contrast import AutoContrast as AutoContrast
    from amp_plugins.filters.blur import Blur as Blur
    from amp_plugins.filters.brightness import Brightness as Brightness
    from amp_plugins.filters.camera_gain import CameraGain as CameraGain
    from amp_plugins.filters.canny import Canny as Canny
    from amp_plugins.filters.color_matrix import ColorMatrix as ColorMatrix
    from amp_plugins.filters.contrast import Contrast as Contrast
    from amp_plugins.filters.copy_paste import CopyPaste as CopyPaste
    from amp_plugins.filters.crop import Crop as Crop
    from amp_plugins.filters.cutout import Cutout as Cutout
    from amp_plugins.filters.elastic import Elastic as Elastic
    from amp_plugins.filters.exposure import Exposure as Exposure
    from amp_plugins.filters.flip import Flip as Flip
    from amp_plugins.filters.fog import Fog as Fog
    from amp_plugins.filters.grayscale import Grayscale as Grayscale
    from amp_plugins.filters.hue import Hue as Hue
    from amp_plugins.filters.isolate_objects import IsolateObjects as IsolateObjects
    from amp_plugins.filters.jpeg import Jpeg as Jpeg
    from amp_plugins.filters.mosaic import Mosaic as Mosaic
    from amp_plugins.filters.motion_blur import MotionBlur as MotionBlur
    from amp_plugins.filters.noise import Noise as Noise
    from amp_plugins.filters.perspective import Perspective as Perspective
    from amp_plugins.filters.rain import Rain as Rain
    from amp_plugins.filters.resize import Resize as Resize
    from amp_plugins.filters.rotate import Rotate as Rotate
    from amp_plugins.filters.rotate90 import Rotate90 as Rotate90
    from amp_plugins.filters.saturation import Saturation as Saturation
    from amp_plugins.filters.selective_blur import SelectiveBlur as SelectiveBlur
    from amp_plugins.filters.shadow import Shadow as Shadow
    from amp_plugins.filters.shear import Shear as Shear
    from amp_plugins.filters.sobel import Sobel as Sobel
    from amp_plugins.filters.static_crop import StaticCrop as StaticCrop
    from amp_plugins.filters.tile import Tile as Tile
    from amp_plugins.filters.translate import Translate as Translate
    from amp_plugins.filters.zoom import Zoom as Zoom

    from amp_datasets.building.api import build as build
    from amp_datasets.building.merge import merge as merge
    from amp_datasets.errors import AmpError as AmpError
    from amp_datasets.exchange.hub import publish as publish
    from amp_datasets.interface.commands import check as check
    from amp_datasets.interface.commands import convert as convert
    from amp_datasets.interface.commands import describe as describe
    from amp_datasets.interface.commands import explain as explain
    from amp_datasets.interface.commands import filters as filters
    from amp_datasets.interface.commands import read as read
    from amp_datasets.interface.recipe import Encode as Encode
    from amp_datasets.interface.recipe import Labels as Labels
    from amp_datasets.interface.recipe import Mix as Mix
    from amp_datasets.interface.recipe import Recipe as Recipe
    from amp_datasets.interface.recipe import Source as Source
    from amp_datasets.interface.starter import init as init
    from amp_datasets.ledger.diff import diff as diff
    from amp_datasets.ledger.replay import replay as replay
    from amp_datasets.ledger.verify import verify as verify
    from amp_datasets.loading.augment import augment as augment
    from amp_datasets.loading.epochs import EpochDataset as EpochDataset
    from amp_datasets.loading.load import load as load
    from amp_datasets.loading.torchvision import TvTensors as TvTensors
    from amp_datasets.loading.training import DetrTransform as DetrTransform
    from amp_datasets.loading.training import collate as collate
    from amp_datasets.model import LabelSet as LabelSet
    from amp_datasets.view.preview import preview as preview
    from amp_datasets.view.report import report as report
    from amp_datasets.view.show import show as show

__version__ = "0.1.0"

_HOMES = {
    "AmpError": "errors",
    "DetrTransform": "loading.training",
    "Encode": "interface.recipe",
    "EpochDataset": "loading.epochs",
    "LabelSet": "model",
    "Labels": "interface.recipe",
    "Mix": "interface.recipe",
    "Recipe": "interface.recipe",
    "Source": "interface.recipe",
    "TvTensors": "loading.torchvision",
    "augment": "loading.augment",
    "build": "building.api",
    "check": "interface.commands",
    "collate": "loading.training",
    "convert": "interface.commands",
    "describe": "interface.commands",
    "diff": "ledger.diff",
    "explain": "interface.commands",
    "filters": "interface.commands",
    "init": "interface.starter",
    "load": "loading.load",
    "merge": "building.merge",
    "preview": "view.preview",
    "publish": "exchange.hub",
    "read": "interface.commands",
    "replay": "ledger.replay",
    "report": "view.report",
    "show": "view.show",
    "verify": "ledger.verify",
}
_FILTERS: tuple[str, ...] = (
    "Affine",
    "AutoContrast",
    "Blur",
    "Brightness",
    "CameraGain",
    "Canny",
    "ColorMatrix",
    "Contrast",
    "CopyPaste",
    "Crop",
    "Cutout",
    "Elastic",
    "Exposure",
    "Flip",
    "Fog",
    "Grayscale",
    "Hue",
    "IsolateObjects",
    "Jpeg",
    "Mosaic",
    "MotionBlur",
    "Noise",
    "Perspective",
    "Rain",
    "Resize",
    "Rotate",
    "Rotate90",
    "Saturation",
    "SelectiveBlur",
    "Shadow",
    "Shear",
    "Sobel",
    "StaticCrop",
    "Tile",
    "Translate",
    "Zoom",
)
__all__ = [
    "AmpError",
    "DetrTransform",
    "Encode",
    "EpochDataset",
    "LabelSet",
    "Labels",
    "Mix",
    "Recipe",
    "Source",
    "TvTensors",
    "__version__",
    "augment",
    "build",
    "check",
    "collate",
    "convert",
    "describe",
    "diff",
    "explain",
    "filters",
    "init",
    "load",
    "merge",
    "preview",
    "publish",
    "read",
    "replay",
    "report",
    "show",
    "verify",
]


if not TYPE_CHECKING:  # so that type checkers see a name that is not there

    def __getattr__(name: str) -> _Any:
        """Public names on first use, filters by their class names: the libraries behind them take seconds to import."""
        if name in _HOMES:
            return getattr(_importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
        if name[:1].isupper():
            from amp_datasets.plugin.discovery import load_registry

            filters = {plugin.__name__: plugin for plugin in load_registry().filters.values()}
            if name in filters:
                return filters[name]
            raise AttributeError(f"there is no filter {name!r}; there are: {', '.join(sorted(filters))}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """What users call."""
    return sorted([*__all__, *_FILTERS])
