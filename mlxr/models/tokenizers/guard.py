"""The guard character: it stands in written-out control tokens that are text, so that nothing finds them.

Whoever renders a conversation puts it in (``mlxr.models.chat.guard``), and what encodes the text takes it out of what
is not a control token.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote


def without_guard(text: str, guard: str) -> str:
    """``text`` without the character ``guard``, and without the ways that templates write it: escaped as in JSON and
    Python (once or several times), and as in a URL. With no guard the text is as it was."""
    return _written(guard).sub("", text) if guard else text


@lru_cache(maxsize=16)
def _written(guard: str) -> re.Pattern[str]:
    return re.compile(rf"{guard}|\\+u(?i:{ord(guard):04x})|{quote(guard)}")
