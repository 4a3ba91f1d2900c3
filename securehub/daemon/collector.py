"""
The garbage collector, in a process that holds all its records in memory.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (50_000, 20, 100)
"""A hub makes few cycles, so the collector need not look for them as often as in a script."""


@contextmanager
def loading() -> Iterator[None]:
    """Objects made meanwhile are here to stay: the collector looks at them neither now nor later."""
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.set_threshold(*THRESHOLDS)
        gc.enable()
