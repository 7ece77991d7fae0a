"""Times on the wire: Go durations for ``keep_alive``, nanoseconds in Ollama's statistics, RFC 3339."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

from mlxr.api.errors import invalid

LONGEST = 100 * 365 * 86400
"""Seconds; whatever is longer is for ever, as dates end somewhere."""

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_WHOLE = re.compile(r"[+-]?[0-9]+")
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_DURATION = re.compile(rf"[+-]?(?:{_PART.pattern})+")


def keep_alive_seconds(given: float | str | None) -> float | None:
    """Returns ``keep_alive`` in seconds: a number is seconds, text a Go duration ("5m", "-1m") or a number; infinity is
    for ever, which clients write as a negative one."""
    if given is None:
        return None
    seconds = _seconds(given) if isinstance(given, str) else given
    return seconds if 0 <= seconds <= LONGEST else math.inf


def _seconds(given: str) -> float:
    text = given.strip()
    if _WHOLE.fullmatch(text):
        return float(text)
    if not _DURATION.fullmatch(text):
        raise invalid(f'`keep_alive`: {given!r} is no duration; write 300, "5m" or -1', "keep_alive")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return -seconds if text.startswith("-") else seconds


def nanoseconds(seconds: float) -> int:
    """Returns at least 1: Ollama's Go clients read 0 as missing."""
    return max(1, round(seconds * 1e9))


def rfc3339(timestamp: float) -> str:
    """Returns seconds since the epoch as Ollama writes times, in UTC."""
    moment = datetime.fromtimestamp(timestamp, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond:06d}Z"
