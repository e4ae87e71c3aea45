"""What is to be made of a source image, as plain data that travels to a worker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import splitext
from typing import Any

from amp_datasets.model import ImageFile
from amp_datasets.variants.recipe import ORIGINAL, canonical


@dataclass(frozen=True, slots=True)
class Task:
    """A source image, the kinds of variant wanted of it (name -> key), and rows of earlier runs that serve again.

    `values` is JSON: what is black and white in an image deeper than 8 bits.
    """

    source_id: str
    file: ImageFile
    sha256: str
    labels: str
    split: str
    stem: str
    keys: dict[str, str]
    ready: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    group: str = ""
    one_sided: tuple[str, ...] = ()
    values: str = ""
    piece: str = ""
    beside: dict[str, list[list[list[dict[str, Any]]]]] = field(default_factory=dict)
    """By kind of variant, copy and joining step: the other images, each as the ledger names it and where it is."""
    copies: dict[str, int] = field(default_factory=dict)
    """How many copies to make of a kind, where that is not what the recipe says."""

    def partners(self, spec: str, copy: int) -> str:
        """The other images of a copy, as the ledger holds them."""
        steps = self.beside[spec][copy] if spec in self.beside else []
        plain = [[{k: v for k, v in o.items() if k not in {"path", "member", "data"}} for o in step] for step in steps]
        return canonical(plain) if plain else ""

    @property
    def suffix(self) -> str:
        """The ending of the image's name, with dot; its file may have another, if it came out of a label file."""
        return splitext(self.source_id)[1].lower()

    def named(self, label: str) -> str:
        """The name of a variant of it; one of a piece names the piece."""
        return f"{self.piece}.{label}" if self.piece else label

    def file_name(self, row: Mapping[str, Any], suffix: str) -> str:
        """The name of a row's file."""
        ending = self.piece if row["spec"] == ORIGINAL else row["variant"]
        return f"{self.stem}__{ending}{suffix}" if ending else f"{self.stem}{suffix}"

    def dump(self) -> str:
        """JSON for the worker; an image in memory travels beside it."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name != "file"}
        return json.dumps({**plain, "path": str(self.file.path), "member": self.file.member}, ensure_ascii=False)


def load_task(text: str, data: bytes | None) -> Task:
    """The task that `Task.dump` wrote."""
    raw = json.loads(text)
    return Task(file=ImageFile(Path(raw.pop("path")), raw.pop("member"), data), **raw)
