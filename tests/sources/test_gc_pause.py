"""The pause of the garbage collector ends, however what it was for ends."""

from __future__ import annotations

import gc

import pytest

from amp_datasets.sources.gc_pause import collector_paused


@collector_paused()
def fail() -> None:
    """Something that breaks."""
    assert not gc.isenabled()
    raise ArithmeticError


def test_the_collector_works_again_afterwards() -> None:
    """After an error, and after a pause within a pause; one that was off stays off."""
    with pytest.raises(ArithmeticError):
        fail()
    assert gc.isenabled()
    with collector_paused():
        with collector_paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
