"""Lazy sets: the build without its pixels, safe to take from a stranger."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_builds import ledger, rebuild, small_build, tree, write_manifest, write_set

import amp_datasets as amp
from amp_datasets.building.api import build
from amp_datasets.errors import AmpError, BuildError
from amp_datasets.images.codec import Limits
from amp_datasets.ledger.lock import read_lock, seal
from amp_datasets.ledger.schema import LEDGER_FILE, LOCK_FILE
from amp_datasets.loading.lazy import is_lazy, open_address, open_lazy, url_of
from amp_datasets.variants.seeding import Generators, Key

Row = dict[str, Any]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build and the lazy set of the same manifest. Read them, never write to them."""
    folder = tmp_path_factory.mktemp("lazy")
    small_build(folder, images=3)
    build(folder / "amp.yaml", out=folder / "lazy set", jobs=1, lazy=True)
    return folder


@pytest.fixture
def lazy(place: Path, tmp_path: Path) -> Path:
    """A lazy set that may be spoilt."""
    shutil.copytree(place / "lazy set", tmp_path / "copy")
    return tmp_path / "copy"


def forge(folder: Path, change: Callable[[Row], Row], lock: Callable[[Row], Row] = lambda lock: lock) -> None:
    """Rewrite ledger and lock as somebody does who knows how they are sealed."""
    old = read_lock(folder)
    table = pq.read_table(folder / LEDGER_FILE)
    rows = [change(row) for row in table.to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows), folder / LEDGER_FILE)
    (folder / LOCK_FILE).unlink()
    seal(folder, lock({key: value for key, value in old.items() if key not in {"files", "lock_digest"}}))


def first(folder: Path, spec: str = "original") -> bytes:
    """The file of the first image of a kind."""
    row = next(row for row in ledger(folder) if row["spec"] == spec)
    with fsspec.open(url_of(folder, row["split"], row["file_name"]), "rb") as file:
        return bytes(file.read())


def test_the_ledger_is_the_builds(place: Path) -> None:
    """To the last column; a lazy set says where its sources are besides."""
    rows = ledger(place / "lazy set")
    assert {row.pop("source_file") is not None for row in rows} == {True}
    assert rows == ledger(place / "build")


def test_it_is_small_and_holds_no_variant(place: Path) -> None:
    """The untouched sources are its only images."""
    images = {path.name for path in (place / "lazy set").rglob("*.jpg")}
    assert len(images) == 3
    assert len(list((place / "build").rglob("*.jpg"))) > 3 * len(images)
    assert is_lazy(place / "lazy set")
    assert not is_lazy(place / "build")
    assert not is_lazy(place / "set")


def test_it_loads_wherever_it_lies(place: Path, tmp_path: Path) -> None:
    """Moved away, without the sources and the manifest that it was made from, and under an odd name."""
    moved = tmp_path / "50% é #1 [x]" / "set"
    shutil.copytree(place / "lazy set", moved)
    made, rows = amp.load(place / "build")["train"], amp.load(moved)["train"]
    assert rows.features == made.features
    assert list(rows.remove_columns("image")) == list(made.remove_columns("image"))
    names = [row["file_name"] for row in ledger(place / "build")]
    for name in names:
        with fsspec.open(url_of(moved, "train", name), "rb") as file:
            assert file.read() == (place / "build" / "images" / "train" / name).read_bytes()
    assert rows[0]["image"].tobytes() == made[0]["image"].tobytes()


def test_a_process_of_its_own_opens_an_address(place: Path) -> None:
    """fsspec knows the protocol from the package's metadata: nothing of ours is imported before."""
    row = next(row for row in ledger(place / "build") if row["spec"] == "rotate")
    code = "import fsspec, hashlib, sys; print(hashlib.sha256(fsspec.open(sys.argv[1]).open().read()).hexdigest())"
    url = url_of(place / "lazy set", row["split"], row["file_name"])
    done = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == row["sha256"], done.stderr


def test_it_is_read_only_and_knows_its_names(place: Path) -> None:
    """As files that are made when they are opened."""
    row = ledger(place / "build")[0]
    url = url_of(place / "lazy set", row["split"], row["file_name"])
    with pytest.raises(PermissionError, match="read-only"):
        fsspec.open(url, "wb").open()
    for name in ("other.jpg", "../x.jpg", ""):
        with pytest.raises(FileNotFoundError):
            fsspec.open(url_of(place / "lazy set", row["split"], name), "rb").open()
    with pytest.raises(FileNotFoundError):
        fsspec.open("amp://nowhere", "rb").open()
    assert fsspec.filesystem("amp").info(url)["type"] == "file"


@pytest.mark.parametrize("kind", ["absolute", "climbing", "climbing inside", "windows", "drive", "archive"])
def test_a_set_from_elsewhere_cannot_open_files_of_this_machine(place: Path, lazy: Path, kind: str) -> None:
    """Even the very file that the ledger describes: what a row names must lie in the set's own folder."""
    wanted = sorted((lazy / "sources").iterdir())[0]
    outside = lazy.parent / "secret.jpg"
    shutil.copy(wanted, outside)
    shutil.make_archive(str(lazy.parent / "a"), "zip", lazy / "sources")
    names = {
        "absolute": [str(outside), None],
        "climbing": ["../secret.jpg", None],
        "climbing inside": ["sources/../../secret.jpg", None],
        "windows": ["..\\secret.jpg", None],
        "drive": ["C:secret.jpg", None],
        "archive": ["../a.zip", wanted.name],
    }
    forge(lazy, lambda row: {**row, "source_file": json.dumps(names[kind])})
    with pytest.raises(BuildError, match="names one outside of its folder"):
        first(lazy)
    forge(lazy, lambda row: row, lambda lock: {**lock, "planned": True, "root": "/"})
    with pytest.raises(BuildError, match="names one outside of its folder"):
        first(lazy)


@pytest.mark.parametrize("text", ["", "null", "[]", "[1, 2]", "{}", "[null, null]", '["a\\u0000b", null]', "[[], {}]"])
def test_an_odd_place_is_an_error_of_ours(lazy: Path, text: str) -> None:
    """Whatever a forged row says."""
    forge(lazy, lambda row: {**row, "source_file": text})
    with pytest.raises(AmpError):
        first(lazy)


def test_a_link_is_followed_to_the_file_with_the_ledgers_digest_only(lazy: Path) -> None:
    """The hub's cache is made of links; a link to another file gives nothing of it, a device is not even opened."""
    expected = first(lazy)
    (lazy.parent / "blobs").mkdir()
    for source in sorted((lazy / "sources").iterdir()):
        source.rename(lazy.parent / "blobs" / source.name)
        source.symlink_to(lazy.parent / "blobs" / source.name)
    assert first(lazy) == expected
    for target, words in (("/etc/hostname", "changed|lacks"), ("/dev/zero", "lacks a source"), ("gone", "lacks")):
        for source in (lazy / "sources").iterdir():
            source.unlink()
            source.symlink_to(target)
        with pytest.raises(AmpError, match=words):
            first(lazy)


def test_a_set_from_elsewhere_cannot_load_code(lazy: Path, tmp_path: Path) -> None:
    """A folder of plugins in its lock does not count."""
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef register(r): pass\n")

    def armed(lock: Row) -> Row:
        recipe = {**lock["recipe"], "plugin_dirs": [str(tmp_path / "evil")]}
        return {**lock, "recipe": recipe, "plugin_dirs": [str(tmp_path / "evil")]}

    forge(lazy, lambda row: row, armed)
    assert first(lazy)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("recipe", [{}, {"variants": 1}, {"variants": [{"name": "a"}]}, [], None, {"seed": "x"}])
def test_a_forged_recipe_is_an_error_of_ours(lazy: Path, recipe: Any) -> None:
    """Whatever stands in it."""
    forge(lazy, lambda row: row, lambda lock: {**lock, "recipe": recipe})
    with pytest.raises(AmpError):
        first(lazy)


def test_an_unknown_filter_in_a_recipe_is_told(lazy: Path) -> None:
    """The set needs a plugin that is not here."""

    def renamed(lock: Row) -> Row:
        return {
            **lock,
            "recipe": json.loads(json.dumps(lock["recipe"]).replace('"filter": "flip"', '"filter": "smoke"')),
        }

    forge(lazy, lambda row: row, renamed)
    with pytest.raises(AmpError, match="`smoke` is not a filter"):
        first(lazy, "flip")


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_shares_nothing_that_breaks(place: Path) -> None:
    """A set opened before the fork gives the same bytes in the child."""
    expected = first(place / "lazy set")
    child = os.fork()
    if child == 0:
        os._exit(0 if first(place / "lazy set") == expected else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_reading_leaves_the_set_as_it_was(place: Path) -> None:
    """Nothing is written beside the ledger."""
    before = tree(place / "lazy set")
    amp.load(place / "lazy set")["train"][1]
    assert tree(place / "lazy set") == before


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_every_image_is_the_built_file_however_many_threads_read(
    place: Path, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each thread draws from generators of its own; in a shuffled order, and each draw waits for the others'."""
    reseed = Generators.reseed

    def slowly(self: Generators, key: Key) -> None:
        reseed(self, key)
        time.sleep(0.001)  # another thread comes in between seed and draw

    monkeypatch.setattr(Generators, "reseed", slowly)
    rows = [row for row in ledger(place / "build") if row["status"] == "made"] * 2
    random.Random(threads).shuffle(rows)

    def same(row: Row) -> bool:
        data = open_address(url_of(place / "lazy set", row["split"], row["file_name"]))
        return data == (place / "build" / "images" / row["split"] / row["file_name"]).read_bytes()

    with ThreadPoolExecutor(threads) as pool:
        assert all(pool.map(same, rows))


def test_a_set_that_is_built_again_is_never_stale(tmp_path: Path) -> None:
    """In one process: what is loaded anew is the new set; rows of the old one refuse, for their labels are others."""
    write_set(tmp_path / "set", 2)
    seen = {}
    for seed in (1, 2):
        write_manifest(tmp_path / "amp.yaml", ["set"], seed=seed)
        build(tmp_path / "amp.yaml", out=tmp_path / "lazy", jobs=1, lazy=True)
        rebuild(tmp_path)
        seen[seed] = amp.load(tmp_path / "lazy")["train"]
        built = amp.load(tmp_path / "build")["train"]
        assert len(built) == len(seen[seed])
        for made, file in zip(seen[seed], built, strict=True):
            assert made["objects"] == file["objects"]
            assert made["image"].tobytes() == file["image"].tobytes()
    with pytest.raises(BuildError, match="built again since these rows were loaded"):
        seen[1][0]
    assert seen[2][0]["image"].size == (64, 48)


PLUGIN = '''
"""A filter of the user's."""

from typing import Any, ClassVar

from amp_datasets.filtering.base import PixelFilter, Settings


class Darker(PixelFilter):
    """Darker by a factor."""

    name: ClassVar[str] = "darker"
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({},)

    class InitSchema(Settings):
        """Settings."""

    def __init__(self, p: float = 1.0) -> None:
        super().__init__(p=p)

    def get_params(self) -> dict[str, Any]:
        return {}

    def apply(self, img, **_: Any):
        return img // 2


def register(registry):
    registry.add_filter(Darker)
'''


def test_an_image_that_is_not_made_as_it_was_is_an_error(tmp_path: Path) -> None:
    """An edited plugin is named; who wants what comes says so. In processes of their own: code is loaded once."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "darker.py").write_text(PLUGIN)
    write_set(tmp_path / "set", 1)
    write_manifest(tmp_path / "amp.yaml", ["set"], "filters: {darker: }\n")
    build(tmp_path / "amp.yaml", out=tmp_path / "lazy", jobs=1, lazy=True, plugin_dirs=[plugins])
    code = "import sys, amp_datasets as amp; amp.load(sys.argv[1], check=sys.argv[2] == '1')['train'][1]['image']"

    def read(check: str) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "-c", code, str(tmp_path / "lazy"), check]
        environment = {**os.environ, "AMP_PLUGINS_DIR": str(plugins)}
        return subprocess.run(program, env=environment, capture_output=True, text=True, check=False)

    assert read("1").returncode == 0, read("1").stderr
    (plugins / "darker.py").write_text(PLUGIN.replace("img // 2", "img // 3"))
    changed = read("1")
    assert "is not made as it was: the code of the filter `darker` changed" in changed.stderr
    assert "check=False" in changed.stderr
    assert read("0").returncode == 0, read("0").stderr


def test_what_an_image_may_cost_is_not_settled_by_a_stranger(lazy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits of a lock that this user did not write count only where they are below ours."""
    monkeypatch.setattr("amp_datasets.loading.lazy.is_ours", lambda _root, _lock: False)
    forge(lazy, lambda row: row, lambda lock: {**lock, "recipe": {**lock["recipe"], "max_pixels": 2**33}})
    assert open_lazy(lazy).remaker.limits == Limits()
    forge(lazy, lambda row: row, lambda lock: {**lock, "recipe": {**lock["recipe"], "max_pixels": 64}})
    with pytest.raises(AmpError, match="outside the limit of 64 pixels"):
        first(lazy)
