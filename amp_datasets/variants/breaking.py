"""What an exception of a filter, of OpenCV or of an encoder means for the one variant that it comes from."""

from __future__ import annotations

from amp_datasets.errors import AmpError, CannotApply, ImageError, said
from amp_datasets.images.opening import is_memory, memory_error

BREAKS = "a filter breaks on this image"
TOO_LARGE = "the image is too large for a filter or format"


def why_not(error: BaseException, where: object) -> tuple[str, str]:
    """Reason and detail to set one variant aside with; a BuildError if it is memory that ran out.

    A filter may raise anything, also what ends a process (`sys.exit`). Only Ctrl-C goes through.
    """
    if isinstance(error, KeyboardInterrupt):
        raise error
    if is_memory(error):
        raise memory_error(where) from error
    if isinstance(error, CannotApply):
        return error.what, ""
    if isinstance(error, ImageError):
        return TOO_LARGE, error.what
    told = error.what if isinstance(error, AmpError) else said(error)
    if "SHRT_MAX" in told:  # an assertion of OpenCV's remap
        return TOO_LARGE, "OpenCV resamples at most 32,766 pixels a side in this way"
    return BREAKS, told
