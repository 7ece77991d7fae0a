"""Which keywords of a JSON schema are held to, and how those become what llguidance knows.

Held to exactly: what llguidance knows, and what can be said in its terms (``propertyNames`` with a list or a pattern, a
null where a keyword's value should be, keywords without effect). Everything else is taken out and reported: whoever
insists on the schema refuses it, naming the keyword; others go on with what is left, which allows more. What is no
schema's keyword at all (an unknown type, a reference that leads nowhere) is reported as a mistake.
"""

from __future__ import annotations

import json
import re

from msgspec.structs import replace

from mlxr.models.constraints.bounds import fit_bounds
from mlxr.models.constraints.errors import KeywordProblem, shortened
from mlxr.models.constraints.string_keywords import is_held_pattern, is_text, rewrite_strings
from mlxr.models.json_schema import Schema, anchors, children, parts, resolve

TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})

DRAFTS = re.compile(r"https?://json-schema\.org/draft[-/0-9a-z]+/schema#?")

UNHELD = (
    *("uniqueItems", "propertyNames", "contains", "minContains", "maxContains", "not", "if", "then", "else"),
    *("dependentRequired", "dependentSchemas", "dependencies", "unevaluatedProperties", "unevaluatedItems"),
    *("$dynamicRef", "$recursiveRef"),
)

TELLS_OF_OTHERS = frozenset(
    {"if", "then", "else", "dependentSchemas", "dependencies", "unevaluatedProperties", "propertyNames", "$ref"}
)
"""Keywords without which nobody knows what else an object may have."""

_BESIDE = frozenset({"allOf", "anyOf", "oneOf", "$ref", "if", "then", "else", "dependentSchemas", "$dynamicRef"})


def rewrite_unsupported(schema: Schema) -> list[KeywordProblem]:
    """Puts ``schema`` in terms that can be held to, in place. Returns what was taken out of it. To be called with
    schemas within their limits (``limits.check_schema``)."""
    problems: list[KeywordProblem] = []
    named = anchors(schema)
    for place, part in parts(schema):
        _fix_children(part, place, problems)
        for problem in _rewrite_part(schema, part, named):
            if problem.keyword in TELLS_OF_OTHERS:
                part.setdefault("additionalProperties", True)
            problems.append(replace(problem, place=place))
    if all(str(part.get("$ref", "#")).startswith("#") for _, part in parts(schema)):
        schema.pop("$id", None)
    return problems


def _fix_children(part: Schema, place: str, problems: list[KeywordProblem]) -> None:
    """What stands where a schema should and is none is null or a mistake: both allow anything."""
    for below, each in list(children(part)):
        if isinstance(each, dict | bool):
            continue
        if each is not None:
            problems.append(KeywordProblem("", "", mistake=True, place=f"{place}/{below}"))
        key, _, name = below.partition("/")
        holder = part[key]
        if isinstance(holder, dict) and name:
            holder[name] = {}
        elif isinstance(holder, list) and name:
            holder[int(name)] = {}
        else:
            del part[key]


def _rewrite_part(root: Schema, part: Schema, named: dict[str, Schema]) -> list[KeywordProblem]:
    for key in [key for key, value in part.items() if value is None and key not in ("const", "default", "$ref")]:
        del part[key]
    _drop_what_says_nothing(part)
    return [
        *_shapes(part),
        *_types(part),
        *_reference(root, part, named),
        *rewrite_strings(part),
        *fit_bounds(part),
        *_names(part),
        *_counts(part),
        *_unheld(part),
    ]


def _drop_what_says_nothing(part: Schema) -> None:
    """Keywords without an effect, which llguidance would refuse."""
    if part.get("uniqueItems") is False:
        del part["uniqueItems"]
    if "if" not in part or ("then" not in part and "else" not in part):
        for key in ("if", "then", "else"):
            part.pop(key, None)
    if "contains" not in part or (part.get("minContains") == 0 and "maxContains" not in part):
        for key in ("contains", "minContains", "maxContains"):
            part.pop(key, None)
    for key in ("dependentRequired", "dependentSchemas", "dependencies", "patternProperties"):
        if part.get(key) == {}:
            del part[key]
    if part.get("not") is False:
        del part["not"]
    if part.get("propertyNames") in (True, {}, {"type": "string"}):
        del part["propertyNames"]
    alone = part.keys().isdisjoint(_BESIDE)
    for key, other in (("unevaluatedProperties", "additionalProperties"), ("unevaluatedItems", "items")):
        if part.get(key) in (True, {}) or (
            key in part and alone and other in part and not isinstance(part[other], list)
        ):
            del part[key]
        elif key in part and alone and (other == "additionalProperties" or "prefixItems" in part):
            part[other] = part.pop(key)
    if "$schema" in part and not (isinstance(part["$schema"], str) and DRAFTS.fullmatch(part["$schema"])):
        del part["$schema"]
    for key in ("title", "description", "examples", "default", "$comment", "$vocabulary", "$dynamicAnchor"):
        part.pop(key, None)


def _shapes(part: Schema) -> list[KeywordProblem]:
    """Keywords whose value is of the wrong kind."""
    wrong: list[KeywordProblem] = []
    for key in ("properties", "patternProperties"):
        if key in part and not isinstance(part[key], dict):
            wrong.append(KeywordProblem(key, "is no object", mistake=True))
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if key in part and not (isinstance(part[key], list) and part[key]):
            wrong.append(KeywordProblem(key, "is no list of schemas", mistake=True))
    if "enum" in part and not (isinstance(part["enum"], list) and part["enum"]):
        wrong.append(KeywordProblem("enum", "is no list of values", mistake=True))
    required = part.get("required", [])
    if isinstance(required, bool):
        del part["required"]  # Draft 3, where a property said so of itself.
    elif not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        wrong.append(KeywordProblem("required", "is no list of names", mistake=True))
    for problem in wrong:
        del part[problem.keyword]
    return wrong


def _types(part: Schema) -> list[KeywordProblem]:
    given = part.get("type")
    if "type" not in part:
        return []
    listed = given if isinstance(given, list) else [given]
    known = [each for each in dict.fromkeys(filter(is_text, listed)) if each in TYPES]
    if "any" in listed:
        del part["type"]  # Drafts before 4.
        return []
    if len(known) == len(listed) and known:
        part["type"] = known if isinstance(given, list) else given
        return []
    del part["type"]
    shown = json.dumps(given, ensure_ascii=False)
    return [KeywordProblem("type", f"is {shown[:60]}, which is none of JSON's types", mistake=True)]


def _reference(root: Schema, part: Schema, named: dict[str, Schema]) -> list[KeywordProblem]:
    if (
        part.get("$recursiveRef") == "#"
        and "$ref" not in part
        and not any("$recursiveAnchor" in p for _, p in parts(root))
    ):
        part["$ref"] = part.pop("$recursiveRef")
    if "$ref" not in part:
        return []
    reference = part["$ref"]
    if isinstance(resolve(root, reference), dict | bool) or (is_text(reference) and reference in named):
        return []
    base, _, pointer = str(reference).partition("#")
    if base and base in named and isinstance(resolve(named[base], f"#{pointer}"), dict | bool):
        return []
    del part["$ref"]
    return [KeywordProblem("$ref", f"leads to {shortened(str(reference))}, which is not there", mistake=True)]


def _names(part: Schema) -> list[KeywordProblem]:
    """``propertyNames`` that lists names, or gives one pattern, as the properties that it allows."""
    names = part.get("propertyNames")
    if not isinstance(names, dict) or set(names) - {"type", "enum", "const", "pattern", "title", "description"}:
        return []
    others = part.get("additionalProperties", {})
    listed = part.get("properties", {})
    patterns = part.get("patternProperties", {})
    allowed = [names["const"]] if "const" in names else names.get("enum")
    if isinstance(allowed, list) and not patterns and "pattern" not in names:
        kept = {name: each for name, each in listed.items() if name in allowed}
        part["properties"] = kept | {name: others for name in allowed if is_text(name) and name not in listed}
    elif "pattern" in names and not listed and not patterns and is_held_pattern(names["pattern"]):
        part["patternProperties"] = {names["pattern"]: others}
    else:
        return []
    del part["propertyNames"]
    part["additionalProperties"] = False
    return []


def _counts(part: Schema) -> list[KeywordProblem]:
    """Takes out counts of properties but where each listed one is required or none is listed."""
    listed, required = part.get("properties") or {}, part.get("required") or []
    if all(name in required for name in listed):
        return []
    least, most = part.get("minProperties"), part.get("maxProperties")
    if least is not None and least <= len(set(required)):
        del part["minProperties"]
    closed = part.get("additionalProperties") is False and "patternProperties" not in part
    if most is not None and closed and most >= len(listed):
        del part["maxProperties"]
    reason = "can't be held to beside properties that need not be there"
    wrong = [KeywordProblem(key, reason) for key in ("minProperties", "maxProperties") if key in part]
    for problem in wrong:
        del part[problem.keyword]
    return wrong


def _unheld(part: Schema) -> list[KeywordProblem]:
    found = [KeywordProblem(key, "can't be held to") for key in UNHELD if key in part]
    for problem in found:
        del part[problem.keyword]
    return found
