"""What a person or script at the command line gets: data on stdout, reasons and remedies on stderr, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import pytest
from builders import write_files
from small_builds import tree, write_manifest, write_set
from typer.testing import CliRunner

from amp_datasets.cli import app, run
from amp_datasets.cli.console import _PLAIN_INTERVAL_S, _PlainProgress
from amp_datasets.demo.write import write_demo

COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
WITH_JSON = sorted(set(COMMANDS) - {"schema"})


@dataclass(frozen=True)
class Said:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """All of stdout as one JSON document."""
        return json.loads(self.out)


Amp = Callable[..., Said]


@pytest.fixture
def amp(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Amp:
    """Runs commands in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AMP_DEBUG", raising=False)

    def call(*arguments: object) -> Said:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        return Said(code, *capfd.readouterr())

    return call


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """A manifest beside a small set."""
    write_set(tmp_path / "set", 2)
    return write_manifest(tmp_path / "amp.yaml", ["set"], "filters: {blur: {sigma: 1}}\n")


def hidden(folder: Path) -> list[str]:
    """Work folders that were left behind."""
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_an_example_that_names_the_command(command: str) -> None:
    """`-h` is the same as `--help`."""
    shown = [CliRunner().invoke(app, [command, flag]) for flag in ("--help", "-h")]
    assert [result.exit_code for result in shown] == [0, 0]
    assert shown[0].output == shown[1].output
    assert f"Example: amp {command}" in shown[0].output


@pytest.mark.parametrize("command", COMMANDS)
def test_options_in_an_example_exist(command: str) -> None:
    """An example that cannot be typed is worse than none."""
    registered = next(c for c in app.registered_commands if (c.name or getattr(c.callback, "__name__", "")) == command)
    words = str(registered.epilog).removeprefix("Example: ").split()
    text = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
    for word in words:
        if word.startswith("-"):
            assert f" {word} " in text.replace(",", " "), word


@pytest.mark.parametrize("command", WITH_JSON)
def test_a_wrong_option_is_an_error_like_every_other(amp: Amp, command: str) -> None:
    """For people on stderr; with --json as one document on stdout and nothing else anywhere."""
    said = amp(command, "--sauce")
    assert said.code == 2
    assert said.out == ""
    assert said.err.startswith("error: No such option: --sauce")
    assert f"{command} --help` shows what there is" in said.err
    asked = amp(command, "--sauce", "--json")
    assert (asked.code, asked.err) == (2, "")
    assert asked.document["errors"][0]["what"].startswith("No such option: --sauce")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["buld"], "No such command"),
        (["export", "set"], "--to"),
        (["build", "--limit", "0"], "--limit"),
        (["build", "-j", "0"], "--jobs"),
        (["build", "-j", "two"], "--jobs"),
    ],
)
def test_a_command_line_that_is_no_command_exits_2(amp: Amp, arguments: list[str], words: str) -> None:
    """Unknown commands, missing and impossible values."""
    said = amp(*arguments)
    assert (said.code, said.out) == (2, "")
    assert words in said.err


def test_no_command_shows_the_help(amp: Amp) -> None:
    """And exits 2: a script that forgot its command should notice."""
    said = amp()
    assert said.code == 2
    assert "Start with: amp build" in said.out + said.err


MANIFESTS = {
    "unknown key": ("sources: [set]\nfilter: {}\n", "bad.yaml:2:1", "did you mean `filters`?"),
    "unknown filter": ("sources: [set]\nfilters: {rotatoin: {}}\n", "bad.yaml:2:11", "did you mean `rotate`?"),
    "out of range": ("sources: [set]\nfilters: {blur: {sigma: -3}}\n", "bad.yaml:2:18", "sigma"),
    "no YAML": ("sources: [set\n", "bad.yaml:2:1", ""),
    "a list": ("- set\n", "bad.yaml:1:1", "a manifest is a map of settings"),
    "no source": ("filters: {blur: {}}\n", "bad.yaml", "--source PATH"),
    "nothing to make": ("sources: [set]\noriginals: false\n", "bad.yaml", "originals: true"),
    "missing folder": ("sources: [sett]\nfilters: {blur: {}}\n", "sett", "check the path"),
    "unknown format": ("sources: [{path: set, format: cocoo}]\nfilters: {blur: {}}\n", "", "did you mean `coco`?"),
    "wrong format": ("sources: [{path: set, format: voc}]\nfilters: {blur: {}}\n", "", ""),
    "unknown export": ("sources: [set]\nexports: [coca]\nfilters: {blur: {}}\n", "bad.yaml:2:", "did you mean `coco`?"),
    "class not in classes": ("sources: [set]\nclasses: [fish]\nfilters: {blur: {}}\n", "", "unknown_classes"),
    "plugin missing": ("sources: [set]\nrequires: [mist]\nfilters: {blur: {}}\n", "bad.yaml:2:1", "--plugins-dir"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_bad_input_is_told_and_leaves_nothing(amp: Amp, tmp_path: Path, name: str) -> None:
    """What, where and how to repair it, exit 2, no traceback, no half-written build and no work folder."""
    text, where, fix = MANIFESTS[name]
    write_set(tmp_path / "set", 1)
    (tmp_path / "bad.yaml").write_text(text)
    before = tree(tmp_path)
    said = amp("build", "bad.yaml", "-o", "out", "-j", "1")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("error: ")
    assert where in said.err
    assert fix in said.err
    assert "Traceback" not in said.err
    assert tree(tmp_path) == before
    asked = amp("build", "bad.yaml", "-o", "out", "-j", "1", "--json")
    assert (asked.code, asked.err) == (2, "")
    assert {key for problem in asked.document["errors"] for key in problem} == {"what", "where", "fix"}


@pytest.mark.parametrize("kind", ["missing", "folder", "binary", "forbidden"])
def test_a_manifest_that_cannot_be_read_is_told(amp: Amp, tmp_path: Path, kind: str) -> None:
    """With its name, whatever stands in its place."""
    path = tmp_path / "amp.yaml"
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(b"\xff\xfe\x00name" if kind == "binary" else b"name: a\n")
    if kind == "forbidden":
        path.chmod(0)
        if os.access(path, os.R_OK):
            pytest.skip("this user may read everything")
    said = amp("build")
    assert (said.code, said.out) == (2, "")
    assert "amp.yaml" in said.err


def test_all_problems_of_a_manifest_are_told_at_once(amp: Amp, tmp_path: Path) -> None:
    """As many errors as there are mistakes, in the order of the file."""
    write_set(tmp_path / "set", 1)
    (tmp_path / "amp.yaml").write_text("sources: [set]\nsede: 1\nfilters:\n  blur: {sigma: -1}\n  flp: {}\n")
    said = amp("build", "--json")
    places = [problem["where"].partition("amp.yaml:")[2] for problem in said.document["errors"]]
    assert [place.partition(":")[0] for place in places] == ["2", "4", "5"]
    assert amp("build").err.count("error: ") == 3


def test_debugging_shows_the_traceback(amp: Amp, monkeypatch: pytest.MonkeyPatch) -> None:
    """AMP_DEBUG=1 is for those who repair amp."""
    monkeypatch.setenv("AMP_DEBUG", "1")
    with pytest.raises(Exception, match="the manifest is missing"):
        amp("build")


def test_an_error_of_ours_is_told_too(amp: Amp, monkeypatch: pytest.MonkeyPatch, drawn: Path) -> None:
    """A bug is no traceback either, and says how to report it; --json keeps its promise."""
    import amp_datasets.building.api

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(amp_datasets.building.api, "read", broken)
    said = amp("build")
    assert (said.code, said.out) == (2, "")
    assert "ZeroDivisionError: a bug" in said.err
    assert "AMP_DEBUG=1" in said.err
    assert "ZeroDivisionError" in amp("build", "--json").document["errors"][0]["what"]


def test_a_file_that_cannot_be_written_is_told(amp: Amp, tmp_path: Path) -> None:
    """What the system says, and of which file."""
    (tmp_path / "no").write_text("a file")
    said = amp("schema", "-o", tmp_path / "no" / "schema.json")
    assert said.code == 2
    assert "cannot be written: " in said.err
    assert "schema.json" in said.err


def test_init_then_build_then_check(amp: Amp, drawn: Path) -> None:
    """The first manifest builds as it is; every command names the next one on stderr."""
    drawn.unlink()
    begun = amp("init", "set", "--name", "drums")
    assert begun.code == 0
    assert "2 images, 7 labels" in begun.out
    assert "next: amp build amp.yaml" in begun.err
    made = amp("build", "-j", "1")
    assert made.code == 0
    assert " labels from 2 source images" in made.out
    assert "next: amp verify build" in made.err
    assert amp("verify", "build").code == 0
    again = amp("init", "set")
    assert (again.code, again.out) == (2, "")
    assert "there is a manifest already" in again.err


def test_settings_and_sources_replace_the_manifests(amp: Amp, drawn: Path, tmp_path: Path) -> None:
    """`-s` reaches into the manifest, `--source` is repeatable, `--limit` counts source images."""
    write_set(tmp_path / "other", 3, seed=5)
    (tmp_path / "elsewhere").mkdir()
    drawn.rename(tmp_path / "elsewhere" / "amp.yaml")
    both = ("--source", "set", "--source", "other")
    call = ("build", "elsewhere/amp.yaml", "-o", "out", "-j", "1", "--json")
    document = amp(*call, *both).document
    assert (document["sources"], document["variants"]) == (5, 5)
    document = amp(*call, *both, "--limit", "3", "-s", "originals=false", "-s", "filters.flip={}").document
    assert (document["sources"], document["originals"], document["variants"]) == (3, 0, 6)
    wrong = amp(*call, *both, "-s", "filters.blur.sigma=-1")
    assert wrong.code == 2
    assert "sigma" in wrong.document["errors"][0]["what"]
    assert amp(*call, *both, "-s", "originals").code == 2


def test_check_export_and_merge_take_the_options_of_the_format_that_they_read(amp: Amp, tmp_path: Path) -> None:
    """`--option` says the same to all three; one that the format does not know is an error which lists those it has."""
    xml = (
        "<annotation><filename>a.jpg</filename><object><name>cat</name><bndbox><xmin>25</xmin><ymin>13</ymin>"
        "<xmax>40</xmax><ymax>36</ymax></bndbox></object></annotation>"
    )
    write_files(tmp_path / "set", {"a.jpg": "", "a.xml": xml})
    counted = ("--option", "voc_origin=1")
    found = amp("check", "set", *counted, "--json").document["findings"]
    assert "boxes counted from 1 moved to pixel edges: as asked" in [each["what"] for each in found]
    assert amp("export", "set", "--to", "csv", "-o", "table", *counted).code == 0
    assert "24,12,40,36" in (tmp_path / "table/train/_annotations.csv").read_text()
    assert amp("merge", "set", "-o", "all", *counted).code == 0
    (boxes,) = (json.loads(file.read_text())["annotations"] for file in (tmp_path / "all/annotations").glob("*.json"))
    assert boxes[0]["bbox"] == [24, 12, 16, 24]
    for command in (("check", "set"), ("export", "set", "--to", "csv", "-o", "x"), ("merge", "set", "-o", "y")):
        said = amp(*command, "--option", "boxes=xyxy")
        assert said.code == 2
        assert "voc_origin" in said.err
    assert amp("check", "set", "--option", "voc_origin").code == 2


def test_a_dry_run_writes_nothing_and_says_what_would_be(amp: Amp, drawn: Path, tmp_path: Path) -> None:
    """Its numbers are those of the build that follows."""
    before = tree(tmp_path)
    planned = amp("build", "--dry-run", "--json").document
    assert tree(tmp_path) == before
    made = amp("build", "-j", "1", "--json").document
    same = ("sources", "originals", "variants", "splits", "dropped")
    assert {key: planned[key] for key in same} == {key: made[key] for key in same}


def test_a_target_that_is_no_build_is_never_touched(amp: Amp, drawn: Path, tmp_path: Path) -> None:
    """Neither a full folder nor a file nor a link."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("text")
    (tmp_path / "link").symlink_to(tmp_path / "full")
    before = tree(tmp_path)
    for target in ("full", "file", "link"):
        said = amp("build", "-o", target, "-j", "1")
        assert (said.code, said.out) == (2, "")
        assert "choose another -o" in said.err
    assert tree(tmp_path) == before


def test_bad_files_among_good_ones_are_counted_drops(amp: Amp, tmp_path: Path) -> None:
    """Labels on nothing, a truncated JPEG and a text named .jpg: ten good images are built, each drop says why."""
    write_demo(tmp_path / "set", images=13, size=(64, 48), layout="csv")
    images = {path.name: path for path in (tmp_path / "set").rglob("*.jpg")}
    labels = next((tmp_path / "set").rglob("*.csv"))
    rows = [row.split(",") for row in labels.read_text().splitlines()]
    beside = [[*row[:-4], "900", "900", "990", "990"] if row[0].endswith("demo_002.jpg") else row for row in rows]
    labels.write_text("\n".join(",".join(row) for row in beside))
    images["demo_005.jpg"].write_bytes(images["demo_005.jpg"].read_bytes()[:-500])
    images["demo_007.jpg"].write_text("this is no image")
    write_manifest(tmp_path / "amp.yaml", ["set"], "filters: {flip: {how: horizontal}, blur: {sigma: 1}}\n")
    said = amp("build", "-j", "1", "--json")
    assert said.code == 0
    assert (said.document["sources"], said.document["variants"]) == (10, 20)
    assert said.document["refused_variants"] == []
    whole = said.document["dropped"]
    assert [loss["reason"] for loss in said.document["unusable_labels"]] == ["box is outside the image"]
    assert "0x" not in json.dumps(said.document)  # no address in memory, which would be another in each run
    assert sum(loss["count"] for loss in whole) == 3
    why = {loss["reason"]: loss["examples"] for loss in whole}
    assert "demo_002.jpg" in why["no usable label"][0]
    assert "the file stops before the end of its image" in " ".join(why["image cannot be read"])
    assert {"demo_005.jpg", "demo_007.jpg"} == {
        example.partition(":")[0].rpartition("/")[2] for example in why["image cannot be read"]
    }
    text = amp("build", "-j", "1").out
    assert all(f"{len(examples)} x {reason}" in text for reason, examples in why.items())


def test_labels_without_images_and_images_without_labels_are_counted(amp: Amp, tmp_path: Path) -> None:
    """Neither is lost in silence nor ends the build."""
    rows = "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,64,48,cat,5,6,25,36\ngone.jpg,64,48,cat,5,6,25,36\n"
    write_files(tmp_path / "set", {"a.jpg": "", "bare.jpg": "", "labels.csv": rows})
    write_manifest(tmp_path / "amp.yaml", ["set"], "filters: {blur: {sigma: 1}}\n", splits="{train: 1}")
    document = amp("build", "-j", "1", "--json").document
    assert document["sources"] == 1
    told = {example.partition(":")[0]: loss["reason"] for loss in document["dropped"] for example in loss["examples"]}
    assert {name.rpartition("/")[2] for name in told} == {"gone.jpg", "bare.jpg"}


@pytest.mark.parametrize("more", [[], ["--lazy"]])
def test_a_build_without_an_image_is_told_and_leaves_nothing(amp: Amp, tmp_path: Path, more: list[str]) -> None:
    """Every image has a whole header and a broken body, which is seen only when it is decoded."""
    for image in write_set(tmp_path / "set", 2).rglob("*.jpg"):
        image.write_bytes(image.read_bytes()[:-500] + b"\xff\xd9")
    write_manifest(tmp_path / "amp.yaml", ["set"], "filters: {flip: {how: horizontal}}\n")
    before = tree(tmp_path)
    said = amp("build", "-j", "1", *more)
    assert (said.code, said.out) == (2, "")
    assert "not one image could be made" in said.err
    assert "2 x image cannot be decoded" in said.err
    assert "demo_001.jpg" in said.err
    assert tree(tmp_path) == before


def test_data_goes_to_stdout_and_nothing_else_does(amp: Amp, drawn: Path) -> None:
    """So that output can be piped."""
    assert "$schema" in amp("schema").document
    listed = amp("filters")
    assert any(line.startswith("blur ") for line in listed.out.splitlines())
    assert "next:" not in listed.out
    assert amp("filters", "blur", "--json").document["settings"]["sigma"]
    assert "opencv-python-headless" in amp("env", "--json").document
    assert amp("env").out.startswith("amp_datasets: ")
    assert "findings" in amp("check", "set", "--json").document
    assert amp("preview", "-o", "tiles.jpg", "--json").document["images"] > 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "nowhere", "--to", "coco", "-o", "out"),
        ("export", "set", "--to", "cocoo", "-o", "out"),
        ("merge", "nowhere", "-o", "out"),
        ("merge", "set", "-o", "out", "--like", "set"),
        ("verify", "set"),
        ("verify", "set", "--replay", "few"),
        ("replay", "set", "a.jpg", "-o", "again.jpg"),
        ("diff", "set", "set"),
        ("publish", "set", "--dry-run"),
        ("check", "nowhere"),
        ("preview", "nowhere.yaml"),
        ("init", "nowhere", "-o", "new.yaml"),
        ("filters", "blurr"),
        ("env", "--plugins-dir", "nowhere"),
    ],
    ids=lambda arguments: "-".join(arguments).replace("--", ""),
)
def test_failures_are_one_document_too(amp: Amp, drawn: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Every command with --json, and nothing is written."""
    before = tree(tmp_path)
    said = amp(*arguments, "--json")
    assert (said.code, said.err) == (2, "")
    assert said.document["errors"]
    assert amp(*arguments).out == ""
    assert tree(tmp_path) == before


def test_findings_exit_1(amp: Amp, drawn: Path, tmp_path: Path) -> None:
    """The command did its work and found something: of a set, of a build, between builds."""
    amp("build", "-j", "1")
    amp("build", "-j", "1", "-o", "other", "-s", "seed=9", "-s", "filters.rotate={degrees: [5, 15]}")
    assert amp("diff", "build", "build").code == 0
    differing = amp("diff", "build", "other", "--json")
    assert (differing.code, bool(differing.document)) == (1, True)
    next((tmp_path / "build" / "images" / "train").glob("*.jpg")).write_bytes(b"x")
    broken = amp("verify", "build", "--json")
    assert broken.code == 1
    assert broken.document["findings"]
    next((tmp_path / "set").rglob("*.jpg")).write_bytes(b"x")
    assert amp("check", "set").code == 1


def test_names_that_are_no_text_do_not_end_a_command() -> None:
    """Linux has file names that are no UTF-8; they are shown with escapes, which JSON knows too."""
    program = [sys.executable, "-m", "amp_datasets", "filters", os.fsdecode(b"caf\xe9"), "--json"]
    done = subprocess.run(program, capture_output=True, env={**os.environ, "PYTHONUTF8": "1"}, check=False)
    assert done.returncode == 2, done.stderr
    assert json.loads(done.stdout)["errors"][0]["what"] == "`caf\udce9` is not a filter"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_commands(shell: str) -> None:
    """The script that a shell asks for, and the answer to its question."""
    environment = {**os.environ, "_AMP_COMPLETE": f"source_{shell}"}
    program = [sys.executable, "-c", "import sys; sys.argv[0] = 'amp'; from amp_datasets.cli import main; main()"]
    script = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert "_AMP_COMPLETE" in script.stdout, script.stderr
    asked = {"_AMP_COMPLETE": f"complete_{shell}", "COMP_WORDS": "amp ex", "COMP_CWORD": "1"}
    asked |= {"_TYPER_COMPLETE_ARGS": "amp ex", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    answer = subprocess.run(program, env={**os.environ, **asked}, capture_output=True, text=True, check=False)
    assert "export" in answer.stdout, answer.stderr


SLOW_FILTER = """
import os, signal, sys
from pathlib import Path
from typing import Any, ClassVar
from amp_datasets.filtering.base import PixelFilter

class Slow(PixelFilter):
    '''Says that it runs, and goes on only when it may.'''
    name = "slow"
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({},)

    def apply(self, img, **params):
        print("the filter runs", file=sys.stderr, flush=True)
        if not Path(os.environ["AMP_TEST_GO"]).exists():
            signal.pause()
        return 255 - img

def register(registry):
    registry.add_filter(Slow)
"""


def test_ctrl_c_exits_130_and_the_next_run_completes(tmp_path: Path, drawn: Path) -> None:
    """Stopped in the middle of a filter; nothing stands at the target until all of it does, and nothing beside it."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "slow.py").write_text(SLOW_FILTER)
    command = [sys.executable, "-m", "amp_datasets", "build", "-s", "filters.slow={}", "--plugins-dir", "plugins"]
    go = tmp_path / "go"
    surroundings = {**os.environ, "AMP_TEST_GO": str(go)}
    process = subprocess.Popen(
        [*command, "-j", "2"], cwd=tmp_path, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert any("the filter runs" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "running the same command again goes on" in said
    assert "Traceback" not in said
    assert not (tmp_path / "build").exists()
    go.touch()
    done = subprocess.run([*command, "-j", "1"], cwd=tmp_path, env=surroundings, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "build" / "images").rglob("*.jpg"))) == 6
    assert hidden(tmp_path) == []


def test_progress_without_a_terminal_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One every ten seconds, on stderr."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    show = _PlainProgress()
    for step in range(25):
        now[0] = 100 + step
        show("making variants", step, 25)
    assert capsys.readouterr() == ("", "making variants: 10 of 25\nmaking variants: 20 of 25\n")
    assert _PLAIN_INTERVAL_S == 10


@pytest.mark.parametrize("number", ["²", "٣", "-1", "1e3", "9" * 30, ""])
def test_replay_takes_plain_numbers(amp: Amp, number: str) -> None:
    """What only looks like one is told."""
    said = amp("verify", "set", "--replay", number)
    assert said.code == 2
    assert "takes a number or `all`" in said.err


def test_an_output_that_is_closed_is_no_fault(tmp_path: Path) -> None:
    """Closed from the start, or after a line: no traceback."""
    start = f"{sys.executable} -m amp_datasets schema"
    for command in (f"{start} >&-", f"{start} 2>&-", f"{start} | true", f"{start} | head -n 1"):
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, cwd=tmp_path)
        assert "Traceback" not in done.stderr
        assert "should not have happened" not in done.stderr


def test_a_system_without_the_letters_of_a_name_is_told(tmp_path: Path) -> None:
    """An ASCII system, forced to stay one."""
    (tmp_path / "a.yaml").write_text("sources: [s\u00e9t]\nfilters: {flip: {}}\n", encoding="utf-8")
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "amp_datasets", "build", "a.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "should not have happened" not in done.stderr


def test_what_a_decoder_says_is_said_by_us_alone(tmp_path: Path) -> None:
    """One damaged deep TIFF among others: its name and reason are told once, without the library's own messages."""
    import numpy as np
    from PIL import Image

    (tmp_path / "set").mkdir()
    values = np.random.default_rng(0).integers(0, 2**16, (40, 50, 3), np.uint16)
    whole = bytes(cv2.imencode(".tif", values)[1])
    middle = len(whole) // 2
    spoilt = whole[:middle] + bytes(byte ^ 0x5A for byte in whole[middle : middle + 40]) + whole[middle + 40 :]
    (tmp_path / "set" / "deep.tif").write_bytes(spoilt)
    Image.new("RGB", (50, 40), (9, 200, 30)).save(tmp_path / "set" / "good.png")
    for name in ("deep", "good"):
        (tmp_path / "set" / f"{name}.txt").write_text("0 0.5 0.5 0.4 0.4\n", encoding="utf-8")
    (tmp_path / "set" / "classes.txt").write_text("cup\n", encoding="utf-8")
    write_manifest(tmp_path / "amp.yaml", ["set"], "filters: {flip: }\nlabels: {min_difference: 0}\n")
    command = [sys.executable, "-m", "amp_datasets", "build", "amp.yaml", "-o", "out", "-j", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "deep.tif" in done.stdout
    assert "ERROR:0" not in done.stderr
    assert "imdecode" not in done.stderr
