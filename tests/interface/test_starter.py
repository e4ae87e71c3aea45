"""The first manifest: valid as it is written, whatever the set and its names are."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from builders import write_files
from small_builds import tree, write_set

from amp_datasets.building.api import build
from amp_datasets.errors import AmpError, ManifestError, SourceError
from amp_datasets.interface.starter import init
from amp_datasets.manifest.load import load_manifest
from amp_datasets.plugin.discovery import load_registry

HEAD = "filename,width,height,class,xmin,ymin,xmax,ymax\n"


def test_it_builds_at_once(tmp_path: Path) -> None:
    """One untouched image and twenty variants for each in the training split."""
    write_set(tmp_path / "set", 2)
    path = init([str(tmp_path / "set")], tmp_path / "amp.yaml", name="drums").manifest
    report = build(path, out=tmp_path / "build", jobs=1)
    assert (report.originals, report.variants, report.splits) == (2, 40, {"train": 42})


@pytest.mark.parametrize("name", ["drums", "null", "12", "yes", "1e5", "日本", "a b", None])
def test_names_stay_text(tmp_path: Path, name: str | None) -> None:
    """YAML has its own idea of some words."""
    manifest = load_manifest(init([], tmp_path / "12" / "amp.yaml", name=name).manifest, load_registry())
    assert manifest.name == (name or "12")


@pytest.mark.parametrize("folder", ["my set!", "__x__y", ".hidden", "a" * 200, "#1: drums"])
def test_a_folders_name_becomes_one_that_is_allowed(tmp_path: Path, folder: str) -> None:
    """Whatever stands in it."""
    assert load_manifest(init([], tmp_path / folder / "amp.yaml").manifest, load_registry()).name


def test_a_name_that_is_none_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """With its place in the file that would have been."""
    with pytest.raises(ManifestError, match="a name has letters"):
        init([], tmp_path / "new" / "amp.yaml", name="a/b")
    assert list(tmp_path.iterdir()) == []


def test_classes_of_all_sources_are_listed_once_in_order(tmp_path: Path) -> None:
    """With any characters."""
    names = {"one": ["Zürich: #1", 'quo"te'], "two": ["null", "Zürich: #1"]}
    for folder, listed in names.items():
        rows = "".join(f'{n}.jpg,64,48,"{c.replace(chr(34), chr(34) * 2)}",5,6,25,36\n' for n, c in enumerate(listed))
        write_files(tmp_path / folder, {"0.jpg": "", "1.jpg": "", "labels.csv": HEAD + rows})
    sources = [str(tmp_path / folder) for folder in names]
    manifest = load_manifest(init(sources, tmp_path / "amp.yaml").manifest, load_registry())
    assert list(manifest.classes or ()) == ["Zürich: #1", 'quo"te', "null"]
    assert [source.path for source in manifest.sources] == sources


def test_source_paths_are_relative_to_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the folder can be moved as a whole."""
    write_set(tmp_path / "data" / "set", 1)
    monkeypatch.chdir(tmp_path / "data")
    init(["set"], tmp_path / "work" / "amp.yaml")
    assert yaml.safe_load((tmp_path / "work" / "amp.yaml").read_text())["sources"] == ["../data/set"]


def test_an_existing_manifest_is_left_alone(tmp_path: Path) -> None:
    """Not even the schema beside it is written."""
    (tmp_path / "amp.yaml").write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(ManifestError, match="there is a manifest already"):
        init([], tmp_path / "amp.yaml")
    assert tree(tmp_path) == before


def test_a_source_that_cannot_be_read_leaves_nothing(tmp_path: Path) -> None:
    """The new folder neither."""
    with pytest.raises(SourceError, match="the source is missing"):
        init([str(tmp_path / "set")], tmp_path / "new" / "amp.yaml")
    assert list(tmp_path.iterdir()) == []


def test_the_schema_beside_it_accepts_it_and_refuses_mistakes(tmp_path: Path) -> None:
    """What an editor shows is what the build says."""
    path = init([], tmp_path / "amp.yaml", name="drums").manifest
    schema = json.loads((tmp_path / "amp.schema.json").read_text())
    document = yaml.safe_load(path.read_text())
    jsonschema.validate(document, schema)
    assert path.read_text().startswith("# yaml-language-server: $schema=./amp.schema.json\n")
    for key, value in (("filtres", {}), ("filters", {"blur": {"sigma": -1}})):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**document, key: value}, schema)
        path.write_text(yaml.safe_dump({**document, key: value}))
        with pytest.raises(AmpError):
            load_manifest(path, load_registry())


def test_it_never_lies_among_the_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Called from inside the set it goes beside it; told to write into it, it refuses."""
    write_set(tmp_path / "set", 1)
    before = tree(tmp_path / "set")
    monkeypatch.chdir(tmp_path / "set")
    assert init(["."]).manifest == tmp_path / "amp.yaml"
    with pytest.raises(ManifestError, match="among the images"):
        init(["."], tmp_path / "set" / "amp.yaml")
    assert tree(tmp_path / "set") == before


def test_splits_of_the_set_are_kept(tmp_path: Path) -> None:
    """Shares are written only where the set has no splits."""
    write_files(tmp_path / "flat", {"a.jpg": "", "labels.csv": HEAD + "a.jpg,64,48,drum,5,6,25,36\n"})
    for split in ("train", "valid"):
        rows = "a.jpg,64,48,drum,5,6,25,36\n"
        write_files(tmp_path / "split" / split, {"a.jpg": "", "labels.csv": HEAD + rows})
    written = {
        name: yaml.safe_load(init([str(tmp_path / name)], tmp_path / f"{name}.yaml").manifest.read_text())
        for name in ("flat", "split")
    }
    assert written["split"]["splits"] == "keep"
    assert sum(written["flat"]["splits"].values()) == pytest.approx(1)
