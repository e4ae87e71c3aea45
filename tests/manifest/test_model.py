"""A manifest is read as it is meant, and every mistake in it is told at once, at its place, with a way out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from amp_datasets.errors import AmpError, ManifestError
from amp_datasets.manifest.dump import manifest_document, manifest_text
from amp_datasets.manifest.load import load_manifest
from amp_datasets.manifest.model import Manifest
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.variants.recipe import Step

REGISTRY = load_registry()


@pytest.mark.parametrize("written", ["420", "'420'"])
def test_a_word_that_looks_like_a_number_is_one(written: str, tmp_path: Path) -> None:
    """YAML reads `420` as a number; the setting is the same, in the manifest and in a filter."""
    text = (
        f"encode: {{format: jpeg, subsampling: {written}}}\nfilters:\n  jpeg: {{quality: 20, subsampling: {written}}}\n"
    )
    manifest = load(tmp_path, text)
    assert manifest.encode.subsampling == "420"
    assert dict(manifest.variants()[0].steps[0].settings)["subsampling"] == "420"


def load(folder: Path, text: str, **options: list[str]) -> Manifest:
    """The manifest in a file with this text."""
    file = folder / "amp.yaml"
    file.write_text(text, encoding="utf-8")
    return load_manifest(file, REGISTRY, **options)  # type: ignore[arg-type]


def mistakes(folder: Path, text: str) -> list[tuple[str, str, str | None]]:
    """Line and column, what is wrong, and the way out, of every mistake."""
    with pytest.raises(ManifestError) as caught:
        load(folder, text)
    every: list[AmpError] = [caught.value, *caught.value.others]
    return [(str(each.where).removeprefix(f"{folder / 'amp.yaml'}:"), each.what, each.fix) for each in every]


ONE_MISTAKE = {
    "unknown key": ("name: a\nsede: 3\n", "2:1", "`sede` is not a setting here", "did you mean `seed`?"),
    "unknown key inside": ("labels:\n  outlin: rect\n", "2:3", "`outlin` is not a setting", "did you mean `outline`?"),
    "unknown key in a mix": ("mixes:\n  m:\n    steps: [blur]\n    copys: 2\n", "4:5", "`copys`", "`copies`"),
    "unknown key in a source": ("sources:\n  - path: a\n    formt: yolo\n", "3:5", "`formt`", "`format`"),
    "unknown key like nothing": ("zzzz: 3\n", "1:1", "`zzzz` is not a setting here", "amp schema"),
    "out of range": ("seed: -1\n", "1:1", "`seed`: must be at least 0 (got -1)", None),
    "out of range inside": ("labels: {drop_below: 2}\n", "1:10", "`labels.drop_below`: must be at most 1", None),
    "wrong type": ("name: [a]\n", "1:1", "`name`: must be text (got ['a'])", None),
    "not whole": ("seed: 1.5\n", "1:1", "`seed`: must be a whole number (got 1.5)", None),
    "section of wrong type": ("filters: 3\n", "1:1", "`filters`: must be a map", None),
    "sources of wrong type": ("sources: 5\n", "1:1", "`sources`: must be a list (got 5)", None),
    "source without path": ("sources:\n  - {format: yolo}\n", "2:5", "`path` is missing", None),
    "word of a few": ("unlabelled: emty\n", "1:1", "must be 'drop' or 'empty' (got 'emty')", "did you mean `empty`?"),
    "unknown filter": ("filters:\n  rotatoin: {}\n", "2:3", "`rotatoin` is not a filter", "did you mean `rotate`?"),
    "refused filter": ("filters:\n  albumentations.Rotate: {}\n", "2:3", "is refused", "use `rotate`"),
    "unknown setting": ("filters:\n  blur: {sgma: 3}\n", "2:10", "`blur` has no such setting", "did you mean `sigma`?"),
    "setting out of range": (
        "filters:\n  blur:\n    sigma: -3\n",
        "3:5",
        "`filters.blur.sigma`: must be at least",
        None,
    ),
    "settings no map": ("filters: {blur: 3}\n", "1:11", "settings of `blur` are a map", "write `blur: {sigma: 3}`"),
    "unknown filter in a mix": ("mixes: {m: [blur, blurr]}\n", "1:19", "`blurr` is not a filter", "`blur`"),
    "setting in a step": ("mixes:\n  m:\n    - flip\n    - blur: {sigma: 0}\n", "4:14", "mixes.m.1.blur.sigma", None),
    "setting in a long mix": ("mixes:\n  m:\n    steps: [blur: {sigma: 0}]\n", "3:20", "must be at least 0.5", None),
    "step of two filters": ("mixes: {m: [{blur: , flip: }]}\n", "1:13", "a step is a filter's name, or", None),
    "step of wrong type": ("mixes: {m: [3]}\n", "1:13", "a step is a filter's name, or", None),
    "no steps": ("mixes: {m: []}\n", "1:9", "needs at least 1 item", None),
    "more picked than there are": ("mixes: {m: {pick: 2, steps: [blur]}}\n", "1:9", "pick is 2, but there are", None),
    "filter and mix": ("filters: {blur: }\nmixes: {blur: [flip]}\n", "2:1", "`blur` is both a filter and a mix", None),
    "bad mix name": ("mixes: {a__b: [flip]}\n", "1:9", "single underscores", None),
    "shares": ("seed: 1\nsplits: {train: 0.5, test: 0.4}\n", "2:1", "add up to 0.9, not to 1", "70/20/10"),
    "share": ("splits: {train: 1.5}\n", "1:10", "`splits.train`: must be at most 1 (got 1.5)", "70/20/10"),
    "split name": (
        "splits: {validaton: 1}\n",
        "1:10",
        "must be 'train', 'validation' or 'test'",
        "did you mean `validation`?",
    ),
    "augmented split": (
        "augment: [validaton]\n",
        "1:11",
        "must be 'train', 'validation'",
        "did you mean `validation`?",
    ),
    "pattern": ("group_by: '('\n", "1:1", "this is not a regular expression", None),
    "pattern without group": ("group_by: abc\n", "1:1", "it needs one group in brackets", None),
    "limits crossed": ("labels: {min_visibility: 0.1, drop_below: 0.2}\n", "1:1", "must not be above", None),
    "outline of a class": ("labels: {outline: {a: square}}\n", "1:20", "must be 'ellipse' or 'rect'", None),
    "class is a number": ("classes: [a, 1]\n", "1:1", "a class name is text; put 1 in quotes", None),
    "class twice": ("classes: [a, b, a]\n", "1:1", "the class `a` is given twice", None),
    "alias of two": ("classes: {a: [x], b: [x]}\n", "1:1", "`x` cannot be both `a` and `b`", None),
    "alias is a class": ("classes: {a: [b], b: }\n", "1:1", "`b` cannot be both `b` and `a`", None),
    "alias is a number": ("classes: {a: [x, 3]}\n", "1:18", "`classes.a.1`: must be text (got 3)", None),
    "repository": ("hub: {repo: nope}\n", "1:7", "`hub.repo`: must match", None),
    "given twice": ("seed: 1\nseed: 2\n", "2:1", "`seed` is given twice", "remove one"),
    "anchor": ("name: &a x\n", "1:7", "no anchors, aliases or tags", "write the value out"),
    "tag": ("name: !!python/name:os.system\n", "1:7", "no anchors, aliases or tags", "write the value out"),
    "tab": ("labels:\n\toutline: rect\n", "2:1", "this is not YAML", "spaces, not tabs"),
    "a list": ("- a\n", "1:1", "a manifest is a map of settings", None),
    "a word": ("hello\n", "1:1", "a manifest is a map of settings", None),
}


@pytest.mark.parametrize(("text", "where", "what", "fix"), ONE_MISTAKE.values(), ids=ONE_MISTAKE)
def test_mistake_is_told_at_its_place(text: str, where: str, what: str, fix: str | None, tmp_path: Path) -> None:
    """One error for one mistake, at the line and column where it stands; a way out where one is known."""
    ((found_where, found_what, found_fix),) = mistakes(tmp_path, text)
    assert found_where == where
    assert what in found_what
    assert fix in str(found_fix) if fix is not None else found_fix is None


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Nobody repairs a file one error at a time."""
    text = "nam: x\nseed: -1\nfilters:\n  blur: {sigma: -3}\n  rotatoin:\nmixes:\n  m: {pick: 3, steps: [flip]}\n"
    text += "labels: {min_visibilty: 0.3, drop_below: 2}\n"
    assert [where for where, _, _ in mistakes(tmp_path, text)] == [
        "1:1", "2:1", "4:10", "5:3", "7:3", "8:10", "8:30",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "what"),
    [("exports: [cocoo]\n", "`cocoo` is not an export format"), ("exports: [voc]\n", "a layout of its own")],
)
def test_exports_must_fit_around_the_images(text: str, what: str, tmp_path: Path) -> None:
    """An unknown format, and one with a folder of its own, are told where they stand, with all other mistakes."""
    (where, found, fix), (other, _, _) = mistakes(tmp_path, text + "seed: -1\n")
    assert (where, other) == ("1:11", "2:1")
    assert what in found
    assert fix is not None


def test_required_plugin_must_be_there(tmp_path: Path) -> None:
    """A manifest may ask for a plugin, but never brings it along."""
    assert load(tmp_path, "requires: [blur]\n").requires == ("blur",)
    ((where, what, fix),) = mistakes(tmp_path, "seed: 1\nrequires: [glitter]\n")
    assert (where, what) == ("2:12", "the plugin `glitter` is required and not there")
    assert "--plugins-dir" in str(fix)


def test_shipped_manifests_go_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`amp build seed20` works wherever one is; a file of that name comes first, and another name stays an error."""
    monkeypatch.chdir(tmp_path)
    assert load_manifest(Path("seed20"), load_registry(), sources=["set"]).name == "seed20"
    Path("seed20").write_text("name: mine\n")
    assert load_manifest(Path("seed20"), load_registry()).name == "mine"
    with pytest.raises(ManifestError, match="the manifest is missing"):
        load_manifest(Path("seed21"), load_registry())


def test_empty_manifest_is_all_defaults(tmp_path: Path) -> None:
    """An empty file, one of comments, and one whose lists are commented out."""
    assert load(tmp_path, "") == load(tmp_path, "# nothing\n") == Manifest()
    assert load(tmp_path, "sources:\nfilters:\n#  blur:\nmixes:\n") == Manifest()


def test_filters_are_completed(tmp_path: Path) -> None:
    """What a filter is not told it takes from its defaults, in filters and in every form of a step."""
    manifest = load(tmp_path, "filters: {blur: }\nmixes:\n  m: [blur, blur: {sigma: 3}]\n  n: {steps: [blur: ]}\n")
    assert manifest.filters["blur"] == Step("blur", {"sigma": 2.5})
    assert manifest.mixes["m"].steps == (Step("blur", {"sigma": 2.5}), Step("blur", {"sigma": 3}))
    assert manifest.mixes["n"].steps == (Step("blur", {"sigma": 2.5}),)


def test_class_may_be_called_no(tmp_path: Path) -> None:
    """YAML 1.1 would make a truth value of it."""
    manifest = load(tmp_path, "classes: [no, {yes: [on, y]}, off]\n")
    assert manifest.classes == {"no": (), "yes": ("on", "y"), "off": ()}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[a, b]", {"a": (), "b": ()}),
        ("[a, {b: [c, d]}]", {"a": (), "b": ("c", "d")}),
        ("[a, b: c]", {"a": (), "b": ("c",)}),
        ("{a: , b: [c]}", {"a": (), "b": ("c",)}),
        ("[]", {}),
    ],
)
def test_classes_in_every_form(text: str, wanted: dict[str, tuple[str, ...]], tmp_path: Path) -> None:
    """A list, a map, or a list with maps; the order is that of the ids."""
    manifest = load(tmp_path, f"classes: {text}\n")
    assert manifest.classes is not None
    assert list(manifest.classes.items()) == list(wanted.items())


def test_json_is_a_manifest_too(tmp_path: Path) -> None:
    """With the same places for mistakes."""
    assert load(tmp_path, json.dumps({"seed": 3, "filters": {"blur": {"sigma": 3}}})).seed == 3
    ((where, what, _),) = mistakes(tmp_path, '{"seed": 3,\n "filters": {"blur": {"sigma": 0}}}')
    assert where == "2:23"
    assert "must be at least 0.5" in what


def test_settings_are_laid_over_the_file(tmp_path: Path) -> None:
    """`-s` changes one value, makes the way to it, and is checked like the file."""
    text = "seed: 1\nfilters: {blur: {sigma: 3}}\n"
    manifest = load(tmp_path, text, settings=["filters.blur.sigma=4", "labels.outline=rect", "classes=[no, on]"])
    assert manifest.filters["blur"].settings == {"sigma": 4}
    assert manifest.labels.outline == "rect"
    assert manifest.classes == {"no": (), "on": ()}
    for setting, what in (("filters.blur.sigma=0", "at least 0.5"), ("sede=3", "sede"), ("seed", "key=value")):
        with pytest.raises(ManifestError) as caught:
            load(tmp_path, text, settings=[setting])
        assert what in str(caught.value)
    with pytest.raises(ManifestError, match="has no settings of its own"):
        load(tmp_path, text, settings=["seed.x=1"])
    with pytest.raises(ManifestError, match="not YAML"):
        load(tmp_path, text, settings=["seed=[1"])


def test_sources_are_relative_to_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the command line to where one stands; absolute paths and hub names stay."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    text = "sources: [a, ../b, /c, 'hf://datasets/o/n', {path: d, format: yolo}]\n"
    paths = [source.path for source in load(tmp_path / "there", text).sources]
    there = (tmp_path / "there").resolve()
    assert paths == [str(there / "a"), str(there.parent / "b"), "/c", "hf://datasets/o/n", str(there / "d")]
    assert load(tmp_path / "there", text).sources[4].format == "yolo"
    given = load(tmp_path / "there", text, sources=["a", "/c"]).sources
    assert [source.path for source in given] == [str((tmp_path / "here" / "a").resolve()), "/c"]
    assert load(tmp_path / "there", "sources: a\n").sources[0].path == str(there / "a")


def test_manifest_is_written_so_that_it_is_read_the_same(tmp_path: Path) -> None:
    """All defaults filled in; loaded from the file it gives the same manifest."""
    (tmp_path / "build").mkdir()
    text = "sources: [a, {path: b, classes: {x: y}}]\nclasses: {no: [x], b: }\nfilters: {rotate: {degrees: [3, 9]}}\n"
    text += "mixes: {m: {copies: 3, pick: 1, steps: [flip, blur: {sigma: 2}]}}\nsplits: {train: 0.5, test: 0.5}\n"
    manifest = load(tmp_path, text)
    again = load(tmp_path / "build", manifest_text(manifest_document(manifest, tmp_path / "build")))
    assert again == manifest


def test_yaml_errors_of_the_library_are_not_shown(tmp_path: Path) -> None:
    """A broken file never shows a traceback's words."""
    ((_, what, _),) = mistakes(tmp_path, "a: 'x\n")
    assert "Error" not in what
    assert issubclass(ManifestError, AmpError)
    assert not issubclass(ManifestError, yaml.YAMLError)


def test_paths_of_the_command_line_start_at_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-s sources=[x]` and `--source x` are one place; paths in the manifest start at the manifest."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    manifest = tmp_path / "there" / "amp.yaml"
    manifest.write_text("sources: [mine, {path: other}]\nfilters: {flip: }\n")
    monkeypatch.chdir(tmp_path / "here")

    def paths(**given: Any) -> list[str]:
        return [source.path for source in load_manifest(manifest, load_registry(), **given).sources]

    assert paths() == [str(tmp_path / "there" / name) for name in ("mine", "other")]
    there = [str(tmp_path / "here" / "x")]
    assert paths(sources=["x"]) == there
    assert paths(settings=["sources=[x]"]) == there
    assert paths(settings=["sources=x"]) == there
    assert paths(settings=["sources=[{path: x, format: coco}]"]) == there
    assert paths(settings=["seed=3"]) == paths()


@pytest.mark.parametrize(
    ("encode", "words"),
    [
        ("{depth: 16}", "needs `format: png`"),
        ("{depth: 16, format: jpeg}", "needs `format: png`"),
        ("{depth: 12}", "8 or 16|16"),
        ("{alpha: keep, format: jpeg}", "holds no transparency"),
        ("{alpha: maybe}", "flatten"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_where_it_is_written(tmp_path: Path, encode: str, words: str) -> None:
    """Depth and transparency that would be lost without a word are mistakes of the manifest."""
    (tmp_path / "amp.yaml").write_text(f"sources: [a]\nfilters: {{flip: }}\nencode: {encode}\n")
    with pytest.raises(ManifestError, match=words):
        load_manifest(tmp_path / "amp.yaml", load_registry())


@pytest.mark.parametrize("values", ["[5, 5]", "[9, 1]", "[0, .inf]"])
def test_black_lies_below_white(tmp_path: Path, values: str) -> None:
    """A range that is none is a mistake of the manifest."""
    (tmp_path / "amp.yaml").write_text(f"sources: [{{path: a, values: {values}}}]\nfilters: {{flip: }}\n")
    with pytest.raises(ManifestError, match="values"):
        load_manifest(tmp_path / "amp.yaml", load_registry())
