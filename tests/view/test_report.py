"""The report: one file that shows what is there, whatever names strangers chose."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from builders import write_files
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from small_builds import small_build

import amp_datasets as amp
from amp_datasets.demo.write import write_demo
from amp_datasets.model import Annotation, Category, ImageFile, LabelSet, Sample
from amp_datasets.view.report import _Page

HEAD = "filename,width,height,class,xmin,ymin,xmax,ymax\n"


class _Texts(HTMLParser):
    """The texts of a page, and every tag."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: set[str] = set()
        self.handlers: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.handlers |= {name for name, _ in attrs if name.startswith("on")}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def parsed(html: str) -> _Texts:
    """A page as a browser takes it apart."""
    page = _Texts()
    page.feed(html)
    return page


def test_a_build_is_reported_with_its_variants(tmp_path: Path) -> None:
    """Classes, boxes, variants with what they did to labels, and where it comes from."""
    small_build(tmp_path, images=3)
    report = amp.report(tmp_path / "build")
    text = " ".join(parsed(report.html).texts)
    for word in ("Classes", "Boxes", "Variants", "labels kept", "Provenance", "seed"):
        assert word in text
    path = report.save(tmp_path / "report.html")
    assert path.stat().st_size < 3_000_000
    assert report._repr_html_().startswith("<iframe")


def test_a_file_that_is_no_report_stays(tmp_path: Path) -> None:
    """An older report is replaced; anything else at its place is left as it is, and the error says so."""
    write_demo(tmp_path / "set", images=1, size=(64, 48))
    report = amp.report(tmp_path / "set")
    path = report.save(tmp_path / "report.html")
    assert report.save(path) == path
    for content in (b"<!doctype html><title>mine</title>", b""):
        path.write_bytes(content)
        with pytest.raises(amp.AmpError, match="no report"):
            report.save(path)
        assert path.read_bytes() == content


def test_nothing_is_fetched_from_elsewhere(tmp_path: Path) -> None:
    """Images are inside; no address, no script."""
    write_demo(tmp_path / "set", images=4, size=(160, 120))
    html = amp.report(tmp_path / "set").html
    assert not re.findall(r"(?:src|href)=[\"'](?!data:image/webp|#)", html)
    assert not {"script", "iframe", "link", "object"} & parsed(html).tags


def test_findings_are_grouped_with_their_fix(tmp_path: Path) -> None:
    """A label outside of its image is an error, with the image beside it."""
    rows = "a.jpg,64,48,cat,5,5,5,5\na.jpg,64,48,cat,5,5,25,25\n"
    write_files(tmp_path / "odd", {"a.jpg": "", "labels.csv": HEAD + rows})
    Image.new("RGB", (64, 48)).save(tmp_path / "odd" / "a.jpg")
    html = amp.report(tmp_path / "odd").html
    assert "label without area" in html
    assert "draw this label again" in html


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(name=st.one_of(st.text(min_size=1, max_size=200), st.just("<script>alert(1)</script>"), st.just("\u202ea\"'&")))
def test_names_appear_as_text(name: str, tmp_path: Path) -> None:
    """HTML, quotes, 200 characters, right-to-left: never as markup."""
    category = Category(name)
    sample = Sample(name, ImageFile(tmp_path / "nowhere.jpg"), (10, 10), (Annotation(name, (1.0, 1.0, 5.0, 5.0)),))
    page = _Page(tmp_path, LabelSet((category,), (sample,), name=name), [], name)
    page.left = 0
    found = parsed(page.render())
    assert "script" not in found.tags
    assert not found.handlers


def test_an_empty_set_is_an_error(tmp_path: Path) -> None:
    """It names what to do."""
    (tmp_path / "set").mkdir()
    with pytest.raises(amp.AmpError):
        amp.report(tmp_path / "set")
