"""The demo set: drawn the same every time, its outlines where its pixels are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import shapely

from amp_datasets.demo import scene as scenery
from amp_datasets.demo.write import CATEGORIES, demo_set, draw, main, write_demo
from amp_datasets.errors import BuildError
from amp_datasets.formats.kit.reading import Reading
from amp_datasets.geometry import shapes as geometry
from amp_datasets.images.codec import Limits, decode, read_header
from amp_datasets.model import Annotation, LabelSet
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import Folder

SMALL = (160, 120)


def outline(annotation: Annotation) -> shapely.Polygon:
    """The one polygon of a demo label."""
    (polygon,) = annotation.polygons
    return shapely.Polygon(polygon.exterior)


def read_back(folder: Path, layout: str) -> LabelSet:
    """A written set through the reader of its format."""
    source, opened = load_registry().source(layout), Folder(folder)
    return source(opened, source.options_type(), Reading(opened)).read()


def test_same_seed_same_bytes() -> None:
    """Two drawings of one seed agree in every byte and vertex, those of two seeds do not."""
    first, again, other = demo_set(2, SMALL), demo_set(2, SMALL), demo_set(2, SMALL, seed=1)
    assert [s.image.data for s in first.samples] == [s.image.data for s in again.samples]
    assert [s.image.data for s in first.samples] != [s.image.data for s in other.samples]


def test_longer_set_begins_with_the_shorter() -> None:
    """An image depends on its own number only."""
    short, long = demo_set(2, SMALL), demo_set(4, SMALL)
    assert [s.image.data for s in short.samples] == [s.image.data for s in list(long.samples)[:2]]


def test_ten_images_show_every_class_and_every_count() -> None:
    """One to four things an image, all classes among them."""
    labels = [draw(number)[1] for number in range(10)]
    assert {len(annotations) for annotations in labels} == {1, 2, 3, 4}
    assert {a.category for annotations in labels for a in annotations} == {c.name for c in CATEGORIES}


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (97, 61)])
def test_outlines_are_valid_inside_and_apart(size: tuple[int, int]) -> None:
    """Each polygon is simple and inside the image, none overlaps another, the box is its bounds."""
    for number in range(8):
        annotations = draw(number, size)[1]
        shapes = [outline(a) for a in annotations]
        assert all(shape.is_valid for shape in shapes)
        assert all(shapely.box(0, 0, *size).contains(shape) for shape in shapes)
        assert all(shape.bounds == a.xyxy for shape, a in zip(shapes, annotations, strict=True))
        assert all(a.disjoint(b) for i, a in enumerate(shapes) for b in shapes[:i])


@pytest.mark.parametrize("category", scenery.CATEGORIES)
def test_drawn_area_and_centre_are_the_polygons(category: str) -> None:
    """What is painted covers the polygon: area within 0.005 px along its edge, centroid within 0.005 px."""
    rng = np.random.default_rng(7)
    for _ in range(10):
        polygon = scenery.thing(category, rng, (150 + rng.random(), 140 + rng.random()), rng.uniform(20, 90)).outline
        cover = scenery.coverage(polygon, (300, 280)).astype(np.float64)
        exact = shapely.Polygon(polygon)
        assert abs(cover.sum() - exact.area) < 0.005 * exact.length
        y, x = np.indices(cover.shape) + 0.5
        centre = np.array([(x * cover).sum(), (y * cover).sum()]) / cover.sum()
        assert np.abs(centre - (exact.centroid.x, exact.centroid.y)).max() < 0.005


def test_pixels_change_at_the_outline() -> None:
    """The same scene with and without its things differs inside each outline, and in no more than shadow outside."""
    size = (320, 240)
    things = [scenery.thing("pebble", np.random.default_rng(1), (160.0, 120.0), 60)]
    with_it = scenery.image(things, np.random.default_rng(2), size, 0).astype(float)
    flat = scenery.coverage(things[0].outline, size)
    inside, outside = flat == 1, flat == 0
    bare = scenery.image([], np.random.default_rng(2), size, 0).astype(float)
    assert np.abs(with_it - bare).max(axis=2)[inside].mean() > 25
    brighter = (with_it - bare).max(axis=2)[outside]
    assert brighter.max() < 14, "outside the outline only shadow and grain may differ"


def test_written_set_reads_back(tmp_path: Path) -> None:
    """The COCO set on disk holds the same images, classes and polygons."""
    write_demo(tmp_path / "set", images=3, size=SMALL)
    expected, found = demo_set(3, SMALL), read_back(tmp_path / "set", "coco")
    assert [c.name for c in found.categories] == [c.name for c in CATEGORIES]
    assert not found.dropped
    assert len(found.samples) == 3
    for one, other in zip(expected.samples, found.samples, strict=True):
        assert Path(other.source_id).name == one.source_id
        assert other.image.path.read_bytes() == one.image.data
        for a, b in zip(one.annotations, other.annotations, strict=True):
            assert a.category == b.category
            np.testing.assert_allclose(a.polygons[0].exterior, b.polygons[0].exterior, atol=0.01)


def test_other_layouts_on_request(tmp_path: Path) -> None:
    """Any exporter will do; CreateML keeps the boxes."""
    write_demo(tmp_path / "set", images=2, size=SMALL, layout="createml")
    found = read_back(tmp_path / "set", "createml")
    boxes = [a.xyxy for s in found.samples for a in s.annotations]
    expected = [geometry.bounds([a.polygons[0].exterior]) for s in demo_set(2, SMALL).samples for a in s.annotations]
    np.testing.assert_allclose(boxes, expected, atol=1e-6)


def test_jpeg_is_full_colour_and_of_the_stated_size() -> None:
    """4:4:4, so that colour edges stay as sharp as the labels."""
    for sample in demo_set(2, SMALL).samples:
        data = sample.image.data or b""
        header = read_header(data, Limits())
        assert (header.format, header.subsampling, header.size) == ("jpeg", "444", SMALL)
        assert decode(data, header).std() > 15


def test_folder_in_use_is_not_touched(tmp_path: Path) -> None:
    """An error that names the folder, and nothing written."""
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(BuildError, match="not empty"):
        write_demo(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["note.txt"]


@pytest.mark.parametrize("arguments", [["--images", "0"], ["--size", "10x10"], ["--format", "nonsense"]])
def test_bad_request_writes_nothing(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2 and one error, no folder."""
    assert main([str(tmp_path / "set"), *arguments]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("size", ["640", "axb", "-5x7x9"])
def test_size_that_is_none_is_refused(size: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The usual message of a command line, not a traceback."""
    with pytest.raises(SystemExit, match="2"):
        main([str(tmp_path / "set"), f"--size={size}"])
    assert "--size" in capsys.readouterr().err


def test_runs_as_a_module(tmp_path: Path) -> None:
    """`python -m amp_datasets.demo DIR` writes the set and says so."""
    command = [sys.executable, "-m", "amp_datasets.demo", str(tmp_path / "set"), "--images", "1", "--size", "64x64"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len([*(tmp_path / "set").rglob("*.jpg")]) == 1
