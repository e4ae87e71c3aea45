"""XML of LabelMe's old web tool: boxes, outlines, masks in files, and what is deleted or no object."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from builders import by_name, read_set, reasons, rules, write_files
from PIL import Image as PillowImage

from amp_datasets.geometry import shapes as geometry
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import open_folder

LABELME_XML, VOC = (load_registry().source(name) for name in ("labelme-xml", "voc"))
BOX = (24.0, 12.0, 40.0, 36.0)
CORNERS = ((24, 12), (40, 12), (40, 36), (24, 36))


def polygon(*corners: tuple[float, float]) -> str:
    """The outline of an object."""
    pts = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in corners)
    return f"<polygon>{pts}<username>anonymous</username></polygon>"


def thing(place: str, name: str = "cat", more: str = "", deleted: int = 0) -> str:
    """An object."""
    return (
        f"<object><name> {name} </name><deleted>{deleted}</deleted><verified>0</verified><occluded>no</occluded>"
        f"<parts><hasparts></hasparts><ispartof></ispartof></parts><date></date><id>0</id>{more}{place}</object>"
    )


def document(*things: str, filename: str = "a.jpg") -> str:
    """A label file of an image of 64x48."""
    size = "<imagesize><nrows>48</nrows><ncols>64</ncols></imagesize>"
    source = "<source><sourceImage></sourceImage><sourceAnnotation>CVAT</sourceAnnotation></source>"
    return f"<annotation><filename>{filename}</filename><folder>x</folder>{source}{size}{''.join(things)}</annotation>"


def one(folder: Path, text: str, **files: str | bytes) -> Path:
    """A set of one image with its label file."""
    return write_files(folder, {"default/a.jpg": "", "default/a.xml": text, **files})


def test_boxes_and_outlines(tmp_path: Path) -> None:
    """A bounding box is a box, whatever its four corners; any other polygon is an outline."""
    triangle = ((1, 2), (20, 2), (20, 30))
    box = thing(polygon(*CORNERS), more="<type>bounding_box</type>")
    labels = read_set(LABELME_XML, one(tmp_path, document(box, thing(polygon(*triangle), "dog"))))
    first, second = by_name(labels)["a.jpg"].annotations
    assert (first.category, first.xyxy, first.polygons) == ("cat", BOX, ())
    assert second.polygons[0].exterior.tolist() == [list(corner) for corner in triangle]
    assert not labels.dropped


def test_it_is_not_pascal_voc(tmp_path: Path) -> None:
    """Both begin with <annotation>; each takes its own files."""
    voc = "<annotation><filename>a.jpg</filename><object><name>cat</name><bndbox/></object></annotation>"
    assert LABELME_XML.detect(open_folder(one(tmp_path / "voc", voc))) is None
    labelme = open_folder(one(tmp_path / "labelme", document(thing(polygon(*CORNERS)))))
    assert LABELME_XML.detect(labelme) is not None
    other = VOC.detect(labelme)
    assert other is None or other.certainty < LABELME_XML.detect(labelme).certainty  # type: ignore[union-attr]


def test_deleted_objects_points_and_empty_images(tmp_path: Path) -> None:
    """What was deleted is noted, a point is counted, and an image whose objects are all deleted is empty."""
    things = (thing(polygon(*CORNERS), deleted=1), thing(polygon((3, 4))), thing(polygon(*CORNERS), "dog"))
    labels = read_set(LABELME_XML, one(tmp_path / "a", document(*things)))
    assert [a.category for a in by_name(labels)["a.jpg"].annotations] == ["dog"]
    assert (rules(labels), reasons(labels)) == ({"object that was deleted left out"}, {"shape has no area"})
    for name, content in (("b", document(things[0])), ("c", document())):
        sample = by_name(read_set(LABELME_XML, one(tmp_path / name, content)))["a.jpg"]
        assert (sample.labelled, sample.annotations) == (True, ())


def test_attributes_and_rotation(tmp_path: Path) -> None:
    """CVAT's text of attributes; `rotation` turns the box."""
    box = thing(
        polygon(*CORNERS), more="<type>bounding_box</type><attributes>rotation=90.0, colour=red, wet</attributes>"
    )
    (annotation,) = by_name(read_set(LABELME_XML, one(tmp_path, document(box))))["a.jpg"].annotations
    assert annotation.attributes == {"colour": "red", "wet": 1}
    assert annotation.xyxy == pytest.approx((20, 16, 44, 32))


def test_masks_are_in_files(tmp_path: Path) -> None:
    """In the folder `Masks` beside the label file; one that is not there is a counted label."""
    pixels = np.zeros((48, 64), dtype=np.uint8)
    pixels[10:14, 20:25] = 255
    stream = io.BytesIO()
    PillowImage.fromarray(pixels).save(stream, "PNG")
    segm = "<segm><username></username><mask>a_mask_0.png</mask><box><xmin>20</xmin></box></segm>"
    masks: dict[str, str | bytes] = {"default/Masks/a_mask_0.png": stream.getvalue()}
    labels = read_set(LABELME_XML, one(tmp_path / "a", document(thing(segm)), **masks))
    mask = by_name(labels)["a.jpg"].annotations[0].mask
    assert mask is not None
    assert (geometry.mask_area(mask), geometry.mask_box(mask)) == (20, (20, 10, 25, 14))
    gone = read_set(LABELME_XML, one(tmp_path / "b", document(thing(segm), thing(polygon(*CORNERS)))))
    assert reasons(gone) == {"label cannot be read"}


def test_bad_files_are_counted(tmp_path: Path) -> None:
    """Numbers that are none, names that are missing, XML that is cut off, images that are gone."""
    bad = thing(polygon((1, 1), ("x", 2), (3, 3)))  # type: ignore[arg-type]
    files = {
        "default/b.xml": document(thing(polygon(*CORNERS)))[:-20],
        "default/b.jpg": "",
        "default/c.xml": document(thing(polygon(*CORNERS)), filename="c.jpg"),
    }
    labels = read_set(LABELME_XML, one(tmp_path, document(bad, thing(polygon(*CORNERS), "")), **files))
    assert not [s for s in labels.samples if s.annotations]
    assert reasons(labels) == {
        "label cannot be read",
        "no usable label",
        "label file cannot be read",
        "image is missing",
    }


def test_masks_lie_in_the_folder_that_mirrors_that_of_the_labels(tmp_path: Path) -> None:
    """LabelMe's own layout: Annotations/x, Images/x, Masks/x and Scribbles/x; the last two are no images of the set."""
    pixels = np.zeros((48, 64), np.uint8)
    pixels[12:36, 24:40] = 255
    stream = io.BytesIO()
    PillowImage.fromarray(pixels).save(stream, "PNG")
    drawn = "<scribbles><scribble_name>a_scribble_1.png</scribble_name></scribbles>"
    files = {
        "Annotations/x/a.xml": document(thing(f"<segm><mask>a_mask_1.png</mask>{drawn}</segm>")),
        "Images/x/a.jpg": "",
        "Masks/x/a_mask_1.png": stream.getvalue(),
        "Scribbles/x/a_scribble_1.png": stream.getvalue(),
    }
    labels = read_set(LABELME_XML, write_files(tmp_path, files))
    assert [(s.source_id, [a.xyxy for a in s.annotations]) for s in labels.samples] == [("Images/x/a.jpg", [BOX])]
    assert not labels.dropped
