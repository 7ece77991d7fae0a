"""Qwen3-Coder's calls: a tag a parameter, in the order of the schema, strings as they are.

What the parser will take for a string is held to the string's limits as far as these can be said of plain text, which
formats can't. Other values are JSON. Where an object may have parameters that are not listed, those come behind the
listed ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from mlxr.models.constraints.grammars import styled
from mlxr.models.constraints.spelling import Spelling, in_slashes
from mlxr.models.json_schema import Schema, alternatives, resolve, types_of, values_of

END = "</parameter>"
MOST_SHAPES = 16
_UNWRITABLE = re.compile(r"[>\n]")
_VALUE_KEYS = frozenset({"enum", "const", "default", "examples"})


def tagged(spelling: Spelling, name: str, rule: str, schema: Schema) -> tuple[str, list[str]]:
    """A call whose arguments are one of the objects that ``schema`` allows."""
    shapes = [shape for shape in alternatives(schema, schema) if _may_be_object(shape)]
    if not shapes or len(shapes) > MOST_SHAPES:
        shapes = [{"additionalProperties": True}]
    bodies: list[str] = []
    rules: list[str] = []
    for i, shape in enumerate(shapes):
        terms, more = _parameters(spelling, f"{rule}_{i}", shape, schema)
        bodies.append(f"{rule}_{i}_body")
        rules += [f"{rule}_{i}_body: {terms}", *more]
    opening = spelling.terms("<tool_call>", f"\n<function={name}>\n")
    return f"{opening} ({' | '.join(bodies)}) {spelling.terms('</function>' + chr(10), '</tool_call>')}", rules


def _may_be_object(shape: Schema) -> bool:
    types = types_of(shape)
    return not types or "object" in types


def _parameters(spelling: Spelling, rule: str, shape: Schema, root: Schema) -> tuple[str, list[str]]:
    listed = shape.get("properties") if isinstance(shape.get("properties"), dict) else {}
    assert listed is not None
    required = shape.get("required") or []
    extra = _extra_schema(shape)
    terms: list[str] = []
    rules: list[str] = []
    for i, (key, value) in enumerate(listed.items()):
        if value is False or (_UNWRITABLE.search(key) and key not in required):
            continue
        parameter = f"{rule}_parameter_{i}"
        # Apart where others may come: the lexer could not tell which of two begins.
        pieces = (f"<parameter={key}>\n",) if extra is None else ("<parameter=", key, ">\n")
        body, more = _value(spelling, f"{rule}_value_{i}", value, root)
        rules += [f"{parameter}: {' '.join(map(spelling.terms, pieces))} {body}", *more]
        terms.append(parameter if key in required else f"{parameter}?")
    if extra is not None:
        names = f"{rule}_name".upper()
        body, more = _value(spelling, f"{rule}_extra_value", extra, root)
        opening, closing = spelling.terms("<parameter="), spelling.terms(">\n")
        rules += [f"{rule}_extra: {opening} {names} {closing} {body}", _names(names, shape, listed), *more]
        unlisted = [name for name in required if isinstance(name, str) and name not in listed]
        some = unlisted or (not listed and shape.get("minProperties"))
        terms.append(f"{rule}_extra+" if some else f"{rule}_extra*")
    return " ".join(terms) or '""', rules


def _extra_schema(shape: Schema) -> Any:
    """What parameters that are not listed may be; None where there are to be none."""
    patterns, others = shape.get("patternProperties"), shape.get("additionalProperties", True)
    if isinstance(patterns, dict) and patterns:
        either = [*patterns.values(), *([] if others is False else [others])]
        return either[0] if len(either) == 1 else {"anyOf": either}
    return None if others is False else others


def _names(name: str, shape: Schema, listed: Iterable[str]) -> str:
    """A terminal for the names of parameters that are not listed."""
    term = "/[^>\\n]+/"
    patterns = shape.get("patternProperties")
    if isinstance(patterns, dict) and patterns and shape.get("additionalProperties") is False:
        searches = [searching(pattern) for pattern in patterns]
        if all(searches):
            term += f" & /({'|'.join(f'({each})' for each in searches)})/"
    taken = [in_slashes(each) for each in listed]
    return f"{name}: {term}" + (f" & ~/({'|'.join(taken)})/" if taken else "")


def _value(spelling: Spelling, rule: str, value: Any, root: Schema) -> tuple[str, list[str]]:
    """A term for a value with the tag that ends it, and the rules it needs."""
    choices = alternatives(value, root)
    types = [types_of(choice) for choice in choices]
    listed = [each for choice in choices for each in values_of(choice) or ()]
    end = spelling.terms(*(("\n", END, "\n") if spelling.control(END) is not None else (f"\n{END}\n",)))
    if choices and all(values_of(choice) is not None for choice in choices):
        return f"({_either(spelling, listed)}) {end}", []
    if not choices or not all(types):
        return _free(spelling, rule)
    if not any("string" in each for each in types):
        return f"{rule} {end}", [f"{rule}: %json {styled(standalone(value, root))}"]
    texts = [choice for choice in choices if "string" in types_of(choice) and values_of(choice) is None]
    if not all(map(_limits, texts)):
        # Beside text that may be anything, nothing else can be told from it.
        return _free(spelling, rule)
    terms, rules = list[str](), list[str]()
    for i, text in enumerate(texts):
        term, text_rule = _text(spelling, f"{rule}_{i}", text)
        terms.append(term)
        rules.append(text_rule)
    others = [each for each in listed if isinstance(each, str)] + [None] * any("null" in each for each in types)
    if others:
        terms.append(f"({_either(spelling, others)}) {end}")
    return f"({' | '.join(terms)})", rules


def _either(spelling: Spelling, values: Iterable[Any]) -> str:
    written = [each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for each in values]
    return " | ".join(spelling.terms(each) or '""' for each in dict.fromkeys(written))


def _free(spelling: Spelling, rule: str) -> tuple[str, list[str]]:
    term, text_rule = spelling.up_to(rule, END)
    return f"{term} {spelling.terms(chr(10))}", [text_rule]


def _limits(schema: Schema) -> list[str]:
    """Regular expressions that a string must all match."""
    limits: list[str] = []
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if least or most is not None:
        limits.append(f"/(?s:.{{{least},{'' if most is None else most}}})/")
    if isinstance(pattern := schema.get("pattern"), str) and (search := searching(pattern)):
        limits.append(f"/{search}/")
    return limits


def _text(spelling: Spelling, rule: str, schema: Schema) -> tuple[str, str]:
    """Text within a string's limits, with the tag that ends it."""
    text = f"({' & '.join([*_limits(schema), f'~/(?s:.*){in_slashes(END)}(?s:.*)/'])})"
    if spelling.control(END) is not None:
        return f"{rule.upper()} {spelling.terms(END, chr(10))}", f"{rule.upper()}: {text} /\\n/"
    return f"{rule} {spelling.terms(chr(10))}", f"{rule}[lazy]: {text} /\\n{in_slashes(END)}/"


def searching(pattern: str) -> str:
    """A regular expression, as within slashes, for whole texts in which ``pattern`` is found; empty where anchors stand
    anywhere but at its ends."""
    begins, ends = pattern.startswith("^"), bool(re.search(r"(?<!\\)(?:\\\\)*\$$", pattern))
    inner = pattern[begins : len(pattern) - ends]
    plain = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "", inner, flags=re.DOTALL)
    if "^" in plain or "$" in plain or re.search(r"\\[bBAzZ]", inner) or ((begins or ends) and _splits(plain)):
        return ""
    escaped = re.sub(r"\\.|/|\n", lambda m: {"/": r"\/", "\n": r"\n"}.get(m[0], m[0]), inner, flags=re.DOTALL)
    return f"{'' if begins else '(?s:.*)'}({escaped}){'' if ends else '(?s:.*)'}"


def _splits(plain: str) -> bool:
    """Whether there is an alternative outside of all groups."""
    depth = 0
    for char in plain:
        depth += (char == "(") - (char == ")")
        if char == "|" and depth == 0:
            return True
    return False


def standalone(value: Any, root: Schema) -> Schema:
    """``value``, a part of ``root``, as a schema of its own: with all that it refers to, and nothing else."""
    names: dict[str, str] = {}

    def copied(part: Any, key: str = "") -> Any:
        if isinstance(part, list):
            return [copied(each) for each in part]
        if not isinstance(part, dict) or key in _VALUE_KEYS:
            return part
        made = {name: copied(each, name) for name, each in part.items() if name not in ("$defs", "definitions")}
        if isinstance(reference := part.get("$ref"), str):
            made["$ref"] = f"#/$defs/{names.setdefault(reference, f'd{len(names)}')}"
        return made

    made = copied(value) if isinstance(value, dict) else {}
    definitions: dict[str, Any] = {}
    while len(definitions) < len(names):
        reference, name = list(names.items())[len(definitions)]
        target = resolve(root, reference)
        definitions[name] = copied(target) if isinstance(target, dict | bool) else {}
    return {**made, "$defs": definitions} if definitions else made
