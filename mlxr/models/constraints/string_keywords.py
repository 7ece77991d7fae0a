"""Which formats and patterns of a JSON schema's strings are held to."""

from __future__ import annotations

import json
import re
from typing import Any

from mlxr.models.constraints.errors import REFUSED_REGEX, Mistake, readable
from mlxr.models.json_schema import Schema

FORMATS = frozenset(
    {"date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uri", "uuid"},
)
"""Those that are held to."""

OTHER_FORMATS = frozenset(
    {
        *("idn-email", "idn-hostname", "uri-reference", "iri", "iri-reference", "uri-template"),
        *("json-pointer", "relative-json-pointer", "regex"),
    }
)
"""Those that JSON Schema knows beside (draft 2020-12, validation, 7.3). Any others, as OpenAPI's int64, are notes."""

_LOOK_AROUND = re.compile(r"(?<!\\)(?:\\\\)*\(\?<?[=!]")
_BACK_REFERENCE = re.compile(r"(?<!\\)(?:\\\\)*\\[1-9k]")


def rewrite_strings(part: Schema) -> list[tuple[str, str]]:
    wrong: list[tuple[str, str]] = []
    format = part.get("format")
    if "format" in part and (not is_text(format) or format not in FORMATS):
        del part["format"]
        if is_text(format) and format in OTHER_FORMATS:
            wrong.append(("format", f"is {format!r}, which can't be held to"))
    if "pattern" in part and (reason := pattern_error(part["pattern"])):
        del part["pattern"]
        wrong.append(("pattern", reason))
    if isinstance(patterns := part.get("patternProperties"), dict):
        for pattern in list(patterns):
            if reason := pattern_error(pattern):
                del patterns[pattern]
                part["additionalProperties"] = True
                wrong.append(("patternProperties", reason))
        if not patterns:
            del part["patternProperties"]
    return wrong


def pattern_error(pattern: Any) -> str:
    """Why a regular expression can't be held to, a ``Mistake`` where it is none; empty where it can."""
    if not is_text(pattern):
        return Mistake("is no text")
    if _LOOK_AROUND.search(pattern):
        return f"is {shortened(pattern)}, and look-around can't be held to"
    if _BACK_REFERENCE.search(pattern):
        return f"is {shortened(pattern)}, and references back can't be held to"
    from llguidance import LLMatcher

    schema = json.dumps({"type": "string", "pattern": pattern})
    failed, messages = LLMatcher.validate_grammar_with_warnings(LLMatcher.grammar_from_json_schema(schema))
    if not failed:
        return ""
    reason = readable(str(messages[0])).removeprefix(REFUSED_REGEX)
    clause = f"is {shortened(pattern)}, which is refused: {reason[:100]}"
    try:
        re.compile(pattern)
    except re.error:
        return Mistake(clause)
    return clause


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def shortened(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:30]}...{text[-27:]}")
