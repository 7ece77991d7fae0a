"""What a schema says of a string, as regular expressions in slashes: for forms that write strings as they are."""

from __future__ import annotations

import re

from mlxr.models.chat.call_forms.string_formats import STRING_FORMATS
from mlxr.models.json_schema import Schema


def string_limits(schema: Schema) -> list[str]:
    """Returns regular expressions that a string must all match."""
    limits: list[str] = []
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if least or most is not None:
        limits.append(f"/(?s:.{{{least},{'' if most is None else most}}})/")
    if isinstance(pattern := schema.get("pattern"), str) and (search := searching(pattern)):
        limits.append(f"/{search}/")
    if (format := STRING_FORMATS.get(str(schema.get("format")))) is not None:
        limits.append(f"/{format}/")
    return limits


def searching(pattern: str) -> str:
    """Returns a regular expression, as within slashes, for whole texts in which ``pattern`` is found; empty where
    anchors stand anywhere but at its ends."""
    begins, ends = pattern.startswith("^"), bool(re.search(r"(?<!\\)(?:\\\\)*\$$", pattern))
    inner = pattern[begins : len(pattern) - ends]
    plain = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "", inner, flags=re.DOTALL)
    if "^" in plain or "$" in plain or re.search(r"\\[bBAzZ]", inner) or ((begins or ends) and _splits(plain)):
        return ""
    escaped = re.sub(r"\\.|/|\n", lambda m: {"/": r"\/", "\n": r"\n"}.get(m[0], m[0]), inner, flags=re.DOTALL)
    return f"{'' if begins else '(?s:.*)'}({escaped}){'' if ends else '(?s:.*)'}"


def _splits(plain: str) -> bool:
    """Tells whether there is an alternative outside of all groups."""
    depth = 0
    for char in plain:
        depth += (char == "(") - (char == ")")
        if char == "|" and depth == 0:
            return True
    return False
