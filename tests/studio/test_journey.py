"""The whole way in a real browser: from a set to a finished build, in two languages, on a desk and on a phone."""

from __future__ import annotations

import json
import random
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from builders import write_image
from studio_window import make_studio, running, until, window

from amp_datasets.demo.write import write_demo
from amp_datasets.ledger.schema import MADE, read_ledger
from amp_datasets.ledger.verify import verify
from amp_datasets.plugin.discovery import load_registry

ACCORDION = Path(__file__).parents[3] / "shared" / "data" / "accordion"
TEXTS = json.loads((files("amp_datasets.studio") / "static" / "texts.json").read_text(encoding="utf-8"))
SCREENS = [(1400, "en-US"), (390, "en-US"), (1400, "es-ES"), (390, "es-ES")]
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    '"><script>alert(1)</script>',
    "' onmouseover='alert(1)",
    "&lt;b&gt; {{7*7}} ${7*7}",
    "x" * 200,
    "שלום עולם",
    "مرحبا <b>",
    "a\tb".replace("\t", " "),
]


def drawn_or_real(kind: str, folder: Path) -> Path:
    """A set to build: drawn, or the accordions if they are at hand."""
    if kind == "accordion":
        if not ACCORDION.is_dir():
            pytest.skip("the accordions are not at hand")
        return ACCORDION
    write_demo(folder / "set", images=8, size=(200, 150))
    return folder / "set"


@pytest.mark.parametrize("kind", ["drawn", "accordion"])
@pytest.mark.parametrize(("width", "language"), SCREENS, ids=[f"{width}-{language}" for width, language in SCREENS])
def test_from_sources_to_a_finished_build(tmp_path: Path, kind: str, width: int, language: str) -> None:
    """Every step by the page's own controls; the build is verified, the manifest keeps its comment."""
    source = drawn_or_real(kind, tmp_path)
    text = "# mine, and it stays\nname: x\nseed: 7   # lucky\nsources: []\nsplits: {train: 0.8, validation: 0.2}\n"
    folder = tmp_path / "work"
    folder.mkdir()
    texts = TEXTS[language[:2]]
    with running(make_studio(folder, text)) as studio, window(studio.address, width=width, language=language) as page:
        page.set_default_timeout(60_000)
        journey = Journey(page, tmp_path, texts)
        journey.sources(source)
        journey.images()
        journey.filters()
        journey.counts()
        journey.build()
        journey.result()
        journey.share()
        assert page.evaluate("document.documentElement.lang") == language[:2]
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    manifest = (folder / "amp.yaml").read_text(encoding="utf-8")
    assert manifest.startswith("# mine, and it stays\nname: x\nseed: 7   # lucky\n")
    assert verify(folder / "build", replay="all").findings == []
    assert {row["spec"] for row in read_ledger(folder / "build") if row["status"] == MADE} == {
        "original",
        "rotate",
        "mix1",
    }
    assert (folder / "export" / "data.yaml").exists()


class Journey:
    """The steps, each with a screenshot to look at."""

    def __init__(self, page: Any, folder: Path, texts: dict[str, str]) -> None:
        self.page = page
        self.folder = folder
        self.texts = texts

    def shot(self, name: str) -> None:
        """A picture of the window."""
        self.page.screenshot(path=str(self.folder / f"{name}.png"))

    def sources(self, source: Path) -> None:
        """Name a set; its format and findings are shown."""
        self.page.fill("#source-path", str(source))
        self.page.click("#add-source")
        self.page.wait_for_selector("#source-list .chip")
        self.page.wait_for_selector("#findings .good, #findings details")
        self.shot("1-sources")

    def images(self) -> None:
        """The grid narrows down; one image opens large, and closes by a key."""
        self.page.click("#tab-images")
        self.page.wait_for_selector(".tile img[src]")
        everything = self.page.locator(".tile").count()
        self.page.select_option("#by-split", "validation")
        until(self.page, f"document.querySelectorAll('.tile').length < {everything}")
        self.shot("2-images")
        self.page.locator(".tile").first.click()
        until(self.page, "document.querySelector('#large')?.naturalWidth > 0")
        self.page.keyboard.press("Escape")
        assert not self.page.evaluate("document.getElementById('dialog').open")

    def filters(self) -> None:
        """Choose one, drag its slider, add it, take it back, do it again; then a mix."""
        page = self.page
        page.click("#tab-filters")
        page.click("[data-name=rotate]")
        page.wait_for_selector("#after[src]")
        slider = page.locator("#set-degrees-1")
        slider.focus()
        for _ in range(5):
            page.keyboard.press("ArrowLeft")
        until(page, "document.querySelectorAll('#strip img[src]').length === 6")
        self.shot("3-filters")
        page.click("#add-filter")
        page.wait_for_selector("#remove-filter")
        assert "rotate: {degrees: 10}" in page.input_value("#text")
        page.click("#undo")
        until(page, "!document.getElementById('text').value.includes('rotate')")
        page.click("#redo")
        page.wait_for_selector("#remove-filter")
        page.click("#new-mix")
        page.select_option("#mix-add", "flip")
        page.select_option("#mix-add", "brightness")
        page.fill("#mix-copies", "1")
        page.wait_for_selector("#dialog .strip img[src]")
        page.click("#save-mix")
        until(page, "document.getElementById('text').value.includes('mix1')")

    def counts(self) -> None:
        """They follow what is chosen."""
        page = self.page
        page.click("#tab-counts")
        page.wait_for_selector("#counts table")
        before = page.inner_text("#counts")
        page.click("#augment-validation")
        until(page, f"document.getElementById('counts').innerText !== {json.dumps(before)}")
        self.shot("4-counts")

    def build(self) -> None:
        """It says how far it is, and that it is done."""
        self.page.click("#tab-build")
        self.page.click("#build")
        self.page.wait_for_selector("#job-state[data-state=done]", timeout=180_000)
        assert self.texts["job.done"] in self.page.inner_text("#job-state")
        self.shot("5-build")

    def result(self) -> None:
        """By variant; before and after; made again, the same."""
        page = self.page
        page.click("#to-result")
        page.wait_for_selector(".tile img[src]")
        page.select_option("#result-spec", "rotate")
        until(page, "document.querySelector('.tile')?.title.includes('rotate')")
        self.shot("6-result")
        page.locator(".tile").first.click()
        page.click("#make-again")
        page.wait_for_selector("#again.good")
        assert page.inner_text("#again") == self.texts["same"]
        until(page, "[...document.querySelectorAll('#dialog img')].every((image) => image.naturalWidth > 0)")
        self.shot("6-line")
        page.keyboard.press("Escape")

    def share(self) -> None:
        """An export, and what a push would send, which is not pushed."""
        page = self.page
        page.click("#tab-share")
        page.click("#export")
        page.wait_for_selector("#job-state[data-state=done]", timeout=120_000)
        page.fill("#repo", "me/drums")
        page.click("#dry-run")
        until(
            page,
            "document.getElementById('job').innerText.includes('me/drums') "
            "&& document.querySelector('#job-state[data-state=done]')",
        )
        assert "would push" in page.inner_text("#job")
        assert page.is_enabled("#push")
        self.shot("7-share")


def test_names_are_shown_as_text(tmp_path: Path) -> None:
    """Whatever files and classes are called: every letter is on the page, and nothing of it is markup."""
    chosen = random.Random(1).sample(HOSTILE, len(HOSTILE))
    rows = ["filename,width,height,class,xmin,ymin,xmax,ymax"]
    for number, name in enumerate(chosen):
        file = f"{number} {name[:60]}.png".replace("/", "_")
        write_image(tmp_path / "set" / file, (64 + number, 48))
        quoted = ['"' + text.replace('"', '""') + '"' for text in (file, name)]
        rows.append(f"{quoted[0]},{64 + number},48,{quoted[1]},{5 + number},5,{30 + number},30")
    (tmp_path / "set" / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    text = "sources: [set]\nsplits: {train: 1.0}\nfilters: {flip: }\n"
    with running(make_studio(tmp_path, text)) as studio, window(studio.address, width=1000, language="en") as page:
        page.set_default_timeout(30_000)
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        page.wait_for_selector("#source-list .chip")
        assert set(page.locator("#source-list .chip").all_inner_texts()) == {" ".join(name.split()) for name in chosen}
        page.wait_for_selector("#findings .good, #findings details")
        page.click("#tab-images")
        page.wait_for_selector(".tile img[src]")
        assert sorted(page.locator(".tile span:first-of-type").all_text_contents()) == sorted(
            item.sample.source_id for item in studio.studio.session.whole().joined.items
        )
        for tile in range(len(chosen)):
            page.locator(".tile").nth(tile).click()
            until(page, "document.getElementById('dialog').open && document.querySelector('#large')?.naturalWidth > 0")
            page.keyboard.press("Escape")
        page.click("#tab-counts")
        page.wait_for_selector("#counts table")
        shown = page.inner_text("#counts")
        assert all(" ".join(name.split()) in " ".join(shown.split()) for name in chosen)
        assert (
            page.evaluate(
                "[...document.querySelectorAll('main script, main [onerror], main [onmouseover], main b b')].length"
            )
            == 0
        )


def test_a_grid_of_twenty_thousand_has_few_elements(tmp_path: Path) -> None:
    """Only what is in sight exists, at the beginning, in the middle and at the end."""
    write_image(tmp_path / "set" / "a.png")
    rows = ["filename,width,height,class,xmin,ymin,xmax,ymax", "a.png,64,48,cat,5,5,30,30"]
    (tmp_path / "set" / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    with running(make_studio(tmp_path, "sources: [set]\nfilters: {flip: }\n")) as studio:
        session = studio.studio.session
        session.wait()
        whole = session.whole()
        from dataclasses import replace

        (item,) = whole.joined.items
        items = tuple(replace(item, sample=replace(item.sample, source_id=f"set/{n:05d}.png")) for n in range(20_000))
        session._whole = replace(whole, joined=replace(whole.joined, items=items))
        with window(f"{studio.address}#images", width=1400, language="en") as page:
            page.wait_for_selector(".tile img[src]")
            for share in (0, 0.5, 1):
                page.locator(".grid").evaluate(
                    "(grid, share) => { grid.scrollTop = grid.scrollHeight * share; }", share
                )
                number = [0, 10_000, 19_999][[0, 0.5, 1].index(share)]
                until(
                    page,
                    f"[...document.querySelectorAll('.tile')].some((tile) => tile.title === 'set/{number:05d}.png')",
                )
                assert page.locator(".tile").count() < 100
            page.fill("#by-name", "1234")
            until(page, "document.querySelector('.grid').previousElementSibling.textContent.startsWith('12 ')")


def test_both_languages_have_every_text() -> None:
    """One table; every shipped filter is said in Spanish, every text that a page asks for is there."""
    spanish = {key for key in TEXTS["es"] if not key.startswith("filter.")}
    assert spanish == set(TEXTS["en"])
    assert {key.removeprefix("filter.") for key in TEXTS["es"] if key.startswith("filter.")} == set(
        load_registry().filters
    )
    for key, text in TEXTS["en"].items():
        assert sorted(placeholders(text)) == sorted(placeholders(TEXTS["es"][key])), key
    code = "".join(
        file.read_text(encoding="utf-8")
        for file in (files("amp_datasets.studio") / "static").iterdir()
        if file.name.endswith(".js")
    )
    import re

    asked = set(re.findall(r"\bt\(\"([^\"]+)\"", code))
    assert asked - set(TEXTS["en"]) == set()


def placeholders(text: str) -> list[str]:
    """The names in curly brackets."""
    import re

    return re.findall(r"\{(\w+)\}", text)
