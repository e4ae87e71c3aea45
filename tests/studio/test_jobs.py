"""Work beside the page: it says how far it is, can be stopped, and goes on from there."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from small_builds import write_manifest, write_set
from studio_window import make_studio, running

from amp_datasets.errors import BuildError
from amp_datasets.ledger.verify import verify
from amp_datasets.studio.jobs import Jobs

MORE = "filters: {flip: , rotate: {degrees: [3, 12]}, blur: , noise: , elastic: }\n"


def job_of(folder: Path) -> dict[str, object]:
    """What the page sends to build."""
    out = str(folder / "build")
    return {
        "kind": "build",
        "manifest": str(folder / "amp.yaml"),
        "out": out,
        "plugin_dirs": [],
        "command": "amp build",
    }


def test_a_build_that_was_stopped_goes_on(tmp_path: Path) -> None:
    """What was finished is not made again, and nothing of the target is there before the end."""
    write_set(tmp_path / "set", 120)
    write_manifest(tmp_path / "amp.yaml", ["set"], MORE)
    jobs = Jobs()
    jobs.start(job_of(tmp_path))
    with pytest.raises(BuildError, match="running already"):
        jobs.start(job_of(tmp_path))
    end = time.monotonic() + 120
    while not (jobs.state().get("what") == "making variants" and 0 < jobs.state()["done"] < jobs.state()["total"]):
        assert time.monotonic() < end
        assert jobs.state()["state"] == "running", jobs.state()
        time.sleep(0.005)
    jobs.stop()
    assert jobs.wait()["state"] == "stopped"
    assert not (tmp_path / "build").exists()
    jobs.start(job_of(tmp_path))
    done = jobs.wait()
    assert done["state"] == "done", done
    assert done["result"]["reused"] > 0
    assert verify(tmp_path / "build").findings == []


def test_what_is_wrong_comes_back(tmp_path: Path) -> None:
    """With what, where and fix; the page can start again."""
    jobs = Jobs()
    jobs.start(job_of(tmp_path))
    failed = jobs.wait()
    assert (failed["state"], failed["problems"][0]["what"]) == ("failed", "the manifest is missing")


def test_the_page_starts_and_follows_a_build(tmp_path: Path) -> None:
    """By its addresses: a build, its images, its ledger, an export as a zip."""
    write_set(tmp_path / "set", 4)
    with running(make_studio(tmp_path, "sources: [set]\nfilters: {flip: }\n")) as window:
        window.studio.session.wait()
        started = window.post("api/job", {"kind": "build", "out": "out"})
        assert started["job"]["command"] == "amp build amp.yaml -o out"
        assert window.studio.jobs.wait()["state"] == "done"
        found = window.get("api/result?out=out")
        assert found["variants"].keys() == {"original", "flip"}
        (tile, *_) = window.get("api/result/images?spec=flip")["tiles"]
        line = window.get(f"api/result/images/{tile['index']}")
        assert line["steps"][0]["filter"] == "flip"
        assert window.ask("GET", f"api/result/images/{line['before']}/shown")[1]["content-type"] == "image/jpeg"
        again = window.post(f"api/result/images/{tile['index']}/again")
        assert again == {"same_image": True, "same_labels": True, "differences": []}
        window.post("api/job", {"kind": "export", "to": "voc", "out": "voc", "zipped": True})
        assert window.studio.jobs.wait()["state"] == "done"
        assert (tmp_path / "voc.zip").is_file()
