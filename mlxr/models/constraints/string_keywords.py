"""Which formats and patterns of a JSON schema's strings are held to."""

from __future__ import annotations

import json
import re
from typing import Any

from mlxr.models.constraints.errors import REFUSED_REGEX, KeywordProblem, readable, shortened
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


def rewrite_strings(part: Schema) -> list[KeywordProblem]:
    """Takes formats and patterns that can't be held to out of ``part``, in place; returns what is wrong with them."""
    wrong: list[KeywordProblem] = []
    format = part.get("format")
    if "format" in part and (not is_text(format) or format not in FORMATS):
        del part["format"]
        if is_text(format) and format in OTHER_FORMATS:
            wrong.append(KeywordProblem("format", f"is {format!r}, which can't be held to"))
    if "pattern" in part and (problem := _pattern_problem("pattern", part["pattern"])):
        del part["pattern"]
        wrong.append(problem)
    if isinstance(patterns := part.get("patternProperties"), dict):
        for pattern in list(patterns):
            if problem := _pattern_problem("patternProperties", pattern):
                del patterns[pattern]
                part["additionalProperties"] = True
                wrong.append(problem)
        if not patterns:
            del part["patternProperties"]
    return wrong


def is_held_pattern(pattern: Any) -> bool:
    """Tells whether a regular expression can be held to."""
    return _pattern_problem("pattern", pattern) is None


def _pattern_problem(keyword: str, pattern: Any) -> KeywordProblem | None:
    """Returns why the regular expression of ``keyword`` can't be held to, a mistake where it is none; None where it
    can."""
    if not is_text(pattern):
        return KeywordProblem(keyword, "is no text", mistake=True)
    if _LOOK_AROUND.search(pattern):
        return KeywordProblem(keyword, f"is {shortened(pattern)}, and look-around can't be held to")
    if _BACK_REFERENCE.search(pattern):
        return KeywordProblem(keyword, f"is {shortened(pattern)}, and references back can't be held to")
    from llguidance import LLMatcher

    schema = json.dumps({"type": "string", "pattern": pattern})
    failed, messages = LLMatcher.validate_grammar_with_warnings(LLMatcher.grammar_from_json_schema(schema))
    if not failed:
        return None
    reason = readable(str(messages[0])).removeprefix(REFUSED_REGEX)
    clause = f"is {shortened(pattern)}, which is refused: {reason[:100]}"
    try:
        re.compile(pattern)
    except re.error:
        return KeywordProblem(keyword, clause, mistake=True)
    return KeywordProblem(keyword, clause)


def is_text(value: Any) -> bool:
    return isinstance(value, str)
