"""Images with their labels side by side, as one sheet: for a file, a page, or a notebook's cell."""

from __future__ import annotations

import base64
import io
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont, ImageOps

from amp_datasets.errors import BuildError
from amp_datasets.images.drawing.labels import colour_of, draw_labels
from amp_datasets.model import Annotation, Category, Image, Size
from amp_datasets.shown import as_html, shortened
from amp_datasets.storage.files import replace_own

TILE: Size = (300, 225)
COLUMNS = 5
BACKGROUND, EMPTY, TEXT = "#ffffff", "#e8eaed", "#24292f"
_GAP, _LINE = 8, 20
_SUFFIXES = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".html": "HTML"}
_WEBP_SIDE = 16_383
_LIGHT_BYTES = 12 * 2**20
"""An image of more, 4 million pixels, does not wait in a gallery: twenty of the largest would take 3 GB."""
_MARK = "amp preview by amp_datasets"
"""By this, the program's name in EXIF or in the page's head, a preview of ours is known again."""

_SOFTWARE_TAG = 0x0131


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One image of a gallery; without one, `note` says why it is not there. A large one is `ready`, drawn and small."""

    title: str
    image: Image | None = None
    annotations: tuple[Annotation, ...] = ()
    note: str = ""
    ready: PillowImage.Image | None = None

    def light(self, categories: tuple[Category, ...], size: Size) -> Tile:
        """The same for a gallery with tiles of this size; a large image is drawn, and given up."""
        if self.image is None or self.image.size <= _LIGHT_BYTES:
            return self
        return replace(self, image=None, ready=draw_labels(self.image, self.annotations, categories, size=size))


@dataclass(frozen=True, eq=False)
class Gallery:
    """Tiles in rows, with a legend of the classes that they show. Notebooks show it as it is."""

    tiles: tuple[Tile, ...]
    categories: tuple[Category, ...]
    tile: Size = TILE
    columns: int = COLUMNS

    def sheet(self) -> PillowImage.Image:
        """All tiles on one image, the legend below."""
        columns = max(1, min(self.columns, len(self.tiles)))
        rows = -(-len(self.tiles) // columns)
        step = (self.tile[0] + _GAP, self.tile[1] + _LINE + _GAP)
        legend = self._legend(columns * step[0] - _GAP)
        size = (columns * step[0] + _GAP, rows * step[1] + _GAP + legend.height)
        page = PillowImage.new("RGB", size, BACKGROUND)
        pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=14)
        for number, tile in enumerate(self.tiles):
            x, y = _GAP + number % columns * step[0], _GAP + number // columns * step[1]
            pen.text((x + 1, y), shortened(tile.title, self.tile[0] // 8), fill=TEXT, font=font)
            page.paste(ImageOps.pad(self.drawn(tile), self.tile, color=EMPTY), (x, y + _LINE))
        page.paste(legend, (_GAP, rows * step[1] + _GAP))
        return page

    def drawn(self, tile: Tile, size: Size | None = None) -> PillowImage.Image:
        """One tile with its labels, or with the reason for which it is empty."""
        size = size or self.tile
        if tile.ready is not None:
            return tile.ready if size == self.tile else ImageOps.contain(tile.ready, size)
        if tile.image is not None:
            return draw_labels(tile.image, tile.annotations, self.categories, size=size)
        empty = PillowImage.new("RGB", size, EMPTY)
        text = "\n".join(textwrap.wrap(tile.note, max(8, size[0] // 8)))
        ImageDraw.Draw(empty).multiline_text((10, 10), text, fill=TEXT, font=ImageFont.load_default(size=14))
        return empty

    def save(self, path: str | Path) -> Path:
        """Write the sheet; the ending says as what: .jpg, .png, .webp or .html.

        An older preview is replaced; any other file of that name, which may be the user's image, is a BuildError.
        """
        target = Path(path)
        kind = _SUFFIXES.get(target.suffix.lower())
        if kind is None:
            known = ", ".join(_SUFFIXES)
            raise BuildError(f"no preview has the ending `{target.suffix}`", where=target, fix=f"end it in {known}")
        data = self.to_html().encode() if kind == "HTML" else self._encoded(kind)
        replace_own(target, data, _MARK.encode(), "preview")
        return target

    def to_html(self) -> str:
        """A page of its own with all images inside, for any browser, light and dark."""
        figures = "".join(
            f"<figure><img alt='{as_html(tile.title)}' src='{_data_uri(self.drawn(tile))}'>"
            f"<figcaption>{as_html(tile.title)}</figcaption></figure>"
            for tile in self.tiles
        )
        names = "".join(
            f"<span><i style='background:rgb{colour_of(number)}'></i>{as_html(category.name)}</span>"
            for number, category in self._shown()
        )
        return _PAGE.format(names=names, figures=figures)

    def _repr_png_(self) -> bytes:
        return self._encoded("PNG")

    def _repr_html_(self) -> str:
        return f"<img alt='{len(self.tiles)} images with labels' src='{_data_uri(self.sheet())}'>"

    def _encoded(self, kind: str) -> bytes:
        sheet = self.sheet()
        if kind == "WEBP" and max(sheet.size) > _WEBP_SIDE:
            raise BuildError("this sheet is too large for WebP", fix="end it in .png, or show fewer images")
        buffer = io.BytesIO()
        exif = PillowImage.Exif()
        exif[_SOFTWARE_TAG] = _MARK
        sheet.save(buffer, kind, quality=90, exif=exif)
        return buffer.getvalue()

    def _shown(self) -> list[tuple[int, Category]]:
        """The categories that the tiles show, with their indices."""
        names = {annotation.category for tile in self.tiles for annotation in tile.annotations}
        return [(number, category) for number, category in enumerate(self.categories) if category.name in names]

    def _legend(self, width: int) -> PillowImage.Image:
        font = ImageFont.load_default(size=14)
        places: list[tuple[int, int, int, str]] = []
        x = y = 0
        for number, category in self._shown():
            name = shortened(category.name)
            needed = 24 + round(font.getlength(name)) + 16
            if x and x + needed > width:
                x, y = 0, y + _LINE
            places.append((x, y, number, name))
            x += needed
        legend = PillowImage.new("RGB", (width, y + _LINE + _GAP if places else 1), BACKGROUND)
        pen = ImageDraw.Draw(legend)
        for x, y, number, name in places:
            pen.rectangle((x, y + 2, x + 16, y + 16), fill=colour_of(number), outline=TEXT)
            pen.text((x + 22, y + 1), name, fill=TEXT, font=font)
        return legend


_PAGE = """<!doctype html><html lang=en><meta charset=utf-8>
<meta name=generator content="amp preview by amp_datasets">
<meta name=viewport content="width=device-width,initial-scale=1"><title>amp preview</title>
<style>:root{{color-scheme:light dark}}body{{font:15px/1.5 system-ui,sans-serif;margin:16px}}
main{{display:grid;grid-template-columns:repeat(auto-fill,minmax(240px,1fr));gap:10px}}figure{{margin:0}}
img{{width:100%;border-radius:4px}}figcaption{{font-size:12px;overflow-wrap:anywhere}}
p span{{margin-right:14px;white-space:nowrap}}i{{display:inline-block;width:12px;height:12px;margin-right:5px}}</style>
<p>{names}</p><main>{figures}</main></html>
"""


def _data_uri(image: PillowImage.Image) -> str:
    buffer = io.BytesIO()
    kind = "PNG" if max(image.size) > _WEBP_SIDE else "WEBP"
    image.save(buffer, kind, quality=85)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
