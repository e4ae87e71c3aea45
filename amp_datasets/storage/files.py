"""Puts files in their place: by hard link where that goes, and with an error of ours where nothing goes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from amp_datasets.errors import BuildError


def write_failed(error: OSError, target: Path) -> BuildError:
    """A full disk or a target that must not be written, in words."""
    return BuildError(
        f"a file of the build cannot be written: {error.strerror or error}",
        where=target,
        fix="free some space or choose another -o, and run it again: what is finished is kept",
    )


def place_file(held: Path, target: Path, *, copy: bool = False) -> None:
    """The same file at another place: a hard link where the file system can, else a copy."""
    try:
        if not copy:
            try:
                os.link(held, target)
                return
            except FileExistsError:
                raise
            except OSError:  # another file system, or one without links
                pass
        shutil.copyfile(held, target)
    except OSError as error:
        raise write_failed(error, target) from error
