"""Publishing, against a hub on this machine with the unmodified clients: what arrives, and what must not."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hub_server import TOKEN, Hub, hub_server, python
from small_builds import FILTERS, ledger, small_build, tree, write_manifest

import amp_datasets as amp
from amp_datasets.building.api import build
from amp_datasets.demo.write import write_demo
from amp_datasets.errors import BuildError
from amp_datasets.exchange.hub import publish

NO_WAIT = (
    "import amp_datasets.building.hub as hub\n"
    "hub.time.sleep = lambda seconds: print('waited', seconds, file=sys.stderr)\n"
)
PUBLISH = "import sys\n" + NO_WAIT + "from amp_datasets.cli import run; sys.exit(run(sys.argv[1:]))"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build and a lazy set with a `hub` in their manifest. Read them, never write to them."""
    folder = tmp_path_factory.mktemp("hub")
    small_build(folder, images=3, splits="{train: 0.7, validation: 0.3}",
                hub="{repo: me/drums, license: cc-by-4.0}")  # fmt: skip
    build(folder / "amp.yaml", out=folder / "lazy", jobs=1, lazy=True)
    write_demo(folder / "big", images=4, size=(1600, 1200), seed=1)
    write_manifest(folder / "large.yaml", [folder / "big"], FILTERS, splits="{train: 0.7, validation: 0.3}")
    build(folder / "large.yaml", out=folder / "large", jobs=2)
    return folder


@pytest.fixture
def hub() -> Iterator[Hub]:
    """An empty hub."""
    with hub_server() as server:
        yield server


LOAD = """
import sys, json, hashlib
from datasets import Image, load_dataset
for split, rows in load_dataset(sys.argv[1]).items():
    names = rows.features["objects"]["category"].feature.names
    for row in rows.cast_column("image", Image(decode=False)):
        image = row.pop("image")
        digest = hashlib.sha256(image["bytes"]).hexdigest()
        print(json.dumps([split, names, digest, image["path"], row["image_id"], row["objects"], row["source_id"]]))
"""


def test_a_push_arrives_whole_and_tells_nothing_else(place: Path, hub: Hub, tmp_path: Path) -> None:
    """The same rows, typed; a card with text and config; provenance; no token and no path of this machine anywhere."""
    hub.faults.append(("POST /api/datasets/me/drums/commit/", 503))
    hub.faults.append(("POST /api/datasets/me/drums/commit/", 429))
    before = tree(place)
    done = python(hub, tmp_path, PUBLISH, "publish", place / "build", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["repo"], report["private"], report["pushed"]) == ("me/drums", True, True)
    assert hub.faults == []
    assert done.stderr.count("waited") == 2
    assert tree(place) == before

    repo = hub.repos["me/drums"]
    assert repo.private
    files = repo.commits[-1]
    head, _, text = files["README.md"].decode().removeprefix("---\n").partition("---\n")
    card = yaml.safe_load(head)
    assert card["license"] == "cc-by-4.0"
    assert card["task_categories"] == ["object-detection", "image-segmentation"]
    assert [f["path"] for f in card["configs"][0]["data_files"]] == ["data/train-*", "data/validation-*"]
    assert "dataset_info" in card
    assert "## How it was made" in text
    for name in ("amp.yaml", "ledger.parquet", "amp.lock.json", ".card/contact-sheet.webp"):
        assert files[name] == (place / "build" / name).read_bytes()

    (tmp_path / "home2").mkdir()
    loaded = python(hub, tmp_path / "home2", LOAD, "me/drums")
    assert loaded.returncode == 0, loaded.stderr
    rows = [json.loads(line) for line in loaded.stdout.splitlines()]
    expected = {row["sha256"]: row["split"] for row in ledger(place / "build") if row["status"] == "made"}
    assert {row[2]: row[0] for row in rows} == expected
    local = {row["image_id"]: row["objects"] for split in amp.load(place / "build").values()
             for row in split.remove_columns("image")}  # fmt: skip
    assert {row[4]: row[5] for row in rows} == local
    assert {tuple(row[1]) for row in rows} == {("fish", "leaf", "pebble", "starfish")}
    assert not any("/" in row[3] for row in rows)

    assert_nothing_leaks(hub, place, done.stdout + done.stderr)


def assert_nothing_leaks(hub: Hub, place: Path, said: str) -> None:
    """No token in any file or word, no folder of this machine in any file that was pushed."""
    assert TOKEN not in said
    assert f"Bearer {TOKEN}" in hub.tokens
    assert not any(TOKEN in request for request in hub.requests)
    for path in place.rglob("*"):
        assert path.is_dir() or TOKEN.encode() not in path.read_bytes()
    for repo in hub.repos.values():
        for name, data in repo.commits[-1].items():
            assert TOKEN.encode() not in data, name
            assert str(place).encode() not in data, name
            assert str(Path.home()).encode() + b"/" not in data, name


TYPES = """
import sys, json
import amp_datasets as amp
from datasets import load_dataset
there, here = load_dataset(sys.argv[1]), amp.load(sys.argv[2])
for split, rows in here.items():
    assert there[split].features == rows.features, (there[split].features, rows.features)
    assert str(there[split].split) == str(rows.split)
    for one, other in zip(there[split], rows, strict=True):
        assert one.pop("image").tobytes() == other.pop("image").tobytes()
        assert one == other
"""


@pytest.mark.parametrize("killed", [True, False])
def test_a_push_that_was_cut_goes_on(place: Path, hub: Hub, tmp_path: Path, killed: bool) -> None:
    """Killed or refused in the middle: nothing shows, nothing is sent twice, one commit; one shard is on the disk."""
    command = ["publish", place / "large", "--repo", "me/large", "--max-shard-mb", "1"]
    held: list[int] = []
    victims: list[int] = []

    def arrives(count: int) -> None:
        held.append(len(list(tmp_path.glob("amp-publish-*/*.parquet"))))
        if killed and count == 3:
            os.kill(victims[0], signal.SIGKILL)

    hub.on_upload = arrives
    hub.uploads_left = None if killed else 2
    cut = python(hub, tmp_path, PUBLISH, *command, started=victims)
    assert cut.returncode == (-signal.SIGKILL if killed else 2), cut.stderr
    assert len(hub.repos["me/large"].commits) == 1
    hub.on_upload, hub.uploads_left = None, None
    assert len(hub.objects) >= 2
    for left in tmp_path.glob("amp-publish-*"):
        shutil.rmtree(left)

    done = python(hub, tmp_path, PUBLISH, *command, "--json")
    assert done.returncode == 0, done.stderr
    shards = json.loads(done.stdout)["shards"]
    assert shards >= 5
    assert max(held) == 1
    assert len(hub.repos["me/large"].commits) == 2
    names = [name for name in hub.repos["me/large"].commits[-1] if name.startswith("data/")]
    assert len(names) == shards
    sent = [line for line in hub.requests if line.startswith("PUT")]
    assert len(sent) - len(set(sent)) <= 1  # the one that the cut caught
    (tmp_path / "home2").mkdir()
    loaded = python(hub, tmp_path / "home2", TYPES, "me/large", place / "large")
    assert loaded.returncode == 0, loaded.stderr


def test_shards_of_another_size_replace_the_old_ones(place: Path, hub: Hub, tmp_path: Path) -> None:
    """No row is there twice."""
    for size in ("1", "3"):
        command = ["publish", place / "large", "--repo", "me/large", "--max-shard-mb", size]
        assert python(hub, tmp_path, PUBLISH, *command).returncode == 0
    files = [name for name in hub.repos["me/large"].commits[-1] if name.startswith("data/train")]
    assert len({name.rpartition("-of-")[2] for name in files}) == 1


def test_a_shard_has_a_size_that_makes_sense(place: Path) -> None:
    """Said before anything is read."""
    with pytest.raises(BuildError, match="1 to 5000 MB"):
        publish(place / "build", max_shard_mb=0, dry_run=True)


BUILD_FROM_HUB = (
    "import sys\nfrom amp_datasets.cli import run\nsys.exit(run(['build', sys.argv[1], '-o', sys.argv[2], '-j', '1']))"
)


def test_a_pushed_set_is_the_source_of_a_build(place: Path, hub: Hub, tmp_path: Path) -> None:
    """As `hf://datasets/me/drums`: every image that was pushed is an original of the new build, bit for bit."""
    assert python(hub, tmp_path, PUBLISH, "publish", place / "build").returncode == 0
    write_manifest(tmp_path / "amp.yaml", ["hf://datasets/me/drums"])
    done = python(hub, tmp_path, BUILD_FROM_HUB, tmp_path / "amp.yaml", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    rows = ledger(tmp_path / "out")
    pushed = {row["sha256"] for row in ledger(place / "build") if row["status"] == "made"}
    assert {row["source_sha256"] for row in rows} == pushed
    assert not amp.verify(tmp_path / "out").findings


def test_a_second_push_uploads_no_image_again(place: Path, hub: Hub, tmp_path: Path) -> None:
    """What is there is there."""
    assert python(hub, tmp_path, PUBLISH, "publish", place / "build").returncode == 0
    uploads = [request for request in hub.requests if request.startswith("PUT")]
    files = hub.repos["me/drums"].commits[-1]
    again = python(hub, tmp_path, PUBLISH, "publish", place / "build")
    assert again.returncode == 0, again.stderr
    assert [request for request in hub.requests if request.startswith("PUT")] == uploads
    assert hub.repos["me/drums"].commits[-1] == files


FETCH = """
import sys, json, hashlib, fsspec
from huggingface_hub import snapshot_download
import amp_datasets as amp
from datasets import Image
folder = snapshot_download(sys.argv[1], repo_type="dataset")
for split, rows in amp.load(folder).items():
    for row in rows.cast_column("image", Image(decode=False)):
        print(json.dumps([split, hashlib.sha256(fsspec.open(row["image"]["path"]).open().read()).hexdigest()]))
"""


def test_a_lazy_set_is_pushed_as_its_folder(place: Path, hub: Hub, tmp_path: Path) -> None:
    """Somebody else loads the snapshot and makes every image, bit for bit; nothing is larger than the sources."""
    done = python(hub, tmp_path, PUBLISH, "publish", place / "lazy", "--repo", "me/lazy", "--public")
    assert done.returncode == 0, done.stderr
    assert "pushed sources for" in done.stdout
    repo = hub.repos["me/lazy"]
    assert not repo.private
    local = {
        p.relative_to(place / "lazy").as_posix(): p.read_bytes() for p in (place / "lazy").rglob("*") if p.is_file()
    }
    assert {name: data for name, data in repo.commits[-1].items() if name != ".gitattributes"} == local
    assert len([name for name in local if name.endswith(".jpg")]) == 3
    (tmp_path / "home2").mkdir()
    fetched = python(hub, tmp_path / "home2", FETCH, "me/lazy")
    assert fetched.returncode == 0, fetched.stderr
    rows = sorted(json.loads(line) for line in fetched.stdout.splitlines())
    assert rows == sorted([row["split"], row["sha256"]] for row in ledger(place / "build"))
    assert_nothing_leaks(hub, place, done.stdout + done.stderr)


@pytest.mark.parametrize(
    ("token", "fault", "words"),
    [
        (None, None, "there is no token for the hub"),
        (TOKEN, ("POST /api/repos/create", 403), "the hub refused"),
        (TOKEN, ("POST /api/repos/create", 401), "the hub refused"),
    ],
)
def test_a_refusal_is_told_with_a_remedy(
    place: Path, hub: Hub, tmp_path: Path, token: str | None, fault: tuple[str, int] | None, words: str
) -> None:
    """At once: another try would be refused as well."""
    hub.faults += [fault] if fault else []
    done = python(hub, tmp_path, PUBLISH, "publish", place / "build", token=token)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "fix: " in done.stderr
    assert "waited" not in done.stderr
    assert "Traceback" not in done.stderr
    assert TOKEN not in done.stderr
    assert hub.repos == {}


def test_what_should_be_private_is_not_pushed_into_a_public_dataset(place: Path, hub: Hub, tmp_path: Path) -> None:
    """A name that is taken decides nothing about who may look."""
    create = "import huggingface_hub as h; h.HfApi().create_repo('me/drums', repo_type='dataset', private=False)"
    assert python(hub, tmp_path, create).returncode == 0
    done = python(hub, tmp_path, PUBLISH, "publish", place / "build")
    assert done.returncode == 2
    assert "this dataset is there already, and public" in done.stderr
    assert len(hub.repos["me/drums"].commits) == 1
    assert python(hub, tmp_path, PUBLISH, "publish", place / "build", "--public").returncode == 0


def test_a_private_dataset_stays_private_and_is_reported_as_it_is(place: Path, hub: Hub, tmp_path: Path) -> None:
    """Asked for a public one where there is a private one already: the report does not say public."""
    create = "import huggingface_hub as h; h.HfApi().create_repo('me/drums', repo_type='dataset', private=True)"
    assert python(hub, tmp_path, create).returncode == 0
    done = python(hub, tmp_path, PUBLISH, "publish", place / "build", "--public", "--json")
    assert done.returncode == 0, done.stderr
    assert hub.repos["me/drums"].private
    assert json.loads(done.stdout)["private"] is True


def test_a_dry_run_asks_nobody(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No token, no network; the numbers are those of the push."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    report = publish(place / "build", dry_run=True)
    counts = {split: len(rows) for split, rows in amp.load(place / "build").items()}
    assert (report.pushed, report.images, report.repo, report.private) == (False, counts, "me/drums", True)
    assert re.match(r"would push \d+ train, \d+ validation \(\d+\.\d MB\) to the private dataset", report.as_text()[0])
    lazy = publish(place / "lazy", dry_run=True, private=False, repo="me/other")
    assert (lazy.lazy, lazy.private, lazy.images) == (True, False, counts)
    assert lazy.megabytes < 1


def test_what_cannot_be_pushed_is_told(place: Path, tmp_path: Path) -> None:
    """No build, no name, a name that is none, a damaged build."""
    with pytest.raises(BuildError, match="not a build"):
        publish(place / "set", dry_run=True)
    with pytest.raises(BuildError, match="is no repository's name"):
        publish(place / "build", repo="a b/c", dry_run=True)
    shutil.copytree(place / "build", tmp_path / "copy")
    lock = tmp_path / "copy" / "amp.lock.json"
    lock.write_text(lock.read_text().replace("0", "1"))
    with pytest.raises(BuildError, match="the lock is damaged"):
        publish(tmp_path / "copy", dry_run=True)
    write_manifest(tmp_path / "amp.yaml", [place / "set"])
    build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)
    with pytest.raises(BuildError, match="no repository to push to"):
        publish(tmp_path / "build", dry_run=True)
