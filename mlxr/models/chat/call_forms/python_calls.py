"""Writes ``f(key="text", other=[1, True])``: calls in Python's notation, as LFM2 makes them.

Strings and numbers are JSON's, which are Python's too, and held to as JSON is; lists, dictionaries, True, False and
None have rules of their own.
"""

from __future__ import annotations

import json
import keyword
from typing import Any

from mlxr.models.chat.call_forms.tagged import extra_schema
from mlxr.models.chat.call_forms.value_writer import ANYTHING, ValueWriter, count_of, repeated
from mlxr.models.json_schema import Schema, alternatives, types_of, values_of
from mlxr.models.lark import LarkTerms, styled

JSON_KEYWORDS = (
    *("minLength", "maxLength", "pattern", "format"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
)


def is_python(name: str, schema: Schema) -> bool:
    """Tells whether calls of ``name`` can be written: with names that Python takes, and none that are not listed."""
    shapes = _shapes(schema)
    listed = [key for shape in shapes for key in _properties(shape)]
    named = [*name.split("."), *listed]
    closed = all(extra_schema(shape) is None for shape in shapes)
    return closed and all(each.isidentifier() and not keyword.iskeyword(each) for each in named)


def python_call(lark: LarkTerms, name: str, rule: str, schema: Schema) -> tuple[str, list[str]]:
    """Returns the terms of a call, and the further rules they need."""
    writer = _Writer(lark, rule, schema, ", ")
    shapes = " | ".join(f"({writer.members(f'{rule}_{i}', shape, '=')})" for i, shape in enumerate(_shapes(schema)))
    return f"{lark.terms(f'{name}(')} ({shapes}) {lark.terms(')')}", writer.rules


def _shapes(schema: Schema) -> list[Schema]:
    return [each for each in alternatives(schema, schema) if not types_of(each) or "object" in types_of(each)]


def _properties(shape: Schema) -> dict[str, Any]:
    listed = shape.get("properties")
    return listed if isinstance(listed, dict) else {}


class _Writer(ValueWriter):
    """Writes values in Python's notation."""

    def members(self, rule: str, shape: Schema, equals: str) -> str:
        """Returns terms for the listed members of an object, in their order, then for others where it is open."""
        required = shape.get("required") if isinstance(shape.get("required"), list) else []
        assert required is not None
        comma = self._lark.terms(", ")
        members: list[tuple[str, bool]] = []
        for i, (key, value) in enumerate(_properties(shape).items()):
            if value is False:
                continue
            name = key if equals == "=" else json.dumps(key, ensure_ascii=False)
            self.rules.append(f"{rule}_m{i}: {self._lark.terms(f'{name}{equals}')} {self.value(value)}")
            members.append((f"{rule}_m{i}", key in required))
        if (extra := extra_schema(shape)) is not None and equals != "=":
            least, most = count_of(shape, "minProperties") or 0, count_of(shape, "maxProperties")
            self.rules.append(f"{rule}_x: %json {styled({'type': 'string'})}")
            self.rules.append(f"{rule}_y: {rule}_x {self._lark.terms(equals)} {self.value(extra)}")
            rest = None if most is None else most - len(members)
            unlisted = any(key not in _properties(shape) for key in required)
            least = max(least - len(members), 1 if unlisted else 0)
            if rest is None or rest > 0:
                self.rules.append(f"{rule}_ys: {repeated(f'{rule}_y', comma, max(least, 1), rest)}")
                members.append((f"{rule}_ys", least > 0))
        if not members:
            return '""'
        return self.chain(rule, members)

    def _choice(self, rule: str, schema: Schema) -> str:
        """Returns terms for a value of a schema without alternatives."""
        if (values := values_of(schema)) is not None:
            return " | ".join(f"({self._lark.terms(_literal(value))})" for value in values)
        types = types_of(schema) & frozenset(ANYTHING["type"]) or frozenset(ANYTHING["type"])
        terms: list[str] = []
        if plain := [each for each in ("string", "integer", "number") if each in types]:
            limits = {key: schema[key] for key in JSON_KEYWORDS if key in schema}
            self.rules.append(f"{rule}_json: %json {styled({'type': plain, **limits})}")
            terms.append(f"{rule}_json")
        if "boolean" in types:
            terms += [self._lark.terms("True"), self._lark.terms("False")]
        if "null" in types:
            terms.append(self._lark.terms("None"))
        if "array" in types:
            terms.append(self._list(schema))
        if "object" in types:
            terms.append(" ".join([self._lark.terms("{"), self.members(rule, schema, ": "), self._lark.terms("}")]))
        return " | ".join(f"({each})" for each in terms)


def _literal(value: Any) -> str:
    """``value`` in Python's notation, with JSON's strings."""
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(each)}" for key, each in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)
