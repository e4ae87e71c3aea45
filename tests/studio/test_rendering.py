"""What the page shows is what the build writes: the same bytes before they are shrunk, the same labels."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from studio_window import Running, make_studio, running

from amp_datasets.building.api import build
from amp_datasets.demo.write import write_demo
from amp_datasets.images.codec import Limits, decode, read_header
from amp_datasets.images.drawing.labels import draw_labels
from amp_datasets.ledger.schema import MADE, read_ledger
from amp_datasets.model import Category
from amp_datasets.rows.schema import load_annotations
from amp_datasets.studio.document import Document
from amp_datasets.studio.rendering import Renderer

MANIFEST = """\
name: small
seed: 11
sources: [set]
splits: {train: 0.7, validation: 0.3}
preprocess: [resize: {size: [140, 100]}]
filters:
  blur: {sigma: [1, 3]}
  rotate: {degrees: [3, 12]}
  flip:
  noise: {amount: 0.1}
  hue: {degrees: 40, p: 0.5}
  mosaic:
  crop: {margin: 0.2, around: one}
mixes:
  two: {copies: 3, pick: 2, steps: [flip, rotate: {degrees: [3, 15]}, brightness: {percent: [10, 40]}, cutout]}
"""


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A studio over six drawn images, and beside it their build."""
    folder = tmp_path_factory.mktemp("rendering")
    write_demo(folder / "set", images=6, size=(200, 150))
    with running(make_studio(folder, MANIFEST)) as found:
        found.studio.session.wait()
        build(folder / "amp.yaml", out=folder / "build", jobs=1)
        yield found


def rows(window: Running) -> list[dict[str, Any]]:
    """The ledger of the build."""
    return [dict(row) for row in read_ledger(window.studio.session.document.path.parent / "build")]


def trial(window: Running, row: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What the page asks for to see a line of the ledger."""
    document = window.studio.session.document.value
    kind = "filters" if row["spec"] in document["filters"] else "mixes"
    items = window.studio.session.whole().joined.items
    index = next(n for n, item in enumerate(items) if item.sample.source_id == row["source_id"])
    asked = {"generation": window.studio.session.generation, "index": index, "kind": kind, "name": row["spec"]}
    return {**asked, "value": document[kind][row["spec"]], "copy": row["copy"], **more}


def test_every_variant_has_the_bytes_and_labels_of_the_build(window: Running) -> None:
    """All kinds, all copies, those that take parts of other images, those that chance leaves out."""
    folder = window.studio.session.document.path.parent / "build"
    variants = [row for row in rows(window) if row["spec"] != "original"]
    assert len(variants) >= 40
    for row in variants:
        made = window.post("api/file", trial(window, row))
        if row["status"] != MADE:
            assert made["refused"] == row["reason"]
            continue
        file = folder / "images" / row["split"] / row["file_name"]
        assert base64.b64decode(made["data"]) == file.read_bytes(), row["variant"]
        assert made["labels"] == row["labels"]


def test_what_is_shown_is_that_image_shrunk(window: Running) -> None:
    """Filtered at full size, then made smaller; the labels drawn as everywhere else."""
    categories = tuple(Category(c.name) for c in window.studio.session.whole().joined.categories)
    made = [row for row in rows(window) if row["status"] == MADE and row["spec"] in {"rotate", "noise", "two"}]
    for row in made[:6]:
        for labels in (True, False):
            asked = trial(window, row, side=90, labels=labels)
            data = base64.b64decode(window.post("api/file", trial(window, row))["data"])
            _, headers, shown = window.ask("POST", "api/try", asked)
            assert headers["content-type"] == "image/jpeg"
            assert json.loads(headers["x-amp-facts"])["labels_out"] == row["labels_out"]
            whole = decode(data, read_header(data, Limits()))
            annotations = load_annotations(row["labels"]) if labels else ()
            drawn = np.asarray(draw_labels(whole, annotations, categories, size=(90, 90)))[..., ::-1]
            expected = pixels(cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, 88])[1])
            found = pixels(np.frombuffer(shown, np.uint8))
            assert found.shape == expected.shape
            assert np.abs(found - expected).mean() < 3  # the file is a JPEG, the page's image is made before


def pixels(data: Any) -> Any:
    """An encoded image's values."""
    return cv2.imdecode(data, cv2.IMREAD_COLOR).astype(int)


def test_six_seeds_are_six_builds(window: Running, tmp_path: Path) -> None:
    """The strip shows what the manifest would make with another seed, on the same image."""
    row = next(row for row in rows(window) if row["spec"] == "rotate" and row["status"] == MADE)
    drawn = [window.post("api/file", trial(window, row, seed=seed)) for seed in range(11, 17)]
    assert len({each["data"] for each in drawn if "data" in each}) >= 5
    source = window.studio.session.document.path.parent / "set"
    settings = ["seed=13", "splits={train: 1.0}", "mixes=null", "filters={rotate: {degrees: [3, 12]}}"]
    build(window.studio.session.document.path, sources=[str(source)], settings=settings, out=tmp_path / "b", jobs=1)
    other = next(r for r in read_ledger(tmp_path / "b") if r["spec"] == "rotate" and r["source_id"] == row["source_id"])
    if other["status"] == MADE:
        assert (
            drawn[2]["data"]
            == base64.b64encode((tmp_path / "b/images/train" / other["file_name"]).read_bytes()).decode()
        )


def test_a_filter_that_is_not_in_the_manifest_becomes_what_was_shown(window: Running) -> None:
    """Tried first, then added: the build makes that very image."""
    folder = window.studio.session.document.path.parent
    asked = {
        "generation": window.studio.session.generation,
        "index": 0,
        "name": "contrast",
        "value": {"percent": [20, 60]},
    }
    shown = window.post("api/file", asked)
    text = window.studio.session.document.text
    (folder / "more.yaml").write_text(text.replace("filters:\n", "filters:\n  contrast: {percent: [20, 60]}\n"))
    build(folder / "more.yaml", out=folder / "more", settings=["splits={train: 1.0}"], jobs=1)
    name = window.studio.session.whole().joined.items[0].sample.source_id
    row = next(r for r in read_ledger(folder / "more") if r["spec"] == "contrast" and r["source_id"] == name)
    assert (folder / "more/images/train" / row["file_name"]).read_bytes() == base64.b64decode(shown["data"])


def test_an_old_wish_is_given_up() -> None:
    """While one image is made, of those that wait in its slot only the newest is worth the work."""
    renderer = Renderer()
    begun, done = threading.Event(), []

    def slow() -> None:
        with renderer.turn("slider", 1, first=True) as newest:
            begun.set()
            time.sleep(0.3)
            done.append((1, newest))

    def ask(serial: int) -> None:
        with renderer.turn("slider", serial, first=True) as newest:
            done.append((serial, newest))

    threads = [threading.Thread(target=slow)]
    threads[0].start()
    begun.wait()
    for serial in (2, 3, 4):
        threads.append(threading.Thread(target=ask, args=(serial,)))
        threads[-1].start()
        time.sleep(0.02)
    for thread in threads:
        thread.join()
    assert {serial for serial, newest in done if newest} == {1, 4}


def test_a_change_can_be_taken_back_and_others_are_not_lost(tmp_path: Path) -> None:
    """Undo and redo, and what an editor wrote into the file meanwhile."""
    path = tmp_path / "amp.yaml"
    path.write_text("# mine\nsources: [a]\nfilters: {}\n")
    from amp_datasets.plugin.discovery import load_registry

    document = Document(path, "", load_registry())
    document.change(("filters", "flip"), None)
    assert path.read_text() == "# mine\nsources: [a]\nfilters:\n  flip:\n"
    path.write_text(path.read_text() + "seed: 9  # by hand\n")
    document.change(("filters", "hue"), {"degrees": 20})
    assert path.read_text() == "# mine\nsources: [a]\nfilters:\n  flip:\n  hue: {degrees: 20}\nseed: 9  # by hand\n"
    for _ in range(3):
        document.undo()
    assert path.read_text() == "# mine\nsources: [a]\nfilters: {}\n"
    for _ in range(3):
        document.redo()
    assert (
        document.text
        == path.read_text()
        == "# mine\nsources: [a]\nfilters:\n  flip:\n  hue: {degrees: 20}\nseed: 9  # by hand\n"
    )


def test_short_forms_are_changed_too(tmp_path: Path) -> None:
    """A list of filters becomes a map when one of them gets settings; none is lost."""
    from amp_datasets.plugin.discovery import load_registry

    path = tmp_path / "amp.yaml"
    path.write_text("sources: [a]\nfilters: [flip, blur: {sigma: 3}]\n")
    document = Document(path, "", load_registry())
    document.change(("filters", "hue"), {"degrees": 20})
    assert set(document.manifest.filters) == {"flip", "blur", "hue"}
    assert document.manifest.filters["blur"].settings["sigma"] == 3
    document.remove(("filters", "flip"))
    assert set(document.manifest.filters) == {"blur", "hue"}


def test_what_is_wrong_is_told_and_not_written(window: Running) -> None:
    """A setting beyond its range, a filter that is not there: the text stays, the answer says why."""
    text = window.studio.session.document.text
    for path, value in (
        (["filters", "rotate"], {"degrees": 999}),
        (["filters", "nope"], None),
        (["splits"], {"train": 2}),
    ):
        status, _, data = window.ask("POST", "api/change", {"path": path, "value": value})
        assert (status, bool(json.loads(data)["problems"][0]["what"])) == (422, True)
    assert window.studio.session.document.text == text == window.studio.session.document.path.read_text()
