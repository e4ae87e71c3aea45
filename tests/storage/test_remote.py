"""Sets and builds on S3, through a server of the test and a proxy that fails: the bytes of disk, or an error."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hub_server import hub_server
from small_builds import tree, write_manifest, write_set

import amp_datasets as amp
from amp_datasets.errors import AmpError, BuildError, SourceError, UnreadableError
from amp_datasets.storage import remote

pytest.importorskip("s3fs")
moto_server = pytest.importorskip("moto.server")
boto3 = pytest.importorskip("boto3")
from faulty_proxy import Proxy, faulty_proxy  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SAME = ("images/", "labels/", "annotations/", "data.yaml")
"""What of a build does not say where it stands."""


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, int]]:
    """A storage on this machine."""
    running = moto_server.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    yield running.get_host_and_port()
    running.stop()


@pytest.fixture
def proxy(server: tuple[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """The way to it, with credentials and a cache of the test's own, and a bucket that is empty."""
    host, port = server
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "HF_DATASETS_CACHE": str(tmp_path / "cache"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(remote, "FIRST_WAIT_S", 0.01)
    with faulty_proxy("127.0.0.1" if host == "0.0.0.0" else host, port) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        remote._file_system.cache_clear()
        bucket = boto3.resource("s3").Bucket("amp")
        bucket.create()
        bucket.objects.all().delete()
        proxy.requests.clear()
        yield proxy
        remote._file_system.cache_clear()


def put(folder: Path, prefix: str) -> None:
    """A folder of this machine as objects."""
    client = boto3.client("s3")
    for path in folder.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), "amp", f"{prefix}/{path.relative_to(folder).as_posix()}")


def objects(prefix: str) -> dict[str, bytes]:
    """Every object below a prefix."""
    found = boto3.resource("s3").Bucket("amp").objects.filter(Prefix=f"{prefix}/")
    return {each.key.removeprefix(f"{prefix}/"): each.get()["Body"].read() for each in found}


def on_disk(home: Path) -> dict[str, bytes]:
    """The files of the local build that do not say where it stands."""
    build = home / "build"
    files = (path for path in build.rglob("*") if path.is_file())
    found = {path.relative_to(build).as_posix(): path.read_bytes() for path in files}
    return {name: data for name, data in found.items() if name.startswith(SAME)}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A set, its manifest and its build, all on disk."""
    write_set(tmp_path / "set", 5)
    write_manifest(tmp_path / "amp.yaml", ["set"], splits="{train: 0.6, validation: 0.4}")
    amp.build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)
    return tmp_path


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_build_from_storage_to_storage_has_the_bytes_of_disk(home: Path, proxy: Proxy, jobs: int) -> None:
    """Also in worker processes; it is verified and loaded from there, and nothing temporary stays."""
    put(home / "set", "set")
    report = amp.build(home / "amp.yaml", sources=["s3://amp/set"], out="s3://amp/out", jobs=jobs)
    assert report.out == "s3://amp/out"
    there, here = objects("out"), on_disk(home)
    assert {name: data for name, data in there.items() if name.startswith(SAME)} == here
    assert not [name for name in there if ".amp-part" in name]
    checked = amp.verify("s3://amp/out", replay=2)
    assert not checked.findings
    assert checked.identical == 2
    loaded, local = amp.load("s3://amp/out"), amp.load(home / "build")
    for split, rows in local.items():
        assert list(loaded[split].remove_columns("image")) == list(rows.remove_columns("image"))
        assert loaded[split][0]["image"].tobytes() == rows[0]["image"].tobytes()


def test_loading_fetches_an_image_when_it_is_shown(home: Path, proxy: Proxy) -> None:
    """Rows and ledger come at once, the images one by one."""
    put(home / "build", "out")
    proxy.requests.clear()
    rows = amp.load("s3://amp/out")["train"]
    assert not [line for line in proxy.requests if line.startswith("GET") and ".jpg" in line]
    assert rows[0]["image"].size == (rows[0]["width"], rows[0]["height"])
    assert len([line for line in proxy.requests if line.startswith("GET") and ".jpg" in line]) == 1


def test_a_changed_object_is_found(home: Path, proxy: Proxy) -> None:
    """A copy of before does not hide what the storage holds now."""
    put(home / "build", "out")
    assert not amp.verify("s3://amp/out").findings
    name = next(name for name in objects("out") if name.endswith(".txt"))
    boto3.client("s3").put_object(Bucket="amp", Key=f"out/{name}", Body=b"0 0.5 0.5 0.1 0.1\n")
    assert name in {finding.file for finding in amp.verify("s3://amp/out").findings}


def test_passing_faults_are_tried_again(home: Path, proxy: Proxy) -> None:
    """503s, answers that break off and connections that are cut, in reading and in writing."""
    put(home / "set", "set")
    proxy.faults += [("list-type", "503", 1), (".jpg", "503", 3), ("GET /amp/set", "cut", 3), ("PUT", "503", 3)]
    amp.build(home / "amp.yaml", sources=["s3://amp/set"], out="s3://amp/out", jobs=1)
    assert {name: data for name, data in objects("out").items() if name.startswith(SAME)} == on_disk(home)
    assert not any(times for _, _, times in proxy.faults)


def test_a_storage_that_stays_down_is_an_error_and_nothing_shows(home: Path, proxy: Proxy) -> None:
    """The old build stands while the new one is uploaded; where it cannot be finished there is no lock."""
    amp.build(home / "amp.yaml", out="s3://amp/out", jobs=1)
    before = objects("out")
    proxy.faults.append(("PUT /amp/out/.amp-part", "503", -1))
    with pytest.raises(UnreadableError, match="does not answer") as error:
        amp.build(home / "amp.yaml", out="s3://amp/out", jobs=1, settings=["seed=8"])
    assert "s3://amp/out/.amp-part" in str(error.value.where)
    proxy.faults.clear()
    assert {name: data for name, data in objects("out").items() if ".amp-part" not in name} == before
    assert not [f for f in amp.verify("s3://amp/out").findings if f.rule != "not ours"]
    amp.build(home / "amp.yaml", out="s3://amp/out", jobs=1, settings=["seed=8"])
    assert not amp.verify("s3://amp/out").findings
    assert objects("out").keys() == before.keys()


def test_cut_off_while_taking_its_place_it_is_no_build(home: Path, proxy: Proxy) -> None:
    """The lock is the last to come, and the next run finishes."""
    proxy.faults.append(("PUT /amp/out/labels", "503", -1))
    with pytest.raises(AmpError):
        amp.build(home / "amp.yaml", out="s3://amp/out", jobs=1)
    assert "amp.lock.json" not in objects("out")
    with pytest.raises(AmpError):
        amp.load("s3://amp/out")
    proxy.faults.clear()
    amp.build(home / "amp.yaml", out="s3://amp/out", jobs=1)
    assert not amp.verify("s3://amp/out").findings


def test_a_slow_reader_ends_in_an_error(home: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for, but not for ever."""
    put(home / "set", "set")
    monkeypatch.setattr(remote, "TIMEOUT_S", 0.5)
    monkeypatch.setattr(remote, "TRIES", 2)
    remote._file_system.cache_clear()
    proxy.faults.append(("GET /amp/set", "slow", -1))
    with pytest.raises(AmpError, match="does not answer"):
        amp.build(home / "amp.yaml", sources=["s3://amp/set"], out=home / "other", jobs=1)
    assert not (home / "other").exists()


def test_what_is_not_there_is_told(home: Path, proxy: Proxy) -> None:
    """A bucket or folder that is gone, as source, as target and to load."""
    for address in ("s3://gone/set", "s3://amp/nothing"):
        with pytest.raises(SourceError, match="nothing here") as error:
            amp.build(home / "amp.yaml", sources=[address], out=home / "other", jobs=1)
        assert address in str(error.value.where)
        with pytest.raises(SourceError, match="nothing here"):
            amp.load(address)
    with pytest.raises(AmpError):
        amp.build(home / "amp.yaml", out="s3://gone/out", jobs=1)


def test_missing_credentials_are_told(home: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, with what to do."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    remote._file_system.cache_clear()
    with pytest.raises(AmpError, match=r"refuses|nothing here") as error:
        amp.build(home / "amp.yaml", sources=["s3://amp/set"], out=home / "other", jobs=1)
    assert error.value.fix


PUBLISH = "import sys; from amp_datasets.cli import run; sys.exit(run(sys.argv[1:]))"


def test_a_build_there_is_published(home: Path, proxy: Proxy, tmp_path: Path) -> None:
    """To the hub: the images of the storage, in parquet."""
    put(home / "build", "out")
    with hub_server() as hub:
        settings = {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "hub"),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_TOKEN": "hf_dummy",
            "NO_PROXY": "127.0.0.1",
        }
        command = [sys.executable, "-c", PUBLISH, "publish", "s3://amp/out", "--repo", "me/out"]
        done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        files = hub.repos["me/out"].commits[-1]
    tables = [pq.read_table(io.BytesIO(data)) for name, data in files.items() if name.startswith("data/")]
    found = {image["path"]: image["bytes"] for table in tables for image in table["image"].to_pylist()}
    assert found == {path.name: path.read_bytes() for path in (home / "build" / "images").rglob("*.jpg")}


def test_a_prefix_that_is_no_build_is_left_alone(home: Path, proxy: Proxy) -> None:
    """As a folder with somebody's files is."""
    boto3.client("s3").put_object(Bucket="amp", Key="mine/notes.txt", Body=b"x")
    with pytest.raises(BuildError, match="not a build"):
        amp.build(home / "amp.yaml", out="s3://amp/mine", jobs=1)
    assert objects("mine") == {"notes.txt": b"x"}


def test_a_rebuild_keeps_what_is_not_ours(home: Path, proxy: Proxy) -> None:
    """And removes what the old build had and the new one has not."""
    amp.build(home / "amp.yaml", out="s3://amp/out", jobs=1)
    boto3.client("s3").put_object(Bucket="amp", Key="out/notes.txt", Body=b"x")
    first = objects("out").keys()
    amp.build(home / "amp.yaml", out="s3://amp/out", jobs=1, settings=["originals=false"])
    second = objects("out").keys()
    assert "notes.txt" in second
    assert second < first
    assert [f.rule for f in amp.verify("s3://amp/out").findings] == []
    mine = min(name for name in first - second if name.startswith("images/"))
    boto3.client("s3").put_object(Bucket="amp", Key=f"out/{mine}", Body=b"mine")
    with pytest.raises(BuildError, match="files that no build made"):
        amp.build(home / "amp.yaml", out="s3://amp/out", jobs=1)
    assert objects("out")[mine] == b"mine"


def test_file_addresses_are_paths_of_this_machine(home: Path, tmp_path: Path) -> None:
    """`file://` names a mount, in sources and to load."""
    amp.build(home / "amp.yaml", sources=[f"file://{home}/set"], out=tmp_path / "other", jobs=1)
    own = {name: sha for name, sha in tree(home / "build").items() if name.startswith(SAME)}
    assert {name: sha for name, sha in tree(tmp_path / "other").items() if name.startswith(SAME)} == own
    assert len(amp.load(f"file://{home}/build")["train"]) == len(amp.load(home / "build")["train"])


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("s3://bucket/a/b", "s3://bucket/a/b"),
        (Path("s3://bucket/a/b"), "s3://bucket/a/b"),
        ("gs://bucket/a/", "gs://bucket/a"),
        ("photos/s3", None),
        ("hf://datasets/a/b", "hf://datasets/a/b"),
        ("file:///data", None),
    ],
)
def test_addresses_are_known_by_their_words(path: Any, address: str | None) -> None:
    """Also after `Path` has taken a slash out."""
    assert remote.address_of(path) == address
