"""Draws `studio.webp` and `report.webp`: the pages as a browser shows them. Needs the extras `studio` and `browser`."""

from __future__ import annotations

import io
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from PIL import Image

import amp_datasets as amp
from amp_datasets.demo.write import write_demo
from amp_datasets.plugin.discovery import load_registry

FOLDER = Path(__file__).parent
SIZE = {"width": 1280, "height": 900}
MANIFEST = """\
name: demo
seed: 7
sources: [set]
splits: {train: 0.8, validation: 0.2}

filters:
  flip: {how: horizontal}
  brightness: {percent: [20, 50], mode: both}
"""


def main() -> None:
    """Build a small set, open both pages, and write their pictures beside this file."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        folder = Path(name)
        write_demo(folder / "set", images=24, size=(640, 480))
        (folder / "amp.yaml").write_text(MANIFEST, encoding="utf-8")
        amp.build(folder / "amp.yaml", out=folder / "build")
        amp.report(folder / "build").save(folder / "report.html")
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE)
        page.goto((folder / "report.html").as_uri())
        save(page.screenshot(), "report.webp")
        with_studio(folder / "amp.yaml", page)
        browser.close()


def with_studio(manifest: Path, page: Any) -> None:
    """The studio's page of filters, one of them chosen."""
    import uvicorn

    from amp_datasets.studio.app import Studio

    studio = Studio(manifest, "", load_registry())
    server = uvicorn.Server(uvicorn.Config(studio.application, port=8799, log_level="warning", lifespan="off"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    try:
        studio.session.wait()
        page.goto("http://127.0.0.1:8799/#filters")
        page.click("[data-name=rotate]")
        page.wait_for_selector("#strip figure:nth-child(6) img[src]")
        page.wait_for_timeout(1000)
        save(page.screenshot(), "studio.webp")
    finally:
        server.should_exit = True
        studio.close()


def save(data: bytes, name: str) -> None:
    """Write a screenshot beside this file."""
    with Image.open(io.BytesIO(data)) as image:
        image.convert("RGB").save(FOLDER / name, quality=80, method=6)
    print(f"{FOLDER / name}: {(FOLDER / name).stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
