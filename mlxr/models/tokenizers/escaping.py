"""The escape character: it stands in written-out control tokens that are text, so that nothing finds them.

Whoever renders a conversation puts it in (``mlxr.models.chat.escaping``), and what encodes the text takes it out of
what is not a control token.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote


def without_escapes(text: str, escape: str) -> str:
    """Returns ``text`` without the character ``escape``, and without the ways that templates write it: escaped as in
    JSON and Python (once or several times), and as in a URL. Without one the text is as it was."""
    return _written(escape).sub("", text) if escape else text


@lru_cache(maxsize=16)
def _written(escape: str) -> re.Pattern[str]:
    # From the first backslash of a run only: from each of them on, it would take time by the square of their number.
    return re.compile(rf"{escape}|(?<!\\)\\+u(?i:{ord(escape):04x})|{quote(escape)}")
