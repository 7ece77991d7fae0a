"""How much longer the steps of a ``tokenizer.json`` can make a text.

A step that makes two characters of one doubles what the step before it made: few of them in a row make any text too
long for any machine.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

Step = Mapping[str, Any]


def growth(step: Step) -> int:
    """Characters (of a post-processor: tokens) that ``step`` may make of one; 1 where it can't repeat its growth."""
    measure = _MEASURES.get(str(step.get("type")), _one)
    return max(1, measure(step), _template(step))


def added_ids(step: Step) -> int:
    """Returns the ids that the post-processor ``step`` puts around a text."""
    known = step.get("special_tokens")
    counts = {
        name: len(token["ids"])
        for name, token in (known.items() if isinstance(known, dict) else ())
        if isinstance(token, dict) and isinstance(token.get("ids"), list)
    }
    named = (item.get("SpecialToken") for item in _items(step))
    return sum(counts.get(str(token.get("id")), 0) for token in named if isinstance(token, dict))


def _items(step: Step) -> list[dict[str, Any]]:
    single = step.get("single")
    return [item for item in single if isinstance(item, dict)] if isinstance(single, list) else []


def _template(step: Step) -> int:
    """Returns how often the text itself stands in its template."""
    return sum("Sequence" in item for item in _items(step))


def _one(step: Step) -> int:
    return 1


def _byte_level(step: Step) -> int:
    # A byte above 127 becomes a character of two bytes; a space before each word is one more.
    return 4 if step.get("add_prefix_space", True) else 2


def _metaspace(step: Step) -> int:
    return 1 if step.get("prepend_scheme") == "never" else 2


def _replace(step: Step) -> int:
    content, pattern = step.get("content"), step.get("pattern")
    length = len(content) if isinstance(content, str) else 0
    text = pattern.get("String") if isinstance(pattern, dict) else None
    if isinstance(text, str) and text:
        return -(-length // len(text))
    # A regular expression may match between any two characters.
    return length + 1


def _precompiled(step: Step) -> int:
    """Returns the longest text among those that characters are replaced by. The charsmap has been checked."""
    data = base64.b64decode(step.get("precompiled_charsmap") or "")
    texts = data[4 + int.from_bytes(data[:4], "little") :].decode()
    return max(map(len, texts.split("\0")))


_MEASURES: Mapping[str, Callable[[Step], int]] = {
    "ByteLevel": _byte_level,
    "Metaspace": _metaspace,
    "Replace": _replace,
    "Precompiled": _precompiled,
}
