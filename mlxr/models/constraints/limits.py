"""How large a constraint may be, looked at before native code sees it.

llguidance recurses along nesting and references, a few kilobytes of stack each; takes time by the square of an object's
properties and of its patterns; and unfolds repetitions. The limits are far beyond what people write.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from mlxr.models.constraints.errors import ConstraintError
from mlxr.models.constraints.longest_path import longest_path
from mlxr.models.json_schema import Schema, children, parts, resolve
from mlxr.runtime.messages.common import Constraint, ConstraintKind

MOST_BYTES = 512 << 10
MOST_SUBSCHEMAS = 5_000
MOST_PROPERTIES = 1_000
MOST_PATTERNS = 16
MOST_ALTERNATIVES = 1_000
MOST_VALUES = 20_000
MOST_NESTING = 100
MOST_CHAIN = 500
MOST_REGEX = 256 << 10
MOST_GROUPS = 100
MOST_CHOICES = 10_000
MOST_REPEATS = 10_000
MOST_RULES = 5_000
MOST_INTERSECTIONS = 8
MOST_GRAMMAR = 1 << 20

_REPEAT = re.compile(r"\{ *([0-9]+) *(?:, *([0-9]*) *)?\}")
_ESCAPE_OR_CLASS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*+\]?", re.DOTALL)
"""A class without an end goes to the end: to look for it again from every bracket on would take hours."""
_LITERAL = re.compile(r'\\.|"(?:\\.|[^"\\\n])*+"|/(?:\\.|[^/\\\n])++/|//[^\n]*|#[^\n]*')
_RULE = re.compile(r'^[ \t]*+[?!]?([A-Za-z_][\w-]*+)[^:\n"/|()\[]*+(?:\[[^\]\n]*+\][ \t]*+)?(?:::=|:)', re.MULTILINE)
_NAME = re.compile(r"[A-Za-z_][\w-]*")
_JSON = re.compile(r"%json\s*(?=\{)")


def check_size(constraint: Constraint) -> None:
    """Raises ``ConstraintError`` naming the number and the limit for what is too large to be compiled."""
    source = constraint.source
    if constraint.kind is ConstraintKind.REGEX:
        check_regex(source)
    elif constraint.kind is ConstraintKind.LARK:
        check_grammar(source)
    elif constraint.kind is ConstraintKind.JSON_SCHEMA and not constraint.normalised:
        _most("the schema", len(source), "bytes", MOST_BYTES)


def check_schema(schema: Any) -> None:
    """As ``check_size``, of a schema that has been read."""
    _check_values(schema)
    if not isinstance(schema, dict):
        return
    found = parts(schema)
    _most("the schema", len(found), "subschemas", MOST_SUBSCHEMAS)
    patterns = 0
    for place, part in found:
        for key, limit in (("properties", MOST_PROPERTIES), ("patternProperties", MOST_PATTERNS)):
            if isinstance(named := part.get(key), dict):
                _most(f"`{key}` of {_short(place)}", len(named), "members", limit)
        for key in ("anyOf", "oneOf", "allOf", "prefixItems", "items"):
            if isinstance(listed := part.get(key), list):
                _most(f"`{key}` of {_short(place)}", len(listed), "members", MOST_ALTERNATIVES)
        regexes = [part.get("pattern"), *_keys(part.get("patternProperties"))]
        for regex in regexes:
            if isinstance(regex, str):
                patterns += len(regex)
                check_regex(regex, f"`pattern` of {_short(place)}")
    _most("the schema's patterns", patterns, "characters", MOST_REGEX)
    ids = {id(part): part for _, part in found}
    edges = {key: [id(each) for each in _next(schema, part) if id(each) in ids] for key, part in ids.items()}
    _most("the schema's longest chain of references", longest_path(edges), "subschemas", MOST_CHAIN)


def check_regex(regex: str, what: str = "the regular expression") -> None:
    _most(what, len(regex), "characters", MOST_REGEX)
    plain = _ESCAPE_OR_CLASS.sub("", regex)
    deepest = depth = 0
    for char in plain:
        depth += (char == "(") - (char == ")")
        deepest = max(deepest, depth)
    _most(what, deepest, "groups within each other", MOST_GROUPS)
    _most(what, plain.count("|"), "alternatives", MOST_CHOICES)
    for match in _REPEAT.finditer(plain):
        for number in filter(None, match.groups()):
            _most(what, int(number[:9]), "repetitions of one thing", MOST_REPEATS)


def check_grammar(source: str) -> None:
    """A Lark grammar, or a GBNF one, with the regular expressions and JSON schemas in it."""
    _most("the grammar", len(source), "bytes", MOST_GRAMMAR)
    source = _without_schemas(source)
    for match in _LITERAL.finditer(source):
        if match[0].startswith("/") and not match[0].startswith("//"):
            check_regex(match[0][1:-1], "a regular expression of the grammar")
    plain = _LITERAL.sub('""', source)
    starts = list(_RULE.finditer(plain))
    _most("the grammar", len(starts), "rules", MOST_RULES)
    for match in _REPEAT.finditer(plain):
        for number in filter(None, match.groups()):
            _most("the grammar", int(number[:9]), "repetitions of one thing", MOST_REPEATS)
    edges: dict[str, list[str]] = {}
    intersections: dict[str, int] = {}
    for start, end in zip(starts, [rule.start() for rule in starts[1:]] + [len(plain)] * bool(starts), strict=True):
        body = plain[start.end() : end]
        rule = f"the rule {_short(start[1])}"
        _most(rule, body.count("|"), "alternatives", MOST_CHOICES)
        _most(rule, _depth(body), "groups within each other", MOST_GROUPS)
        edges.setdefault(start[1], []).extend(_NAME.findall(body))
        intersections[start[1]] = intersections.get(start[1], 0) + max(body.count("&"), body.count("~"))
    known = {name: [each for each in named if each in edges] for name, named in edges.items()}
    _most("the grammar's longest chain of rules", longest_path(known), "rules", MOST_CHAIN)
    # Terminals unfold into each other, and the states of an intersection are those of its members multiplied.
    terminals = {name: [each for each in named if each.isupper()] for name, named in known.items()}
    for name, count in _with_all_below(intersections, terminals).items():
        _most(f"the rule {_short(name)}", count, "intersections", MOST_INTERSECTIONS)


def _with_all_below(counts: Mapping[str, int], edges: Mapping[str, list[str]]) -> dict[str, int]:
    """Returns ``counts`` with those of everything that each name leads to, as often as it does; names in circles count
    once."""
    totals: dict[str, int] = {}
    for root in counts:
        pending, path = [root], set[str]()
        while pending:
            name = pending[-1]
            if name in path or name in totals:
                pending.pop()
                path.discard(name)
                below = sum(totals.get(each, 0) for each in edges.get(name, ()))
                totals.setdefault(name, min(counts.get(name, 0) + below, 10**6))
                continue
            path.add(name)
            pending += [each for each in edges.get(name, ()) if each not in totals and each not in path]
    return totals


def _check_values(schema: Any) -> None:
    """Nesting of everything, and how many values there are to choose from."""
    values = 0
    level, depth = [schema], 0
    while level:
        depth += 1
        _most("the schema", depth, "levels of nesting", MOST_NESTING)
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                listed = each.get("enum")
                values += len(listed) if isinstance(listed, list) else 0
                inner += each.values()
            elif isinstance(each, list):
                inner += each
        level = [each for each in inner if isinstance(each, dict | list)]
    _most("the schema", values, "values in `enum`", MOST_VALUES)


def _next(root: Schema, part: Schema) -> list[Any]:
    inner = [each for _, each in children(part)]
    return [*inner, resolve(root, part["$ref"])] if "$ref" in part else inner


def _without_schemas(source: str) -> str:
    """Returns ``source`` without the JSON schemas in it, which are within their own limits."""
    kept, at = [], 0
    for match in _JSON.finditer(source):
        if match.start() < at:
            continue
        try:
            schema, end = json.JSONDecoder().raw_decode(source, match.end())
        except (ValueError, RecursionError) as error:
            raise ConstraintError("a schema of the grammar is not JSON, or nested too deeply") from error
        check_schema(schema)
        kept.append(source[at : match.start()])
        at = end
    return " ".join([*kept, source[at:]])


def _depth(text: str) -> int:
    deepest = depth = 0
    for char in text:
        depth += (char in "([") - (char in ")]")
        deepest = max(deepest, depth)
    return deepest


def _keys(value: Any) -> list[Any]:
    return list(value) if isinstance(value, dict) else []


def _short(place: str) -> str:
    return repr(place if len(place) <= 60 else f"{place[:30]}...{place[-27:]}")


def _most(what: str, count: int, unit: str, limit: int) -> None:
    if count > limit:
        raise ConstraintError(f"{what} has {count} {unit}, and at most {limit} are taken")
