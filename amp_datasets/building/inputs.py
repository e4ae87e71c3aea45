"""What a build is asked for: a manifest and sources in any form, how to read them, and where and how it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from amp_datasets.errors import BuildError, SourceError
from amp_datasets.manifest.load import load_manifest, manifest_of
from amp_datasets.manifest.model import Manifest, SourceSettings, is_address
from amp_datasets.model import LabelSet
from amp_datasets.plugin.discovery import shipped_manifests
from amp_datasets.plugin.registry import Registry
from amp_datasets.progress import Progress, silent

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

MAX_SHARDS = 100_000
Engine = Literal["local", "ray"]
"""Where variants are made: in processes of this machine, or on a Ray cluster."""
DEFAULT = "default"
"""The shipped manifest that is used where a set is given in place of one."""
GivenManifest: TypeAlias = str | Path | Mapping[str, Any] | Manifest
"""A manifest's path (or the name of one of ours), its content as a map, an `amp.Recipe`; or a set's path, for which the
default recipe is used."""
GivenSource: TypeAlias = "str | Path | SourceSettings | LabelSet | Dataset | DatasetDict"
"""A set: its path or address, one with options, in memory, or as a `datasets.Dataset` with boxes."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be built, as callers give it: a manifest, and what is said beside it.

    `sources` replace the manifest's own, `settings` are laid over it, `limit` takes only the first source images.
    `first_classes` keep their places as ids, `options` say how to read each set, `title` is what messages call it.
    """

    manifest: GivenManifest
    sources: Sequence[GivenSource] = ()
    settings: Sequence[str] = ()
    limit: int | None = None
    plugin_dirs: Sequence[str | Path] = ()
    first_classes: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    title: Path | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """Where a build goes and how it is made; nothing of it changes a byte of an image or label."""

    out: Path
    jobs: int | None = None
    dry_run: bool = False
    lazy: bool = False
    progress: Progress = silent
    shards: int | None = None
    """Plan so many numbered parts and make nothing yet."""
    shard: str | None = None
    """Make one of them, as "3/16"."""
    finish: bool = False
    """Put together what they have made."""
    engine: Engine = "local"
    address: str | None = None
    """Of a Ray cluster; None: the one of RAY_ADDRESS, or one that is started here."""
    repository: str | None = None
    """The dataset of the hub that the result is put into; `out` is a folder of this machine then, too."""


def refuse_contradictions(run: Run) -> None:
    """A BuildError for ways of building that do not go together."""
    ways = {"shards": run.shards is not None, "shard": run.shard is not None, "finish": run.finish}
    wanted = [name for name, there in ways.items() if there]
    if len(wanted) > 1:
        what = f"{' and '.join(wanted)} do not go together"
        raise BuildError(what, fix="plan with shards, make each shard, then finish: three commands")
    if run.engine not in get_args(Engine):
        raise BuildError(f"`{run.engine}` is no engine", fix=f"there are {' and '.join(get_args(Engine))}")
    if wanted and run.engine != "local":
        raise BuildError("numbered shards are made by your scheduler, not by Ray", fix="leave out one of the two")
    if run.address is not None and run.engine != "ray":
        raise BuildError("an address is for Ray alone", fix="add --engine ray")
    if wanted and run.lazy:
        raise BuildError("a lazy set is not made in shards: it has no images", fix="build it without shards")
    if run.shards is not None and not 1 <= run.shards <= MAX_SHARDS:
        raise BuildError(f"{run.shards} shards cannot be planned", fix=f"give 1 to {MAX_SHARDS}")


def open_manifest(
    given: GivenManifest, registry: Registry, sources: Sequence[str], settings: Sequence[str]
) -> tuple[Manifest, Path]:
    """The checked manifest, with `sources` in place of its own and `settings` over it, and what to call it."""
    if isinstance(given, Manifest):
        if not settings and not sources:
            return given, Path(type(given).__name__)
        if not settings:
            replaced = tuple(SourceSettings(path=source) for source in sources)
            return given.model_copy(update={"sources": replaced}), Path(type(given).__name__)
        from amp_datasets.manifest.dump import manifest_document

        given = manifest_document(given, Path.cwd())
    if isinstance(given, Mapping):
        return manifest_of(given, registry, sources, settings), Path("settings")
    if is_set(given):
        default = shipped_manifests()[DEFAULT]
        return load_manifest(default, registry, sources=[str(given), *sources], settings=settings), Path(given)
    return load_manifest(Path(given), registry, sources=sources, settings=settings), Path(given)


def is_set(given: str | Path) -> bool:
    """Whether a path is that of a set rather than of a manifest: a folder, a zip, or an address."""
    path = Path(given)
    return is_address(str(given)) or path.is_dir() or (path.suffix.lower() == ".zip" and path.is_file())


def take_in(sources: Sequence[Any]) -> tuple[list[str], dict[str, LabelSet]]:
    """The paths of sources; label sets in memory get a name as theirs, datasets one in the cache."""
    paths: list[str] = []
    held: dict[str, LabelSet] = {}
    for source in [sources] if isinstance(sources, str | Path) else sources:
        if isinstance(source, LabelSet):
            name = f"memory://{source.name or 'set'}"
            while name in held:
                name += "+"
            held[name] = source
            paths.append(name)
        elif isinstance(source, str | Path):
            paths.append(str(source))
        elif hasattr(source, "to_parquet") or isinstance(source, Mapping):
            from amp_datasets.sources.dataset import spool_dataset

            paths.append(str(spool_dataset(source)))
        else:
            raise SourceError(
                f"a {type(source).__name__} is no source", fix="give a path, an amp LabelSet or a `datasets.Dataset`"
            )
    return paths, held
