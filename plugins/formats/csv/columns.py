"""Which column of a table holds what: names that tools, competitions and people give to the same few things."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from amp_datasets.formats.kit.box_form import Form
from amp_datasets.formats.kit.parsing import finite, split_name
from amp_datasets.images.codec import IMAGE_SUFFIXES

Indices = tuple[int, int, int, int]

_IMAGE = (
    *("filename", "imagefilename", "imagename", "imagefile", "file", "filepath", "imagepath", "path", "imgpath"),
    *("fname", "image", "img", "imgname", "imgfile", "picture", "photo", "frame", "imageid", "imgid"),
    *("imgfname", "imgfilename", "imagefname", "imageurl", "imguri", "uri", "url"),
)
_CLASS = (
    *("class", "label", "labelname", "classname", "categoryname", "category", "labels", "classes", "objectclass"),
    *("objectname", "object", "classlabel", "labeltext", "displayname", "celltype", "species", "tag", "name", "type"),
    *("kind", "target", "cls"),
)
_CLASS_NUMBER = ("categoryid", "classid", "labelid", "classnumber", "classidx", "classindex", "clsid")
_NO_CLASS = frozenset(
    [
        *("source", "confidence", "score", "split", "subset", "set", "usage", "fold", "index", "id", "annotator"),
        *("worker", "date", "time", "timestamp", "comment", "notes", "depth", "area", "segmented", "pose"),
        *("database", "folder", "license", "attributes", "created", "updated", "user", "reviewer", "camera"),
        *("location", "site", "orientation"),
    ]
)
"""Columns of text that are known to be no classes."""
_CORNERS = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("x0", "y0", "x1", "y1"),
    ("x1", "y1", "x2", "y2"),
    ("left", "top", "right", "bottom"),
    ("xtl", "ytl", "xbr", "ybr"),
    ("tlx", "tly", "brx", "bry"),
    ("minx", "miny", "maxx", "maxy"),
    ("startx", "starty", "endx", "endy"),
    ("xstart", "ystart", "xend", "yend"),
    ("xleft", "ytop", "xright", "ybottom"),
    ("topleftx", "toplefty", "bottomrightx", "bottomrighty"),
    ("ulx", "uly", "lrx", "lry"),
)
_STARTS = (
    *(("x", "y"), ("x1", "y1"), ("x0", "y0"), ("xmin", "ymin"), ("left", "top"), ("xtl", "ytl"), ("tlx", "tly")),
    *(("topleftx", "toplefty"), ("minx", "miny"), ("ulx", "uly"), ("xleft", "ytop")),
)
_CENTRES = (
    *(("xcenter", "ycenter"), ("xcentre", "ycentre"), ("centerx", "centery"), ("centrex", "centrey"), ("cx", "cy")),
    ("xc", "yc"),
)
_SIZES = (("w", "h"), ("width", "height"))
_BOX = ("bbox", "box", "boundingbox", "bboxes", "rect", "coordinates", "coords")
_MOST_CLASSES = 20
"""More words than this, none of which repeats, are no classes."""
_PREFIXES = ("boundingbox", "bbox", "bbx", "box", "roi", "rect", "region", "bb", "object", "obj")
_FLAGS: Mapping[str, tuple[str, ...]] = {
    "crowd": ("isgroupof", "iscrowd"),
    "occluded": ("isoccluded", "occluded"),
    "truncated": ("istruncated", "truncated"),
}
_IMAGE_SIZE = (
    *(("width", "height"), ("imagewidth", "imageheight"), ("imgwidth", "imgheight"), ("imgw", "imgh")),
    *(("imagew", "imageh"), ("originalwidth", "originalheight"), ("origwidth", "origheight")),
)
_SPLIT = ("split", "subset", "partition", "usage", "set", "dataset")


@dataclass(frozen=True, slots=True)
class Columns:
    """Where in a row each thing stands. `images` are all columns that may name the image, the likeliest first.

    A box is four columns (`box`) or a list in one (`bbox`) of the form `form`; `named` says that the headers tell it.
    """

    images: tuple[int, ...]
    form: Form = "xyxy"
    box: Indices | None = None
    bbox: int | None = None
    named: bool = True
    name: int | None = None
    size: tuple[int, int] | None = None
    area: int | None = None
    split: int | None = None
    flags: Mapping[str, int] = field(default_factory=dict)
    others: tuple[int, ...] = ()

    @property
    def coordinates(self) -> tuple[int, ...]:
        """The columns in which numbers of the box stand."""
        return self.box or ((self.bbox,) if self.bbox is not None else ())


def columns_of(header: Sequence[str]) -> Columns | None:
    """What the columns of a header hold; None if there is none for an image, or none for a box."""
    at: dict[str, int] = {}
    for index, cell in enumerate(header):
        at.setdefault("".join(c for c in cell.lower() if c.isalnum()), index)
    images = tuple(at[alias] for alias in _IMAGE if alias in at)
    found = _box_columns(at)
    if not images or found is None:
        return None
    form, box, bbox = found
    taken = {*images, *(box or ()), *(() if bbox is None else (bbox,))}
    sizes = ((at[w], at[h]) for w, h in _IMAGE_SIZE if w in at and h in at)
    size = next((pair for pair in sizes if not taken & set(pair)), None)
    number = next((at[alias] for alias in _CLASS_NUMBER if alias in at), None)
    name = next((at[alias] for alias in _CLASS if alias in at and at[alias] not in taken), number)
    flags = {flag: at[a] for flag, aliases in _FLAGS.items() for a in aliases if a in at}
    area, split = at.get("area"), next((at[alias] for alias in _SPLIT if alias in at), None)
    taken |= {*(size or ()), *flags.values(), *(index for index in (area, split, name, number) if index is not None)}
    others = (index for word, index in at.items() if index not in taken and word and word not in _NO_CLASS)
    return Columns(
        images,
        form,
        box,
        bbox,
        box is not None,
        name,
        size,
        area,
        split,
        flags,
        tuple(others),
    )


def headerless(row: Sequence[str]) -> Columns | None:
    """What a row without a header holds, by where its numbers and the image's name stand; None if that tells nothing.

    path,x1,y1,x2,y2,class      keras-retinanet; also with the class second
    class,x,y,w,h,image,W,H     make-sense
    image,W,H,class,x1,y1,x2,y2 a TensorFlow table whose header was lost
    """
    kinds = "".join(map(_kind, row))
    if kinds in ("innnnt", "innnnn", "i-----"):
        return Columns((0,), box=(1, 2, 3, 4), name=5)
    if kinds in ("itnnnn",):
        return Columns((0,), box=(2, 3, 4, 5), name=1)
    if kinds in ("tnnnninn", "nnnnninn"):
        return Columns((5,), "xywh", box=(1, 2, 3, 4), name=0, size=(6, 7))
    return Columns((0,), box=(4, 5, 6, 7), name=3, size=(1, 2)) if kinds in ("inntnnnn", "innnnnnn") else None


def class_columns(columns: Columns, rows: Sequence[Sequence[str]]) -> list[int]:
    """The columns that may be the class where no header says so: words that repeat, no numbers; several if unclear."""
    found = []
    for index in columns.others:
        values = [row[index].strip() for row in rows if index < len(row) and row[index].strip()]
        words = {value for value in values if not _is_number(value) and not _is_image(value)}
        if values and len(words) == len(set(values)) and len(words) <= max(_MOST_CLASSES, len(values) // 2):
            found.append(index)
    return found


def splits_in(values: Sequence[str]) -> bool:
    """Whether the values of a column are splits."""
    return bool(values) and all(split_name(value.strip()) is not None for value in values)


def _box_columns(at: Mapping[str, int]) -> tuple[Form, Indices | None, int | None] | None:
    """The form and place of the box: four columns, under a prefix like `bbox_` too, else a list in one column."""
    for names in _spellings(at):
        for corners in _CORNERS:
            if all(word in names for word in corners):
                return "xyxy", _indices(names, corners), None
        for start, size in itertools.product((*_CENTRES, *_STARTS), _SIZES):
            if all(word in names for word in (*start, *size)):
                return ("cxcywh" if start in _CENTRES else "xywh"), _indices(names, (*start, *size)), None
    index = next((at[alias] for alias in _BOX if alias in at), None)
    return None if index is None else ("xywh", None, index)


def _spellings(at: Mapping[str, int]) -> Iterator[Mapping[str, int]]:
    """The headers below one prefix, together with those that have none; then all as they are."""
    for prefix in _PREFIXES:
        below = {word[len(prefix) :]: index for word, index in at.items() if word.startswith(prefix) and word != prefix}
        if below:
            yield below
            yield {**at, **below}
    yield at


def _indices(names: Mapping[str, int], words: Sequence[str]) -> Indices:
    a, b, c, d = (names[word] for word in words)
    return a, b, c, d


def _kind(cell: str) -> str:
    if _is_image(cell):
        return "i"
    return "n" if _is_number(cell) else "t" if cell.strip() else "-"


def _is_image(cell: str) -> bool:
    return cell.strip().lower().endswith(IMAGE_SUFFIXES)


def _is_number(cell: str) -> bool:
    try:
        finite(cell.strip())
    except ValueError:
        return False
    return True
