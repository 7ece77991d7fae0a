"""Parameters of requests in the runtime's terms, and how much of each may be asked for."""

from __future__ import annotations

import random
from collections.abc import Sequence

from mlxr.api.errors import invalid

_SEED_MASK = 2**63 - 1
_EFFORTS = {"minimal": "low", "xhigh": "high", "max": "high"}
"""Efforts of other servers, by the nearest of ours."""


def seed(given: int | None) -> int:
    """Returns a seed of 63 bits, a random one for a request without."""
    return random.getrandbits(63) if given is None else given & _SEED_MASK


def most_drafted(given: int | None) -> int | None:
    """Returns ``draft_num_predict`` as ``Generate.most_drafted``: a negative one leaves it to the engine."""
    return None if given is None or given < 0 else given


def token_limit(given: int | None, field: str) -> int | None:
    """Returns how many tokens an answer may have, None for any number, which -1 is, too. Raises ``RequestError`` naming
    ``field`` for none at all."""
    if given == 0:
        raise invalid(f"`{field}`: expected `int` >= 1, or -1 for no limit", field)
    return given if given is not None and given > 0 else None


def unlimited(given: int | None) -> bool:
    """Returns whether an answer without a limit on tokens is asked for, which is what -1 says."""
    return given is not None and given < 0


def reasoning_effort(effort: str | None) -> str | None:
    """Returns an effort to reason with as ``ChatPrompt.reasoning_effort``."""
    return _EFFORTS.get(effort, effort) if effort else None


def stop_strings(given: str | list[str] | None, most: int) -> list[str]:
    """Returns the stop strings that are not empty; raises ``RequestError`` for more than ``most``."""
    found = [given] if isinstance(given, str) else given or []
    if len(found) > most:
        raise invalid(f"`stop` has {len(found)} strings; at most {most} are taken", "stop")
    return [text for text in found if text]


def choice_count(n: int | None, most: int, field: str = "n") -> int:
    """Returns how many choices are asked for; raises ``RequestError`` for more than ``most``."""
    count = n or 1
    if count > most:
        raise invalid(f"`{field}` is {count}; at most {most} are taken", field)
    return count


def check_message_count(messages: Sequence[object], most: int) -> None:
    """Raises ``RequestError`` for a conversation of more than ``most`` messages."""
    if len(messages) > most:
        raise invalid(f"`messages` has {len(messages)} entries; at most {most}", "messages")
