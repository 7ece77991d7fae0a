"""Whole numbers in what clients send as text: in queries, in paths, in ids of events."""

from __future__ import annotations

MOST_DIGITS = 18
"""A number of so many fits in 64 bits. Python refuses thousands with an error of its own."""


def whole_number(text: str) -> int | None:
    """Returns the number that ``text`` is, 0 or greater; None for anything else."""
    return int(text) if len(text) <= MOST_DIGITS and text.isascii() and text.isdigit() else None
