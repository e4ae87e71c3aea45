"""What a stranger ships is safe to open: nothing is written or run elsewhere, and nothing private is shown or sent."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image as PillowImage
from small_builds import copy_of, ledger, rebuild, small_build, tree
from strangers import Rows, forge, watched

import amp_datasets as amp
from amp_datasets.building.api import build
from amp_datasets.building.merge import merge
from amp_datasets.errors import AmpError, BuildError, SourceError
from amp_datasets.exchange.conversion import export
from amp_datasets.exchange.hub import publish
from amp_datasets.ledger.diff import diff
from amp_datasets.ledger.replay import replay
from amp_datasets.ledger.verify import verify
from amp_datasets.plugin.discovery import load_formats

NAMES = [
    *("../victim/keys", "/tmp/amp-victim", "..\\victim", "C:\\victim.jpg", "a/../../victim", ".bashrc", "a\nb.jpg"),
    *("a::http://127.0.0.1:9/x", "a::b:x.jpg", "\x1b[2J.jpg", ""),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a set, a build of it and a lazy set. Copy what you spoil."""
    folder = tmp_path_factory.mktemp("strangers")
    small_build(folder, images=2)
    build(folder / "amp.yaml", out=folder / "lazy", jobs=1, lazy=True)
    return folder


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Another user: nothing that was made so far is theirs."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def first_made(rows: Rows) -> dict[str, Any]:
    """A row that names a file."""
    return next(row for row in rows if row["status"] == "made")


COMMANDS: dict[str, Callable[[Path, Path], object]] = {
    "verify": lambda b, _: verify(b, replay=2),
    "replay": lambda b, out: replay(b, f"{ledger(b)[0]['source_id']} {ledger(b)[0]['variant']}", out / "again.jpg"),
    "diff": lambda b, _: diff(b, b),
    "load": lambda b, _: [row["image"] for rows in amp.load(b).values() for row in rows],
    "export": lambda b, out: export(b, "coco", out / "exported", load_formats()),
    "publish": lambda b, _: publish(b, repo="me/x", dry_run=True),
}


@pytest.mark.parametrize("kind", ["build", "lazy"])
@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_a_name_in_a_ledger_leads_nowhere(home: Path, tmp_path: Path, elsewhere: Path, kind: str, name: str) -> None:
    """Attack 1, in every command: nothing is written outside, no process is started, nothing is tried elsewhere."""
    spoilt = forge(copy_of(home / kind, tmp_path / "set"), rows=lambda rows: first_made(rows).update(file_name=name))
    out = tmp_path / "out"
    out.mkdir()
    with watched(out, tmp_path / ".out.amp-work", elsewhere, Path(os.environ["HF_HOME"])) as seen:
        for run in COMMANDS.values():
            try:
                found = run(spoilt, out)
                assert getattr(found, "findings", True), run
            except AmpError:
                continue
    assert seen == []


def test_a_card_cannot_name_files_of_this_machine(home: Path, tmp_path: Path) -> None:
    """Attack 4: the rows are those of the lock, whatever `configs` say."""
    private = tmp_path / "private"
    private.mkdir()
    shutil.copyfile(next((home / "set").rglob("*.jpg")), private / "me.jpg")
    spoilt = copy_of(home / "build", tmp_path / "set")
    card = (spoilt / "README.md").read_text()
    (spoilt / "README.md").unlink()
    (spoilt / "README.md").write_text(
        card.replace("images/train/**", f"file://{private}/**").replace("images/validation/**", f"{private}/**")
    )
    forge(spoilt)
    rows = amp.load(spoilt)
    assert sorted((split, row["variant"]) for split in rows for row in rows[split]) == sorted(
        (row["split"], row["variant"]) for row in ledger(home / "build")
    )


@pytest.mark.parametrize("change", ["other name", "image column"])
def test_rows_cannot_name_files_of_this_machine(home: Path, tmp_path: Path, change: str) -> None:
    """The parquet beside the images may name none but them, and has no columns that would be opened."""
    spoilt = copy_of(home / "build", tmp_path / "set")
    path = spoilt / "images" / "train" / "metadata.parquet"
    table = pq.read_table(path)
    if change == "other name":
        names = pa.array(["../../../private.jpg", *table["file_name"].to_pylist()[1:]])
        table = table.set_column(table.schema.get_field_index("file_name"), "file_name", names)
    else:
        types = json.loads(table.schema.metadata[b"huggingface"])
        types["info"]["features"]["photo"] = {"_type": "Image"}
        kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
        photo = pa.array([{"bytes": None, "path": "/etc/hostname"}] * len(table), kind)
        table = table.append_column("photo", photo).replace_schema_metadata({"huggingface": json.dumps(types)})
    path.unlink()
    pq.write_table(table, path)
    with pytest.raises(BuildError, match=r"name a file that the ledger|of no type of ours"):
        amp.load(forge(spoilt))


def test_a_linked_image_is_not_shown(home: Path, tmp_path: Path) -> None:
    """The name is in the ledger, what it leads to is not."""
    spoilt = copy_of(home / "build", tmp_path / "set")
    image = next((spoilt / "images" / "train").glob("*.jpg"))
    (tmp_path / "private.jpg").write_bytes(b"private")
    image.unlink()
    image.symlink_to(tmp_path / "private.jpg")
    with pytest.raises(BuildError, match="a link leads to another file"):
        amp.load(spoilt)


def test_only_what_the_lock_lists_is_published(home: Path, tmp_path: Path) -> None:
    """Attack 5a: a stray file, a secret and what a link leads to stay here, and the dry run lists every file."""
    spoilt = copy_of(home / "lazy", tmp_path / "set")
    (spoilt / ".env").write_text("TOKEN=1")
    (spoilt / "notes.txt").write_text("mine")
    (spoilt / "key").symlink_to(tmp_path)
    report = publish(spoilt, repo="me/x", dry_run=True)
    lock = json.loads((spoilt / "amp.lock.json").read_text())
    assert sorted(report.files) == sorted([*lock["files"], "amp.lock.json"])
    assert all(f"    {name}" in report.as_text() for name in report.files)
    source = next((spoilt / "sources").iterdir())
    source.unlink()
    source.symlink_to(home / "amp.yaml")
    with pytest.raises(BuildError, match="this is not what was built"):
        publish(spoilt, repo="me/x", dry_run=True)


@pytest.mark.parametrize("place", ["/", "hf://datasets/me/private", "../set", "../.."])
def test_sources_of_others_are_not_looked_for(
    home: Path, tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Attack 5c: neither the disk nor the hub is searched; with --source it goes on as ever."""
    spoilt = copy_of(home / "build", tmp_path / "set" / "build")
    forge(spoilt, lock=lambda lock: lock["sources"][0]["source"].update(path=place))

    def looked(*_: object, **__: object) -> None:
        raise AssertionError("a place was looked at")

    with monkeypatch.context() as patch:
        patch.setattr("amp_datasets.sources.locate.open_folder", looked)
        patch.setattr("amp_datasets.sources.locate.read_source", looked)
        with pytest.raises(SourceError, match="was not made here") as error:
            replay(spoilt, ledger(spoilt)[0]["file_name"], tmp_path / "again.jpg")
        assert "--source" in str(error.value.fix)
        assert {finding.rule for finding in verify(spoilt, replay=1).findings} == {"replay"}
    assert verify(spoilt, replay="all", sources=[home / "set"]).findings == []


def test_a_lock_has_no_say_in_what_an_image_may_cost(home: Path, tmp_path: Path, elsewhere: Path) -> None:
    """Attack 13a: of a stranger's set our own limits count."""
    spoilt = copy_of(home / "lazy", tmp_path / "set")
    forge(spoilt, lock=lambda lock: lock["recipe"].update(max_pixels=2**33, max_bytes=2**33))
    from amp_datasets.images.codec import Limits
    from amp_datasets.loading.lazy import LazySet

    limits = LazySet(spoilt).remaker.limits
    assert limits.max_pixels <= Limits().max_pixels
    assert limits.max_bytes <= Limits().max_bytes


def test_a_replay_writes_new_files_only(home: Path, tmp_path: Path) -> None:
    """Attack 10c: the notes beside a photo are not its labels' place; the same replay twice is fine."""
    row = ledger(home / "build")[0]
    (tmp_path / "photo.txt").write_text("my notes")
    with pytest.raises(BuildError, match="a file already"):
        replay(home / "build", row["file_name"], tmp_path / "photo.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["photo.txt"]
    assert (tmp_path / "photo.txt").read_text() == "my notes"
    for _ in range(2):
        assert replay(home / "build", row["file_name"], tmp_path / "other.jpg").same_image


def test_a_preview_is_a_new_file(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attacks 8 and 10c: through a hard link nothing is written, and a full disk leaves the old one, and says so."""
    (tmp_path / "image.jpg").write_bytes(b"a source")
    os.link(tmp_path / "image.jpg", tmp_path / "linked.jpg")
    shown = amp.preview(home / "amp.yaml")
    with pytest.raises(BuildError, match="no preview"):
        shown.save(tmp_path / "linked.jpg")
    assert (tmp_path / "image.jpg").read_bytes() == b"a source"
    shown.save(tmp_path / "older.jpg")
    os.link(tmp_path / "older.jpg", tmp_path / "preview.jpg")
    shown.save(tmp_path / "preview.jpg")
    assert (tmp_path / "older.jpg").stat().st_nlink == 1
    whole = (tmp_path / "preview.jpg").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BuildError, match="No space left"):
        shown.save(tmp_path / "preview.jpg")
    assert (tmp_path / "preview.jpg").read_bytes() == whole


def test_a_build_over_a_strangers_build_takes_nothing_of_it(home: Path, tmp_path: Path, elsewhere: Path) -> None:
    """Attack 5b: planted images and labels, consistent to the last digest, are not in the new build."""
    spoilt = copy_of(home, tmp_path / "home")
    image = next((spoilt / "build" / "images" / "train").glob("*brightness*.jpg"))
    data = next((spoilt / "build" / "images" / "train").glob("*flip*.jpg")).read_bytes()
    image.unlink()
    image.write_bytes(data)
    import hashlib

    sha256 = hashlib.sha256(data).hexdigest()
    forge(
        spoilt / "build",
        rows=lambda rows: next(row for row in rows if row["file_name"] == image.name).update(sha256=sha256),
    )
    assert verify(spoilt / "build").findings == []
    rebuild(spoilt)
    assert tree(spoilt / "build" / "images") == tree(home / "build" / "images")


def hostile_sets(folder: Path) -> dict[str, Path]:
    """Sets as a stranger would make them, each a folder of its own."""
    stream = io.BytesIO()
    PillowImage.new("RGB", (64, 48), "red").save(stream, "JPEG")
    image, found = stream.getvalue(), {}
    for name in ("coco", "yolo", "script", "links"):
        found[name] = folder / name
        (found[name] / "images" / "train").mkdir(parents=True)
        (found[name] / "images" / "train" / "a.jpg").write_bytes(image)
    names = [
        "a.jpg",
        "../../../victim.jpg",
        "/etc/hostname",
        "file:///etc/hostname",
        "http://127.0.0.1:9/a.jpg",
        "\x1b[2J",
    ]
    document = {
        "images": [{"id": n, "file_name": name, "width": 64, "height": 48} for n, name in enumerate(names)],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "bbox": [1, 1, 9, 9], "area": 81, "iscrowd": 0}
            for n in range(len(names))
        ],
        "categories": [{"id": 1, "name": "cat"}],
    }
    (found["coco"] / "annotations.json").write_text(json.dumps(document))
    (found["yolo"] / "labels" / "train").mkdir(parents=True)
    (found["yolo"] / "labels" / "train" / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (found["yolo"] / "data.yaml").write_text("path: /etc\ntrain: ../../../../etc\nval: images/train\nnames: [cat]\n")
    (found["script"] / "labels" / "train").mkdir(parents=True)
    (found["script"] / "labels" / "train" / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (found["script"] / "data.yaml").write_text("train: images/train\nnames: [cat]\n")
    (found["script"] / "images" / "train" / "a.jpg").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 48\n(%pipe%touch /tmp/amp-victim) (w) file\n"
    )
    os.mkfifo(found["links"] / "labels.csv")
    (found["links"] / "images" / "train" / "b.jpg").symlink_to("/etc/hostname")
    (found["links"] / "loop").symlink_to("loop")
    (found["links"] / "labels").symlink_to("/etc")
    return found


@pytest.mark.parametrize("name", ["coco", "yolo", "script", "links"])
def test_commands_over_hostile_folders_write_and_start_nothing(tmp_path: Path, name: str) -> None:
    """Checked, exported, merged, built and drawn: nothing is written outside the target, and no program is started."""
    source = hostile_sets(tmp_path / "sets")[name]
    before = sorted((path.relative_to(source), path.is_symlink()) for path in source.rglob("*"))
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "amp.yaml").write_text(f"sources: [{source}]\nsplits: keep\nfilters: {{flip: {{}}}}\n")
    commands: list[Callable[[], object]] = [
        lambda: amp.check(source),
        lambda: export(source, "coco", out / "exported", load_formats()),
        lambda: merge([source], out / "merged"),
        lambda: build(tmp_path / "amp.yaml", out=out / "built", jobs=1),
        lambda: amp.preview(tmp_path / "amp.yaml").save(out / "preview.jpg"),
    ]
    with watched(out, Path(os.environ["HF_HOME"])) as seen:
        for command in commands:
            with contextlib.suppress(AmpError):
                command()
    assert seen == []
    assert before == sorted((path.relative_to(source), path.is_symlink()) for path in source.rglob("*"))
    written = [path for path in out.rglob("*") if path.is_file()]
    assert not [path for path in written if b"root:" in path.read_bytes() or b"PS-Adobe" in path.read_bytes()]
