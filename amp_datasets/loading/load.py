"""Datasets for training code: from a build, from a lazy set, or straight from a manifest."""

from __future__ import annotations

import glob
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict, IterableDatasetDict, load_dataset

from amp_datasets.building.assemble import lock_of
from amp_datasets.building.choosing.prepared import Prepared
from amp_datasets.building.choosing.task import Task
from amp_datasets.building.engines.make import make
from amp_datasets.building.engines.process import borrowed
from amp_datasets.building.inputs import Order
from amp_datasets.building.plan import plan
from amp_datasets.building.prepare import prepare
from amp_datasets.building.workspace import is_build
from amp_datasets.errors import BuildError, nearest
from amp_datasets.images.codec import IMAGE_SUFFIXES
from amp_datasets.ledger.lock import read_lock, seal
from amp_datasets.ledger.samples import built_samples
from amp_datasets.ledger.schema import LEDGER_FILE, LOCK_FILE, read_ledger, write_ledger
from amp_datasets.loading.built import built_rows, has_rows
from amp_datasets.loading.images import checked
from amp_datasets.loading.lazy import categories_of, planned_sets, url_of
from amp_datasets.manifest.dump import manifest_document
from amp_datasets.manifest.model import HUB_PREFIX
from amp_datasets.model import SPLITS, LabelSet
from amp_datasets.rows.parquet_writer import labelled_rows
from amp_datasets.rows.schema import features, kinds_of
from amp_datasets.storage.remote import here
from amp_datasets.variants.recipe import digest

_MANIFEST_SUFFIXES = {".yaml", ".yml", ".json"}
_REPOSITORY = re.compile(r"[\w][\w.-]*/[\w.-]*[\w]", re.ASCII)


def load(
    path: str | Path,
    *,
    sources: Sequence[str | Path] = (),
    settings: Sequence[str] = (),
    streaming: bool = False,
    shards: int = 64,
    check: bool = True,
    exact: bool = True,
) -> DatasetDict | IterableDatasetDict:
    """The splits of a build, of a lazy set, or of a manifest, as typed datasets (ClassLabel, boxes in COCO's form).

        train = amp.load("build")["train"]         # what `amp build` wrote
        train = amp.load("amp.yaml")["train"]      # made as it is read
        amp.load("owner/name")                     # from the hub

    From a lazy set or a manifest every image is made when it is asked for, bit for bit as `amp build` writes it; for a
    manifest the parameters are sampled first (seconds for hundreds of sources) and kept in the cache of `datasets`.
    Plugins of your own are found through entry points or AMP_PLUGINS_DIR, in worker processes too.
    `streaming` gives iterable datasets, a lazy one cut into at most `shards`. An image of a lazy set that is not made
    as its ledger says (other versions of libraries, another processor) is an error unless `check` is False. Without
    `exact` its rows have the pixels of the filters, which are not encoded and decoded again: faster, with the same
    labels (a build's images are files, and stay what they are). Any other path is a dataset of the hub, `owner/name`.
    Only the formats that a build may hold are decoded. Raises AmpError on bad input.
    """
    if str(path).startswith(HUB_PREFIX):
        return _from_hub(str(path), streaming)
    place = here(path, whole=False, apart=IMAGE_SUFFIXES)
    if place.suffix.lower() in _MANIFEST_SUFFIXES and not place.is_dir():
        place = _planned(prepare(Order(place, sources, settings)))
    if is_build(place):
        lock = read_lock(place)
        if not lock["lazy"]:  # of a large build hundreds of thousands of label files, which nobody asks for here
            lock["files"] = {name: sha256 for name, sha256 in lock["files"].items() if name.startswith("images/")}
            return _built_splits(place, lock, streaming, shards)
        lazy = _lazy_splits(place, check, exact)
        return lazy if not streaming else _iterable(lazy, shards)
    if place.exists():
        raise BuildError("this is neither a build nor a manifest", where=place, fix="run `amp build`, and load its -o")
    return _from_hub(str(path), streaming)


def _built_splits(
    build: Path, lock: Mapping[str, Any], streaming: bool, shards: int
) -> DatasetDict | IterableDatasetDict:
    """The rows of a build: of its own files, whatever its card says, and no image outside of it is opened.

    A build without typed rows (exports without `hf`) gives its images alone, as `datasets` finds them. It alone would
    take any two folders of one name for the same set, so the content is named too.
    """
    if has_rows(build):
        rows = checked(built_rows(build, lock), build)
        return _iterable(rows, shards) if streaming else rows
    splits = [split for split in SPLITS if (build / "images" / split).is_dir()]
    folder = glob.escape(build.resolve().as_posix())
    files = {split: f"{folder}/images/{split}/**" for split in splits}
    content = f"{build.resolve()} {lock['lock_digest']}"
    return checked(load_dataset("imagefolder", data_files=files, streaming=streaming, description=content), build)


def _from_hub(name: str, streaming: bool) -> DatasetDict | IterableDatasetDict:
    """A dataset of the hub. What looks like a path of this machine is a typing error, and nothing is asked for it."""
    repository = name.removeprefix("hf://datasets/").partition("@")[0]
    folder = Path(name).expanduser().parent
    if not _REPOSITORY.fullmatch(repository) or (folder != Path() and folder.exists()):
        here = [path.name for path in folder.iterdir() if is_build(path)] if folder.is_dir() else []
        near = nearest(Path(name).name, here)
        fix = "give a build, a lazy set, a manifest, or a dataset of the hub as `owner/name`"
        raise BuildError(
            "there is nothing here", where=name, fix=fix if near is None else f"did you mean `{folder / near}`?"
        )
    try:
        revision = name.partition("@")[2] or None
        return checked(load_dataset(repository, streaming=streaming, revision=revision))
    except (OSError, ValueError, RuntimeError) as error:  # `datasets` has a dozen kinds of these
        told = (str(error) or type(error).__name__).splitlines()[0]
        fix = "check the name and the network; it is no folder or manifest of this machine"
        raise BuildError(f"the dataset cannot be loaded from the hub: {told}", where=name, fix=fix) from error


def _iterable(splits: DatasetDict, shards: int) -> IterableDatasetDict:
    return IterableDatasetDict(
        {name: rows.to_iterable_dataset(num_shards=min(shards, len(rows))) for name, rows in splits.items()}
    )


def _lazy_splits(root: Path, check: bool, exact: bool) -> DatasetDict:
    """The rows of a lazy set, each with an address in place of its image."""
    ledger = Dataset.from_list(list(read_ledger(root)))
    categories = categories_of(read_lock(root))
    labels = LabelSet(categories, built_samples(ledger, root / "images"))
    kinds = kinds_of(labels.samples)
    rows: dict[str, list[dict[str, Any]]] = {}
    for sample, row in labelled_rows(labels, kinds):
        split = str(sample.split)
        address = url_of(root, split, sample.source_id, check=check, exact=exact)
        rows.setdefault(split, []).append({"image": {"bytes": None, "path": address}, **row})
    if not rows:
        raise BuildError("not one image can be made", where=root, fix="`amp build` says why")
    types = features(categories, kinds)
    return checked(DatasetDict({split: Dataset.from_list(found, features=types) for split, found in rows.items()}))


def _planned(prepared: Prepared) -> Path:
    """A folder in the cache with the ledger of everything that a manifest gives, without pixels."""
    todo = plan(prepared, {})
    wanted = [[t.source_id, str(t.file), t.sha256, t.labels, t.split, t.group, t.stem, t.keys] for t in todo]
    categories = [asdict(category) for category in prepared.joined.categories]
    root = planned_sets() / digest([wanted, categories, prepared.recipe.dump(), prepared.manifest.name])
    if (root / LOCK_FILE).is_file():
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    with borrowed(), tempfile.TemporaryDirectory(dir=root.parent, prefix=".planning-") as work:
        shards, tree = Path(work) / "shards", Path(work) / "set"
        shards.mkdir()
        tree.mkdir()
        made = make(prepared.recipe, todo, shards, None, plan_only=True)
        places = {task.source_id: _place(task, tree) for task in todo}
        write_ledger(tree / LEDGER_FILE, made, places)
        seal(tree, lock_of(prepared, manifest_document(prepared.manifest, root), lazy=True))
        try:
            tree.rename(root)
        except OSError as error:
            if not (root / LOCK_FILE).is_file():  # else another process was faster
                raise BuildError(f"the cache cannot be written: {error.strerror}", where=root) from error
    return root


def _place(task: Task, tree: Path) -> str:
    """Where a lazy set finds a source: the file itself, or a copy of an image that is in no file."""
    if task.file.data is None:
        return json.dumps([str(task.file.path.resolve()), task.file.member])
    (tree / "sources").mkdir(exist_ok=True)
    (tree / "sources" / task.stem).write_bytes(task.file.data)
    return json.dumps([f"sources/{task.stem}", None])
