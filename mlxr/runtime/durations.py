"""Durations as people write them: seconds as a number, or with units as Go has them (``5m``, ``1h30m``, ``-1``)."""

from __future__ import annotations

import math
import re
from typing import Annotated

from msgspec import Meta

LONGEST = 100 * 365 * 86400
"""Seconds; whatever is longer is for ever, as dates end somewhere."""

FORMS = "seconds, or a duration such as 90s, 5m or 24h"
"""What a duration may be, for errors."""

_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
}
"""Seconds of each unit: Go's, and days and weeks."""
_WHOLE = re.compile(r"[+-]?[0-9]+")
_PART = re.compile(rf"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)({'|'.join(_UNITS)})")
_DURATION = re.compile(rf"[+-]?(?:{_PART.pattern})+")

_MARK = {"duration": True}
Duration = Annotated[float, Meta(extra=_MARK)]
"""Type of a configuration key that is a duration: seconds once it is read, a number or a text in its source."""


def duration_seconds(text: str) -> float:
    """Returns the seconds of a duration in its written form. Raises ``ValueError`` for what is none."""
    text = text.strip()
    if _WHOLE.fullmatch(text):
        return float(text)
    if not _DURATION.fullmatch(text):
        raise ValueError(text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return -seconds if text.startswith("-") else seconds


def kept_seconds(seconds: float) -> float:
    """Returns how long a model stays loaded unused: infinity for what is negative, or longer than dates go."""
    return seconds if 0 <= seconds <= LONGEST else math.inf


def is_duration(annotated: object) -> bool:
    """Returns whether a key of this type, given with its annotations, is a ``Duration``."""
    metas = getattr(annotated, "__metadata__", ())
    return any(isinstance(meta, Meta) and meta.extra == _MARK for meta in metas)
