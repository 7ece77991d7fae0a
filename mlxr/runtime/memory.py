"""Memory that was only needed for a moment, given back."""

from __future__ import annotations

import ctypes
import gc


def give_back() -> None:
    """Return freed memory to the system, and set what is left apart from the garbage collector.

    Reading a model's vocabulary makes and drops some hundred thousand strings, and glibc keeps what they took; where
    the C library has no ``malloc_trim``, it does. What is left lives for long: to look through it again and again would
    hold the event loop for 30 ms each time.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return
    trim(0)
