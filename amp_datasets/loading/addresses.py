"""Where an image of a lazy set is, as text: `amp://FOLDER/=STATE/images/SPLIT/NAME`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

PROTOCOL = "amp"
_CHECKED, _UNCHECKED, _PIXELS = "=", "~", "-"
"""What stands before the state of the set."""


class Address(NamedTuple):
    """What an address says: the set's folder, which state of it, and an image; whether its file is to be checked.

    `exact` is False where the pixels of the filters are wanted, and no file.
    """

    root: Path
    state: str
    split: str
    name: str
    check: bool = True
    exact: bool = True

    @property
    def url(self) -> str:
        """The address as text."""
        kind = _PIXELS if not self.exact else _CHECKED if self.check else _UNCHECKED
        return f"{PROTOCOL}://{self.root.as_posix()}/{kind}{self.state}/images/{self.split}/{self.name}"


def parse_address(url: str) -> Address:
    """What a text says. Raises FileNotFoundError for one that is no address of ours."""
    place, images, rest = url.removeprefix(f"{PROTOCOL}://").rpartition("/images/")
    folder, _, state = place.rpartition("/")
    split, slash, name = rest.partition("/")
    if not images or not slash or not name or "/" in name or state[:1] not in (_CHECKED, _UNCHECKED, _PIXELS):
        raise FileNotFoundError(url)
    # `datasets` takes the first slash of an absolute path for part of the address.
    root = Path(folder if Path(folder).is_absolute() else f"/{folder}")
    return Address(root, state[1:], split, name, state.startswith(_CHECKED), not state.startswith(_PIXELS))
