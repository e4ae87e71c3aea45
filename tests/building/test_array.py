"""A build in numbered parts, for any scheduler: the plain build byte for byte, or an error that names what is wrong."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from small_builds import rebuild, tree, write_manifest, write_set

import amp_datasets as amp
from amp_datasets.building.assemble import Layout
from amp_datasets.building.engines import array, versions
from amp_datasets.errors import AmpError, BuildError

DOCS = Path(__file__).parents[2] / "docs" / "scale.md"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A set of nine images and its manifest."""
    write_set(tmp_path / "set", 9)
    write_manifest(tmp_path / "amp.yaml", ["set"], splits="{train: 0.6, validation: 0.4}")
    return tmp_path


def parts(home: Path, count: int) -> Path:
    """All parts, in an order that nobody planned, put together."""
    out = home / "parts"
    amp.build(home / "amp.yaml", out=out, shards=count)
    for number in reversed(range(1, count + 1)):
        amp.build(home / "amp.yaml", out=out, shard=f"{number}/{count}", jobs=1)
    amp.build(home / "amp.yaml", out=out, finish=True, jobs=1)
    return out


@pytest.mark.parametrize("count", [1, 3, 20])
def test_parts_are_the_plain_build(home: Path, count: int) -> None:
    """Every file, however many parts there are, also more than images."""
    rebuild(home)
    out = parts(home, count)
    assert tree(out) == tree(home / "build")
    assert not amp.verify(out).findings
    assert not [path.name for path in home.iterdir() if path.name.startswith(".")]


def test_a_part_that_was_cut_off_goes_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Finished shards of a part stay; run again it makes those that are missing."""
    amp.build(home / "amp.yaml", out=home / "parts", shards=2)
    made = []
    real = array.make_shard

    def dies(setup: object, tasks: object, path: Path) -> int:
        made.append(path.name)
        if len(made) == 2:
            raise KeyboardInterrupt
        return real(setup, tasks, path)  # type: ignore[arg-type]

    monkeypatch.setattr(array, "make_shard", dies)
    with pytest.raises(KeyboardInterrupt):
        amp.build(home / "amp.yaml", out=home / "parts", shard="1/2", jobs=1)
    report = amp.build(home / "amp.yaml", out=home / "parts", shard="1/2", jobs=1)
    assert len(made) == len(set(made)) + 1
    assert report.sources > 1
    amp.build(home / "amp.yaml", out=home / "parts", shard="2/2", jobs=1)
    amp.build(home / "amp.yaml", out=home / "parts", finish=True, jobs=1)
    rebuild(home)
    assert tree(home / "parts") == tree(home / "build")


def test_missing_parts_are_named_and_the_others_kept(home: Path) -> None:
    """Finishing too early says which parts to run, and a later finish finds the rest as it was."""
    amp.build(home / "amp.yaml", out=home / "parts", shards=3)
    amp.build(home / "amp.yaml", out=home / "parts", shard="2/3", jobs=1)
    with pytest.raises(BuildError, match=r"2 of 3 shards are not finished: 1, 3") as error:
        amp.build(home / "amp.yaml", out=home / "parts", finish=True)
    assert "--shard 1/3" in str(error.value.fix)
    assert not (home / "parts").exists()
    for number in (1, 3):
        amp.build(home / "amp.yaml", out=home / "parts", shard=f"{number}/3", jobs=1)
    assert amp.build(home / "amp.yaml", out=home / "parts", finish=True, jobs=1).variants


def test_a_finish_that_breaks_can_be_repeated(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the parts have made is put back where the next finish looks for it."""
    from amp_datasets.building.assemble import Layout

    amp.build(home / "amp.yaml", out=home / "parts", shards=1)
    amp.build(home / "amp.yaml", out=home / "parts", shard="1/1", jobs=1)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Layout, "seal", full)
        with pytest.raises(BuildError, match="No space left"):
            amp.build(home / "amp.yaml", out=home / "parts", finish=True, jobs=1)
    amp.build(home / "amp.yaml", out=home / "parts", finish=True, jobs=1)
    rebuild(home)
    assert tree(home / "parts") == tree(home / "build")


@pytest.mark.parametrize("moment", ["lay_out", "seal"])
def test_a_finish_that_was_killed_can_be_repeated(home: Path, moment: str) -> None:
    """Without a chance to put anything back: no part has to be run again."""
    rebuild(home)
    amp.build(home / "amp.yaml", out=home / "parts", shards=2)
    for part in ("1/2", "2/2"):
        amp.build(home / "amp.yaml", out=home / "parts", shard=part, jobs=1)
    pid = os.fork()
    if pid == 0:
        setattr(Layout, moment, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
        amp.build(home / "amp.yaml", out=home / "parts", finish=True, jobs=1)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    assert not (home / "parts").exists()
    amp.build(home / "amp.yaml", out=home / "parts", finish=True, jobs=1)
    assert tree(home / "parts") == tree(home / "build")
    assert not list(home.glob(".parts*"))


def test_other_versions_settings_and_sources_are_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part or a finish that would not give the planned bytes says what is other than it was."""
    out, manifest = home / "parts", home / "amp.yaml"
    amp.build(manifest, out=out, shards=2)
    known = versions.library_versions()
    with monkeypatch.context() as patch:
        patch.setattr(versions, "library_versions", lambda: {**known, "numpy": "0.1"})
        with pytest.raises(BuildError, match=r"other versions: numpy was .*, is 0\.1"):
            amp.build(manifest, out=out, shard="1/2")
    with pytest.raises(BuildError, match="planned in 2 shards, not in 3"):
        amp.build(manifest, out=out, shard="1/3")
    for number in (1, 2):
        amp.build(manifest, out=out, shard=f"{number}/2", jobs=1)
    with pytest.raises(BuildError, match="not those that were planned"):
        amp.build(manifest, out=out, finish=True, settings=["seed=8"])
    source = next((home / "set").rglob("*.txt"), None) or next((home / "set").rglob("*.json"))
    source.write_bytes(source.read_bytes().replace(b"0.5", b"0.4").replace(b"1", b"2"))
    with pytest.raises(AmpError):
        amp.build(manifest, out=out, finish=True)


def test_a_source_that_changed_since_the_plan_is_an_error(home: Path) -> None:
    """A part never makes variants of another image than was planned."""
    amp.build(home / "amp.yaml", out=home / "parts", shards=1)
    image = next((home / "set").rglob("*.jpg"))
    image.write_bytes(image.read_bytes() + b"more")
    with pytest.raises(BuildError, match="chang"):
        amp.build(home / "amp.yaml", out=home / "parts", shard="1/1", jobs=1)


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "a/b", "1/0", "-1/3"])
def test_a_shard_that_is_none_is_refused(home: Path, shard: str) -> None:
    """With an example of how to name one."""
    with pytest.raises(BuildError, match="names no shard") as error:
        amp.build(home / "amp.yaml", out=home / "parts", shard=shard)
    assert "3/16" in str(error.value.fix)


def test_without_a_plan_nothing_is_made(home: Path) -> None:
    """Neither a part nor a finish; and the ways of building do not mix."""
    for way in ({"shard": "1/2"}, {"finish": True}):
        with pytest.raises(BuildError, match="no shards are planned"):
            amp.build(home / "amp.yaml", out=home / "parts", **way)  # type: ignore[arg-type]
    with pytest.raises(BuildError, match="do not go together"):
        amp.build(home / "amp.yaml", out=home / "parts", shards=2, finish=True)
    with pytest.raises(BuildError, match="lazy"):
        amp.build(home / "amp.yaml", out=home / "parts", shards=2, lazy=True)


@pytest.mark.skipif(os.name != "posix", reason="modes of folders")
def test_a_plan_that_others_may_write_is_refused(home: Path) -> None:
    """It says what is read and where is written."""
    amp.build(home / "amp.yaml", out=home / "parts", shards=1)
    (home / ".parts.amp-shards").chmod(0o777)
    with pytest.raises(BuildError, match="none of yours"):
        amp.build(home / "amp.yaml", out=home / "parts", shard="1/1")


SBATCH = """#!/bin/sh
# Runs what it is given at once: an array as local processes, all at the same time.
case "$*" in
*--wrap*) for last; do :; done; sh -c "$last" ;;
*) for id in 1 2 3 4; do SLURM_ARRAY_TASK_ID=$id SLURM_CPUS_PER_TASK=1 sh build.sbatch & pids="$pids $!"; done
   for pid in $pids; do wait "$pid" || exit 1; done; echo 1 ;;
esac
"""


def test_the_array_of_the_docs_runs(home: Path) -> None:
    """The scripts that docs/scale.md shows, with processes of this machine in place of Slurm's nodes."""
    script, submit = re.findall(r"```bash\n(#!/bin/sh.*?|amp build.*?sbatch.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    (home / "build.sbatch").write_text(script.replace("16", "4"))
    (home / "bin").mkdir()
    (home / "bin" / "sbatch").write_text(SBATCH)
    (home / "bin" / "sbatch").chmod(0o755)
    where = os.pathsep.join([str(home / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["sh", "-e", "-c", submit.replace("16", "4")],
        cwd=home, env={**os.environ, "PATH": where}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = tree(home / "build")
    rebuild(home)
    assert found == tree(home / "build")
