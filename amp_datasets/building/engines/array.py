"""A build as numbered parts that any scheduler runs: planned once, made part by part, finished once.

.NAME.amp-shards/    beside the target
plan.json            what was planned, with which versions
parts/00003.jsonl    what is to be made by part 4: a line a shard
images/ shards/      what the parts have made, as in the work folder of a build
drafts/              files that are not whole yet: a part may run twice, where a scheduler takes it for lost

The plan is that of a plain build, and so are the shards: the same rows and files, wherever and in whatever order they
are made. A part that is run again makes what is missing.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amp_datasets.building.choosing.prepared import Prepared
from amp_datasets.building.choosing.task import Task, load_task
from amp_datasets.building.engines.shards import Setup, cut, make_shard, shard_files, shard_path, weight
from amp_datasets.building.engines.spread import spread
from amp_datasets.building.engines.versions import made_with, refuse_other_versions
from amp_datasets.building.inputs import MAX_SHARDS
from amp_datasets.errors import BuildError
from amp_datasets.model import SPLITS
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.progress import Progress
from amp_datasets.storage.files import write_file
from amp_datasets.variants.recipe import Recipe, digest, load_recipe

_NAMED = 10


def part_number(text: str) -> tuple[int, int]:
    """What "3/16" says: the part, counted from 1, and how many there are."""
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
    number, count = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= number <= count <= MAX_SHARDS:
        raise BuildError(f"`{text}` names no shard", fix="give one as --shard 3/16: the third of sixteen")
    return number, count


@dataclass(frozen=True, slots=True)
class PlannedArray:
    """The folder of a build that is made in numbered parts."""

    root: Path

    @classmethod
    def of(cls, out: Path) -> PlannedArray:
        """That of a target."""
        target = Path(os.path.abspath(out))  # noqa: PTH100 - resolve() would follow a link that is the target
        return cls(target.with_name(f".{target.name}.amp-shards"))

    def write(self, prepared: Prepared, todo: Sequence[Task], parts: int) -> None:
        """Plan so many parts; what an earlier plan of the target has left is removed."""
        if self.root.exists():
            self._refuse_others_folder()
            shutil.rmtree(self.root)
        shards = list(cut(todo, parts))
        (self.root / "parts").mkdir(parents=True)
        self.root.chmod(0o700)
        for folder in (self.root / "shards", self.root / "drafts", *(self.root / "images" / split for split in SPLITS)):
            folder.mkdir(parents=True)
        for number in range(parts):
            own = range(number * len(shards) // parts, (number + 1) * len(shards) // parts)
            lines = (json.dumps([index, [_dumped(task) for task in shards[index]]]) + "\n" for index in own)
            write_file(self._part(number + 1), "".join(lines).encode())
        plan = {
            "parts": parts,
            "shards": len(shards),
            "digest": _digest(prepared.recipe, todo),
            "recipe": prepared.recipe.dump(),
            "made_with": made_with(prepared.recipe, prepared.registry),
        }
        write_file(self.root / "plan.json", json.dumps(plan, indent=2).encode())

    def make(self, number: int, count: int, jobs: int, progress: Progress) -> tuple[list[Path], int]:
        """Make what is missing of a part: the shards with all of its rows, and the number of its sources.

        Call it within `borrowed()`.
        """
        plan = self._plan()
        if plan["parts"] != count:
            what = f"the build was planned in {plan['parts']} shards, not in {count}"
            raise BuildError(what, where=self.root, fix=f"give --shard {number}/{plan['parts']}, or plan again")
        recipe = load_recipe(plan["recipe"])
        refuse_other_versions(
            plan["made_with"], made_with(recipe, load_registry(tuple(map(Path, recipe.plugin_dirs)))), self.root
        )
        planned = dict(self._shards(number))
        missing = [(tasks, path) for path, tasks in planned.items() if not path.exists()]
        missing.sort(key=lambda each: -weight(each[0]) if jobs > 1 else 0)
        setup, done = (
            Setup(plan["recipe"], str(self.root / "images"), drafts=str(self.root / "drafts")),
            len(planned) - len(missing),
        )
        for _ in spread(_Making(setup), missing, jobs):
            done += 1
            progress(f"making shard {number} of {count}", done, len(planned))
        return list(planned), sum(map(len, planned.values()))

    @contextlib.contextmanager
    def collected(self, prepared: Prepared, todo: Sequence[Task], tree: Path, shards: Path) -> Iterator[list[Path]]:
        """What the parts have made, put into a build's work folder; the shards, in order. Put back if that fails.

        Raises BuildError if something is missing, or if this is not what was planned.
        """
        self._refuse_unfinished(prepared, todo)
        for made, place in self._moves(tree, shards):
            shutil.rmtree(place)
            made.rename(place)
        try:
            yield shard_files(shards)
        except BaseException:
            self.put_back(tree, shards)
            raise
        shutil.rmtree(self.root, ignore_errors=True)

    def put_back(self, tree: Path, shards: Path) -> None:
        """Put what a finish had taken into a build's work folder, and was killed, where the next one looks for it."""
        for made, place in self._moves(tree, shards):
            if (self.root / "plan.json").is_file() and place.exists() and not made.exists():
                place.rename(made)

    def _moves(self, tree: Path, shards: Path) -> list[tuple[Path, Path]]:
        """Where the parts put what they make, and where a build has it."""
        return [(self.root / "images", tree / "images"), (self.root / "shards", shards)]

    def _refuse_unfinished(self, prepared: Prepared, todo: Sequence[Task]) -> None:
        plan = self._plan()
        refuse_other_versions(plan["made_with"], made_with(prepared.recipe, prepared.registry), self.root)
        if plan["digest"] != _digest(prepared.recipe, todo):
            raise BuildError(
                "the manifest, its settings or a source are not those that were planned",
                where=self.root,
                fix="finish with the same ones, or plan again with --shards",
            )
        lacking = [n for n in range(1, plan["parts"] + 1) if not all(path.exists() for path, _ in self._shards(n))]
        if lacking:
            named = ", ".join(map(str, lacking[:_NAMED])) + (", ..." if len(lacking) > _NAMED else "")
            raise BuildError(
                f"{len(lacking)} of {plan['parts']} shards are not finished: {named}",
                where=self.root,
                fix=f"run them (again): amp build --shard {lacking[0]}/{plan['parts']}; what they have made is kept",
            )

    def _part(self, number: int) -> Path:
        return self.root / "parts" / f"{number:06d}.jsonl"

    def _shards(self, number: int) -> Iterator[tuple[Path, list[Task]]]:
        """The shards of a part: where its rows go, and its tasks."""
        with self._part(number).open(encoding="utf-8") as lines:
            for index, tasks in map(json.loads, lines):
                loaded = [load_task(text, None if data is None else base64.b64decode(data)) for text, data in tasks]
                yield shard_path(self.root / "shards", index), loaded

    def _plan(self) -> dict[str, Any]:
        try:
            self._refuse_others_folder()
            plan: dict[str, Any] = json.loads((self.root / "plan.json").read_bytes())
        except FileNotFoundError as error:
            what = "no shards are planned for this target"
            raise BuildError(what, where=self.root, fix="plan them first: amp build --shards N, same -o") from error
        except (OSError, ValueError) as error:
            raise BuildError(f"the plan cannot be read: {error}", where=self.root, fix="plan again") from error
        return plan

    def _refuse_others_folder(self) -> None:
        """A plan says what is read and written: nobody else may have put it there."""
        state = self.root.lstat()
        if self.root.is_symlink() or (os.name == "posix" and (state.st_uid != os.getuid() or state.st_mode & 0o022)):
            raise BuildError("this plan is none of yours", where=self.root, fix="remove it, or choose another -o")


@dataclass(frozen=True, slots=True)
class _Making:
    """Makes a shard in any process."""

    setup: Setup

    def __call__(self, shard: tuple[Sequence[Task], Path]) -> int:
        return make_shard(self.setup, *shard)


def _dumped(task: Task) -> list[str | None]:
    data = task.file.data
    return [task.dump(), None if data is None else base64.b64encode(data).decode()]


def _digest(recipe: Recipe, todo: Sequence[Task]) -> str:
    """What names the work: the recipe, and what is to be made of every image as it is now."""
    own = [[t.source_id, t.sha256, t.labels, t.split, t.stem, t.group, t.keys, t.copies] for t in todo]
    return digest([recipe.dump(), own])
