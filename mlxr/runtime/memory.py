"""Memory that was only needed for a moment, given back."""

from __future__ import annotations

import ctypes
import gc


def give_back() -> None:
    """Return freed memory to the system.

    Reading a model's vocabulary makes and drops some hundred thousand strings, and glibc keeps what they took.
    Does nothing where the C library has no ``malloc_trim``.
    """
    gc.collect()
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return
    trim(0)
