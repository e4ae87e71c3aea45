"""What the studio's addresses take and give: bodies that are checked, images with facts beside them."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from amp_datasets.errors import AmpError

Route = tuple[str, str, Callable[..., Any]]
"""Method, address below /api/, and the function that answers."""

Path = tuple[str | int, ...]
_MAX_SIDE = 4096
Side = Annotated[int, Field(ge=16, le=_MAX_SIDE)]
ShortText = Annotated[str, Field(max_length=4096)]


class Body(BaseModel):
    """What a page sends: nothing but what is expected."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Text(Body):
    """A manifest as it was typed."""

    text: Annotated[str, Field(max_length=2**20)]


class Change(Body):
    """A place in the manifest and what to write there; `remove` takes it away."""

    path: Annotated[Path, Field(min_length=1, max_length=8)]
    value: Any = None
    remove: bool = False


class Source(Body):
    """A set to add: a path of this machine, or hf://owner/name."""

    path: Annotated[str, Field(min_length=1, max_length=4096)]


class Trial(Body):
    """One variant of one image, with settings that need not be in the manifest.

    `slot` and `serial` say which requests a newer one makes pointless, `first` that somebody drags a slider.
    """

    generation: int
    index: int
    kind: Literal["filters", "mixes"] = "filters"
    name: Annotated[str, Field(min_length=1, max_length=200)]
    value: Any = None
    copy_: Annotated[int, Field(alias="copy", ge=0, lt=1000)] = 0
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    side: Side = 800
    labels: bool = True
    slot: Annotated[str, Field(max_length=100)] = ""
    serial: int = 0
    first: bool = False


class Job(Body):
    """A build, an export or a push."""

    kind: Literal["build", "export", "publish"]
    out: ShortText = "build"
    to: Annotated[str, Field(max_length=100)] = ""
    zipped: bool = False
    repo: Annotated[str, Field(max_length=200)] = ""
    private: bool = True
    dry_run: bool = True


def image(data: bytes, facts: Any = None, *, keep: bool = False) -> Any:
    """A JPEG for the page; its address may be kept if it never means another image."""
    headers = {"cache-control": "private, max-age=86400, immutable" if keep else "no-store"}
    if facts is not None:
        headers["x-amp-facts"] = json.dumps(facts, ensure_ascii=True)
    return Response(data, media_type="image/jpeg", headers=headers)


def path_of(given: str) -> pathlib.Path:
    """What was typed as a path, `~` included. Raises AmpError for what the system cannot have as one."""
    try:
        path = pathlib.Path(given).expanduser()
        path.exists()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL, a user that there is not
        raise AmpError(f"this is no path: {error}", where=given[:200], fix="check it") from error
    return path
