"""Memory: what a worker is done with goes at once, without the collector."""

from __future__ import annotations

import gc
import weakref

import numpy as np

from amp_datasets.variants.steps import Original


def test_a_source_is_freed_when_nobody_refers_to_it() -> None:
    """Its signature, which each variant is compared with, does not keep it: of 50 million pixels it is 150 MB."""
    image = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    original = Original(image, "0" * 64, ())
    assert original.signature.differs(original.signature, 1) is False
    gone = weakref.ref(original)
    gc.disable()
    try:
        del original
        assert gone() is None
    finally:
        gc.enable()
