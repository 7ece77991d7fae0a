"""How pages of the type ``int8`` keep a vector: codes of 8 bits, and a scale for each block of 32 numbers.

A block's scale is its largest magnitude divided by 127, rounded to a 16-bit float; a code is the number divided by the
scale, rounded to the nearest whole number, even ones first, in [-127, 127]. A vector's last block may be shorter. All
is a token's own: what comes later in its page changes nothing of it.
"""

from __future__ import annotations

BLOCK = 32
"""Numbers that share a scale."""

SCALE_BYTES = 2

MOST_CODE = 127


def blocks(dims: int) -> int:
    """Returns how many scales a vector of ``dims`` numbers has."""
    return -(-dims // BLOCK)


def vector_bytes(dims: int) -> int:
    """Returns what the codes and scales of a vector take."""
    return dims + blocks(dims) * SCALE_BYTES
