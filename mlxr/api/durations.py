"""Times on the wire: Go durations for ``keep_alive``, nanoseconds in Ollama's statistics, RFC 3339."""

from __future__ import annotations

from datetime import UTC, datetime

from mlxr.api.errors import invalid
from mlxr.runtime.durations import duration_seconds, kept_seconds


def keep_alive_seconds(given: float | str | None) -> float | None:
    """Returns ``keep_alive`` in seconds: a number is seconds, text a Go duration ("5m", "-1m") or a number; infinity is
    for ever, which clients write as a negative one."""
    if given is None:
        return None
    try:
        return kept_seconds(duration_seconds(given) if isinstance(given, str) else given)
    except ValueError:
        raise invalid(f'`keep_alive`: {given!r} is no duration; write 300, "5m" or -1', "keep_alive") from None


def nanoseconds(seconds: float) -> int:
    """Returns at least 1: Ollama's Go clients read 0 as missing."""
    return max(1, round(seconds * 1e9))


def rfc3339(timestamp: float) -> str:
    """Returns seconds since the epoch as Ollama writes times, in UTC."""
    moment = datetime.fromtimestamp(timestamp, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond:06d}Z"
