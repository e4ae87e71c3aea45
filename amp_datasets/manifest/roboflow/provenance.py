"""Where the images of an export come from: its licence line, its address, and who provided it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from amp_datasets.errors import AmpError
from amp_datasets.shown import plain
from amp_datasets.storage.folder import Folder

LICENCE_FILES = ("README.roboflow.txt", "README.dataset.txt")
"""The texts that come with an export."""
_MAX_BYTES = 2**20
_LONGEST = 200
_LICENCE = re.compile(r"^[ \t]*licen[sc]e:[ \t]*['\"]?([^'\"\r\n]+?)['\"]?[ \t]*$", re.IGNORECASE | re.MULTILINE)
_ADDRESS = re.compile(r"https://universe\.roboflow\.com/[\w.-]+/[\w.-]+(?:/dataset/\d+)?")
_PROVIDER = re.compile(r"^[ \t]*provided by (?:a |an )?([^\r\n]+?)[ \t]*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Provenance:
    """A licence as the export words it, the address of the dataset, and its provider; empty where it does not say."""

    licence: str = ""
    address: str = ""
    provider: str = ""

    def as_text(self) -> str:
        """One line for people; empty if nothing is known."""
        by = f"provided by {self.provider}" if self.provider else ""
        return ", ".join(
            part for part in (f"License: {self.licence}" if self.licence else "", by, self.address) if part
        )


def provenance_in(texts: Iterable[str]) -> Provenance:
    """What some texts say, the first that says it counting."""
    text = "\n".join(texts)
    licence, address, provider = _LICENCE.search(text), _ADDRESS.search(text), _PROVIDER.search(text)
    return Provenance(
        plain(licence.group(1))[:_LONGEST] if licence else "",
        address.group(0)[:_LONGEST] if address else "",
        plain(provider.group(1))[:_LONGEST] if provider else "",
    )


def provenance_of(folder: Folder) -> Provenance:
    """What the files of an export say, where a set is one: its two texts and the `roboflow` part of data.yaml."""
    texts = [_text(folder, name) for name in folder.files if name.rpartition("/")[2] in LICENCE_FILES]
    for name in (name for name in folder.files if name.rpartition("/")[2] == "data.yaml"):
        text = _text(folder, name)
        _, found, rest = text.partition("\nroboflow:")
        texts += [rest] if found else []
    return provenance_in(texts)


def _text(folder: Folder, name: str) -> str:
    """The beginning of a file; nothing of one that cannot be read, which the set's own reader tells."""
    try:
        return folder.head(name, _MAX_BYTES).decode("utf-8", "replace")
    except (OSError, AmpError):
        return ""
