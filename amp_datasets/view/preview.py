"""Contact sheets: variants side by side with the labels that they got, to be looked at before anything is built."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont, ImageOps

from amp_datasets.building.plan import Prepared
from amp_datasets.errors import BuildError
from amp_datasets.images.codec import Limits, decode, read_bytes, read_header
from amp_datasets.model import Annotation, Image, Size
from amp_datasets.sources.consolidate import Item
from amp_datasets.storage.files import write_failed
from amp_datasets.variants.maker import Planned, VariantMaker, render
from amp_datasets.variants.steps import Original

COLOURS = ("#ffe14d", "#5ce1ff", "#ff9cf5", "#8dff70", "#ff9d5c", "#b39cff")
BACKGROUND, TEXT = "#ffffff", "#24292f"
GAP, LINE_HEIGHT = 8, 24
COLUMNS = 5
TILE: Size = (300, 225)

Tile = tuple[str, PillowImage.Image]


def preview(prepared: Prepared, out: Path, images: int = 1) -> int:
    """Draw all variants of the first `images` sources that get some, with their labels; how many tiles there are.

    A variant that cannot be made is an empty tile with the reason. The file's ending says its format.
    """
    items = [i for i in prepared.joined.items if i.sample.split in prepared.manifest.augment][:images]
    if not items:
        raise BuildError("no source image gets variants", fix="look at `augment` and `splits` in the manifest")
    maker = VariantMaker(prepared.recipe, prepared.registry)
    tiles = [tile for item in items for tile in _tiles(item, maker)]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        sheet(tiles, COLUMNS, TILE).save(out)
    except ValueError as error:
        raise BuildError(f"no image format has the ending `{out.suffix}`", where=out, fix="end it in .jpg") from error
    except OSError as error:
        raise write_failed(error, out) from error
    return len(tiles)


def _tiles(item: Item, maker: VariantMaker) -> Iterator[Tile]:
    limits = Limits(maker.recipe.max_bytes, maker.recipe.max_pixels)
    data = read_bytes(item.sample.image, limits)
    image = decode(data, read_header(data, limits, item.sample.image), item.sample.image, item.values)
    labels = (item.sample.annotations, item.sample.labels)
    original = Original(image, hashlib.sha256(data).hexdigest(), *labels, frozenset(item.one_sided))
    yield _titled(item.stem, original.labels), drawn(image, original.annotations)
    for planned in maker.plan_all(original):
        label = planned.spec.label(planned.copy)
        if isinstance(planned, Planned):
            yield _titled(label, planned.judged.labels), drawn(render(image, planned), planned.judged.annotations)
        else:
            yield f"{label}: {planned.reason}", PillowImage.new("RGB", TILE, "#e8eaed")


def _titled(title: str, labels: Sequence[str]) -> str:
    return f"{title} ({', '.join(labels)})" if labels else title


def drawn(image: Image, annotations: Sequence[Annotation]) -> PillowImage.Image:
    """A image with its labels: outlines and boxes as lines, keypoints as dots."""
    canvas = PillowImage.fromarray(image).convert("RGBA")
    layer = PillowImage.new("RGBA", canvas.size)
    pen = ImageDraw.Draw(layer)
    colours = _colours(annotations)
    for annotation in annotations:
        colour = colours[annotation.category]
        rings = [polygon.exterior for polygon in annotation.polygons]
        rings += [] if annotation.corners is None else [annotation.corners]
        for ring in rings:
            vertices = [tuple(vertex) for vertex in ring]
            pen.line([*vertices, *vertices[:2]], fill=colour, width=3, joint="curve")
        if annotation.corners is None:
            pen.rectangle(annotation.xyxy, outline=colour, width=3)
        for x, y, visibility in () if annotation.keypoints is None else annotation.keypoints:
            if visibility:
                fill = colour if visibility == 2 else None
                pen.ellipse((x - 9, y - 9, x + 9, y + 9), fill=fill, outline="black" if fill else colour, width=3)
    return PillowImage.alpha_composite(canvas, layer).convert("RGB")


def sheet(tiles: Sequence[Tile], columns: int, tile: Size) -> PillowImage.Image:
    """Titled tiles in rows."""
    rows = -(-len(tiles) // columns)
    step = (tile[0] + GAP, tile[1] + LINE_HEIGHT + GAP)
    page = PillowImage.new("RGB", (columns * step[0] + GAP, rows * step[1] + GAP), BACKGROUND)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=15)
    for number, (title, image) in enumerate(tiles):
        x, y = GAP + number % columns * step[0], GAP + number // columns * step[1]
        pen.text((x + 1, y), title, fill=TEXT, font=font)
        page.paste(ImageOps.pad(image, tile, PillowImage.Resampling.LANCZOS, color="#e8eaed"), (x, y + LINE_HEIGHT))
    return page


def _colours(annotations: Iterable[Annotation]) -> dict[str, str]:
    """A colour for each category, the same on every image."""
    names = {annotation.category for annotation in annotations}
    return {name: COLOURS[hashlib.sha256(name.encode()).digest()[0] % len(COLOURS)] for name in names}
