"""Datasets of the Hugging Face hub as targets: asked patiently, changed by one commit.

What the hub does not take of a build is said before the work.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from amp_datasets.building.choosing.prepared import Prepared
from amp_datasets.building.workspace import hub_settings, standing_there
from amp_datasets.errors import BuildError
from amp_datasets.progress import Progress
from amp_datasets.storage.files import all_files
from amp_datasets.storage.names import inside
from amp_datasets.storage.remote import Store
from amp_datasets.storage.upload import refuse_foreign

_T = TypeVar("_T")
_TRIES = 5
_RETRIED = {408, 409, 412, 429, 500, 502, 503, 504}
_AT_ONCE = 100
_ADDRESS = re.compile(r"hf://datasets/([\w.-]+/[\w.-]+)")

MAX_FILES = 10_000
"""Of images and label files in one commit; the hub advises fewer than 10,000 in a folder, and 100,000 in all."""

HttpError: Any = HfHubHTTPError.__bases__[0]
"""What the HTTP library raises; which library that is changes between versions of the hub's client."""


def repository_of(address: str) -> str | None:
    """The `owner/name` of `hf://datasets/owner/name`; None for other storage. A BuildError for a part of a dataset."""
    if not address.startswith("hf://"):
        return None
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise BuildError("the hub takes a whole dataset", where=address, fix="hf://datasets/owner/name")
    return match[1]


def standing_on_the_hub(address: str, repository: str, new: Path) -> frozenset[str]:
    """As `standing_there`, of a dataset that may not be there yet."""
    refuse_without_token()
    with refusals_told(repository):
        return frozenset() if _is_private(repository) is None else standing_there(address, new)


def refuse_what_the_hub_would(prepared: Prepared, repository: str) -> None:
    """A BuildError, before the work, for a dataset that everybody sees, and for too many files."""
    if prepared.manifest.hub is None or prepared.manifest.hub.private:
        with refusals_told(repository):
            refuse_public(repository)
    exports = [prepared.registry.exporter(name) for name in prepared.manifest.exports]
    for_each = 1 + sum(exporter.file_per_image for exporter in exports)
    files = for_each * sum(sum(prepared.images_of(item)) for item in prepared.joined.items)
    if files > MAX_FILES:
        raise BuildError(
            f"{files} files are too many for one commit of the hub ({MAX_FILES})",
            where=repository,
            fix="build into a folder, and push it by `amp publish` as a few parquet files",
        )


def replace_build(folder: Path, address: str, repository: str, old: Collection[str], progress: Progress) -> None:
    """Make a finished build the content of a dataset; `old` are the names of what it replaces."""
    with refusals_told(repository):
        api, _ = opened(repository, private=bool(hub_settings(folder).get("private", True)))
        files = sorted(all_files(folder))
        there = Store(address).listing()
        refuse_foreign(address, there, old, files)
        push_files(api, repository, folder, files, sorted(set(old) & there.keys() - set(files)), progress)


def refuse_without_token() -> None:
    """A BuildError if nobody is logged in."""
    if get_token() is None:
        raise BuildError("there is no token for the hub", fix="run `hf auth login`, or set HF_TOKEN")


def refuse_public(name: str) -> None:
    """A BuildError if a dataset of that name is there and everybody may look at it."""
    if _is_private(name) is False:
        fix = "choose another name, or say that it may be public (`amp publish --public`, `hub: {private: false}`)"
        raise BuildError("this dataset is there already, and public", where=name, fix=fix)


def _is_private(name: str) -> bool | None:
    """Of a dataset; None if there is none that we may see."""
    try:
        return bool(patiently(lambda: HfApi().dataset_info(name)).private)
    except RepositoryNotFoundError:
        return None


def opened(name: str, *, private: bool) -> tuple[HfApi, bool]:
    """The hub, with a dataset of that name, and whether that is private in fact.

    One that is there already stays as private as it is: nothing is shown to everybody by a push.
    """
    refuse_without_token()
    api = HfApi()
    patiently(lambda: api.create_repo(name, repo_type="dataset", private=private, exist_ok=True))
    if private:
        refuse_public(name)
    return api, bool(_is_private(name))


@contextmanager
def refusals_told(name: str) -> Iterator[None]:
    """Inside, what the hub or the way to it refuses is a BuildError."""
    try:
        yield
    except (HttpError, OSError, ValueError, RuntimeError) as error:
        cause = _cause(error)
        raise BuildError(
            f"the hub refused: {(str(cause) or type(cause).__name__).splitlines()[0]}",
            where=name,
            fix="check the name, the network and the token's rights; what was uploaded is not uploaded again",
        ) from error


def push_files(
    api: HfApi, name: str, folder: Path, files: Sequence[str], gone: Iterable[str], progress: Progress
) -> None:
    """These files of a folder, and without those that are `gone`: all in one commit, before which nothing shows."""
    added = [CommitOperationAdd(file, inside(folder, file)) for file in files]
    for start in range(0, len(added), _AT_ONCE):
        progress("uploading", start, len(added))
        upload(api, name, added[start : start + _AT_ONCE])
    operations: list[CommitOperationAdd | CommitOperationDelete] = [*added, *map(CommitOperationDelete, gone)]
    patiently(lambda: api.create_commit(name, operations, commit_message="Upload the dataset", repo_type="dataset"))
    progress("uploading", len(added), len(added))


def upload(api: HfApi, name: str, additions: list[CommitOperationAdd]) -> None:
    """Have the large ones among these files on the hub, for a commit to come; what is there already is not sent."""
    patiently(lambda: api.preupload_lfs_files(name, additions, repo_type="dataset"))


def patiently(action: Callable[[], _T]) -> _T:
    """Try again on what passes by itself: conflicts, rate limits, server errors, lost connections."""
    for attempt in range(_TRIES - 1):
        try:
            return action()
        except (HttpError, ConnectionError, TimeoutError, RuntimeError) as error:
            if not _passes(_cause(error)):
                raise
        time.sleep(2.0**attempt)
    return action()


def _cause(error: BaseException) -> BaseException:
    """What the hub's client met; where it uploads several files at once, it tells only that one of them failed."""
    return error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error


def _passes(error: BaseException) -> bool:
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in _RETRIED
    return isinstance(error, (HttpError, ConnectionError, TimeoutError))
