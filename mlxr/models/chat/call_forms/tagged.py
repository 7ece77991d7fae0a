"""Writes calls with a tag a parameter, in the order of the schema, strings as they are (Qwen3-Coder, GLM).

What the parser will take for a string is held to the string's length, pattern and format. Other values are JSON. Where
an object may have parameters that are not listed, those come behind the listed ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mlxr.models.chat.call_forms.string_limits import searching, string_limits
from mlxr.models.json_schema import Schema, alternatives, resolve, types_of, values_of
from mlxr.models.lark import LarkTerms, in_slashes, styled

MOST_SHAPES = 16
_VALUE_KEYS = frozenset({"enum", "const", "default", "examples"})


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of one form; texts are in pieces, and a piece that is a control token in the vocabulary is that token.

    Attributes:
        opening: from the function's name to what begins a call.
        key: what stands before a parameter's name, and between it and its value.
        key_pattern: a regular expression for the names that can be written.
        value_end: the line break before the tag that ends a value (or nothing), the tag, and what follows it.
        closing: what ends a call.
        also_ends: further texts that end a value where it is read, unless the last piece of ``closing`` is a control
            token: no string may have them.
    """

    opening: Callable[[str], Sequence[str]]
    key: tuple[Sequence[str], Sequence[str]]
    key_pattern: str
    value_end: tuple[str, str, str]
    closing: Sequence[str]
    also_ends: Sequence[str]

    def write(self, lark: LarkTerms, name: str, rule: str, schema: Schema) -> tuple[str, list[str]]:
        """Returns the terms of a call whose arguments are one of the objects that ``schema`` allows, and its rules."""
        return _Writer(self, lark, schema).call(name, rule)


class _Writer:
    """Writes one call of a function whose arguments are of the schema ``root``."""

    def __init__(self, tags: Tags, lark: LarkTerms, root: Schema) -> None:
        self._tags = tags
        self._lark = lark
        self._root = root
        self._before_end, self._tag, self._after_end = tags.value_end
        self._is_control = lark.control(self._tag) is not None
        self._barred = tags.also_ends if lark.control(tags.closing[-1]) is None else ()

    def call(self, name: str, rule: str) -> tuple[str, list[str]]:
        shapes = [shape for shape in alternatives(self._root, self._root) if _may_be_object(shape)]
        if not shapes or len(shapes) > MOST_SHAPES:
            shapes = [{"additionalProperties": True}]
        bodies: list[str] = []
        rules: list[str] = []
        for i, shape in enumerate(shapes):
            terms, more = self._parameters(f"{rule}_{i}", shape)
            bodies.append(f"{rule}_{i}_body")
            rules += [f"{rule}_{i}_body: {terms}", *more]
        opening, closing = self._lark.terms(*self._tags.opening(name)), self._lark.terms(*self._tags.closing)
        return f"{opening} ({' | '.join(bodies)}) {closing}", rules

    def _parameters(self, rule: str, shape: Schema) -> tuple[str, list[str]]:
        listed = shape.get("properties") if isinstance(shape.get("properties"), dict) else {}
        assert listed is not None
        required = shape.get("required") or []
        extra = extra_schema(shape)
        before, behind = self._tags.key
        terms: list[str] = []
        rules: list[str] = []
        for i, (key, value) in enumerate(listed.items()):
            if value is False or (not re.fullmatch(self._tags.key_pattern, key) and key not in required):
                continue
            parameter = f"{rule}_parameter_{i}"
            # Apart where others may come: the lexer could not tell which of two begins.
            write = self._lark.merged if extra is None else self._lark.terms
            body, more = self._value(f"{rule}_value_{i}", value)
            rules += [f"{parameter}: {write(*before, key, *behind)} {body}", *more]
            terms.append(parameter if key in required else f"{parameter}?")
        if extra is not None:
            names = f"{rule}_name".upper()
            body, more = self._value(f"{rule}_extra_value", extra)
            opening, closing = self._lark.terms(*before), self._lark.terms(*behind)
            taken = name_terminal(names, self._tags.key_pattern, shape, listed)
            rules += [f"{rule}_extra: {opening} {names} {closing} {body}", taken, *more]
            unlisted = [name for name in required if isinstance(name, str) and name not in listed]
            # Where properties are counted, those that are listed are all there (``supported_keywords``).
            least, most = shape.get("minProperties", 0) - len(listed), shape.get("maxProperties")
            least = max(least, 1 if unlisted else 0)
            if most is None or most > len(listed):
                terms.append(f"{rule}_extra{{{least},{'' if most is None else most - len(listed)}}}")
        return " ".join(terms) or '""', rules

    def _value(self, rule: str, value: Any) -> tuple[str, list[str]]:
        """Returns a term for a value with the tag that ends it, and the rules it needs."""
        choices = alternatives(value, self._root)
        types = [types_of(choice) for choice in choices]
        listed = [each for choice in choices for each in values_of(choice) or () if self._readable(each)]
        end = self._lark.merged(self._before_end, self._tag, self._after_end)
        if choices and listed and all(values_of(choice) is not None for choice in choices):
            return f"({self._either(listed)}) {end}", []
        if not choices or not all(types):
            return self._text(rule, {})
        if not any("string" in each for each in types):
            return f"{rule} {end}", [f"{rule}: %json {styled(standalone(value, self._root))}"]
        texts = [choice for choice in choices if "string" in types_of(choice) and values_of(choice) is None]
        if not all(map(string_limits, texts)) or not (texts or listed):
            # Beside text that may be anything, nothing else can be told from it.
            return self._text(rule, {})
        terms, rules = list[str](), list[str]()
        for i, text in enumerate(texts):
            term, more = self._text(f"{rule}_{i}", text)
            terms.append(term)
            rules += more
        others = [each for each in listed if isinstance(each, str)] + [None] * any("null" in each for each in types)
        if others:
            terms.append(f"({self._either(others)}) {end}")
        return f"({' | '.join(terms)})", rules

    def _readable(self, value: Any) -> bool:
        return not isinstance(value, str) or not any(text in value for text in (self._tag, *self._tags.also_ends))

    def _either(self, values: Iterable[Any]) -> str:
        written = [each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for each in values]
        return " | ".join(self._lark.terms(each) or '""' for each in dict.fromkeys(written))

    def _text(self, rule: str, schema: Schema) -> tuple[str, list[str]]:
        """Returns a term for text within a string's limits, with the tag that ends it, and its rules."""
        limits, after = string_limits(schema), self._lark.terms(self._after_end)
        before, tag = in_slashes(self._before_end), in_slashes(self._tag)
        if not limits and not self._barred:
            term, rules = self._lark.up_to(rule, self._tag)
            return f"{term} {after}", [rules]
        barred = [f"~/(?s:.*){in_slashes(each)}(?s:.*)/" for each in self._barred]
        if not limits:
            # Complements alone would also fit the bytes that stand for control tokens.
            limits = ["/(?s:.*)/"]
        else:
            barred.append(f"~/(?s:.*){tag}(?s:.*)/")
        text = f"({' & '.join([*limits, *barred])})"
        if self._is_control:
            line_break = f" /{before}/" if before else ""
            return f"{rule.upper()} {self._lark.terms(self._tag)} {after}", [f"{rule.upper()}: {text}{line_break}"]
        return f"{rule} {after}", [f"{rule}[lazy]: {text} /{before}{tag}/"]


def _may_be_object(shape: Schema) -> bool:
    types = types_of(shape)
    return not types or "object" in types


def extra_schema(shape: Schema) -> Any:
    """Returns what parameters that are not listed may be; None where there are to be none."""
    patterns, others = shape.get("patternProperties"), shape.get("additionalProperties", True)
    if isinstance(patterns, dict) and patterns:
        either = [*patterns.values(), *([] if others is False else [others])]
        return either[0] if len(either) == 1 else {"anyOf": either}
    return None if others is False else others


def name_terminal(name: str, pattern: str, shape: Schema, listed: Iterable[str]) -> str:
    """Returns a terminal ``name`` for names like ``pattern`` of parameters that ``shape`` does not list."""
    term = f"/{pattern}/"
    patterns = shape.get("patternProperties")
    if isinstance(patterns, dict) and patterns and shape.get("additionalProperties") is False:
        searches = [searching(each) for each in patterns]
        if all(searches):
            term += f" & /({'|'.join(f'({each})' for each in searches)})/"
    taken = [in_slashes(each) for each in listed]
    return f"{name}: {term}" + (f" & ~/({'|'.join(taken)})/" if taken else "")


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
