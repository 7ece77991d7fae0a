"""Writes ``{key:value,other:[1,2]}``, which is JSON but for its keys and strings: Gemma's notation for arguments.

Keys stand bare, and strings as they are between two quote markers, so that no text has to be escaped. Keys are in the
order of the alphabet, as the models' templates sort them. Strings are held to their lengths, patterns and formats,
numbers to their bounds, lists and objects to their counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from mlxr.models.chat.call_forms.string_limits import string_limits
from mlxr.models.chat.call_forms.tagged import extra_schema, name_terminal
from mlxr.models.chat.call_forms.value_writer import ANYTHING, ValueWriter, count_of, repeated
from mlxr.models.json_schema import Schema, alternatives, types_of, values_of
from mlxr.models.lark import LarkTerms, in_slashes, styled

KEY = r'[^\s:,{}\[\]"<>]+'
"""Names that can be written bare."""
JSON_TYPES = ("integer", "number", "boolean", "null")
NUMERIC = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")


class BracesWriter(ValueWriter):
    """Writes values of parts of the schema ``root``; collects the rules they need.

    ``quote`` stands around strings, and no string may have one of ``barred``. Each part of the schema gets one rule, so
    that schemas that refer to themselves end.
    """

    def __init__(self, lark: LarkTerms, rule: str, root: Any, quote: str, barred: Sequence[str]) -> None:
        super().__init__(lark, rule, root, ",")
        self._quote = quote
        self._barred = [each for each in (quote, *barred) if lark.control(each) is None]
        self._all_barred = (quote, *barred)

    def arguments(self, schema: Any) -> str:
        """Returns the name of the rule for an object that fits ``schema``: the arguments of a call."""
        shapes = [each for each in alternatives(schema, self._root) if not types_of(each) or "object" in types_of(each)]
        name = f"{self._rule}_arguments"
        written = [self._object(f"{name}_{i}", each) for i, each in enumerate(shapes or [{}])]
        self.rules.insert(0, f"{name}: " + " | ".join(written))
        return name

    def _choice(self, rule: str, schema: Schema) -> str:
        """Returns terms for a value of a schema without alternatives; empty where none can be written."""
        if (values := values_of(schema)) is not None:
            return " | ".join(f"({each})" for each in map(self._constant, values) if each)
        types = types_of(schema) & frozenset(ANYTHING["type"]) or frozenset(ANYTHING["type"])
        terms: list[str] = []
        if "string" in types:
            terms.append(self._string(rule, schema))
        if plain := [each for each in JSON_TYPES if each in types]:
            bounds = {key: schema[key] for key in NUMERIC if key in schema}
            self.rules.append(f"{rule}_json: %json {styled({'type': plain, **bounds})}")
            terms.append(f"{rule}_json")
        if "array" in types:
            terms.append(self._list(schema))
        if "object" in types:
            terms.append(self._object(rule, schema))
        return " | ".join(f"({each})" for each in terms)

    def _constant(self, value: Any) -> str:
        """Returns terms for exactly ``value``; empty where it has what no string may have."""
        if isinstance(value, str):
            return "" if self._has_barred(value) else self._lark.merged(self._quote, value, self._quote)
        if isinstance(value, list):
            items = [self._constant(each) for each in value]
            return "" if not all(items) else self._between("[", items, "]")
        if isinstance(value, dict):
            items = [self._constant(each) for _, each in _sorted(value)]
            keys = [self._key(key) for key, _ in _sorted(value)]
            if not (all(items) and all(keys)):
                return ""
            return self._between("{", [f"{key} {item}" for key, item in zip(keys, items, strict=True)], "}")
        return self._lark.terms(json.dumps(value))

    def _between(self, opening: str, items: Sequence[str], closing: str) -> str:
        comma = f" {self._lark.terms(',')} "
        return " ".join(filter(None, [self._lark.terms(opening), comma.join(items), self._lark.terms(closing)]))

    def _has_barred(self, text: str) -> bool:
        return any(each in text for each in self._all_barred)

    def _key(self, key: str) -> str:
        """Returns terms for ``key`` and its colon; empty where it can't be written."""
        if re.fullmatch(KEY, key):
            return self._lark.terms(f"{key}:")
        return "" if self._has_barred(key) else self._lark.merged(self._quote, key, self._quote, ":")

    def _string(self, rule: str, schema: Schema) -> str:
        quote = self._lark.terms(self._quote)
        limits = string_limits(schema)
        others = [each for each in self._barred if each != self._quote]
        if self._lark.control(self._quote) is None:
            ended = f"{rule}_text"
            barred = [f"~/(?s:.*){in_slashes(each)}(?s:.*)/" for each in (self._barred if limits else others)]
            text = " & ".join([*(limits or ["/(?s:.*)/"]), *barred])
            self.rules.append(f"{ended}[lazy]: ({text}) /{in_slashes(self._quote)}/")
            return f"{quote} {ended}"
        barred = [f"~/(?s:.*){in_slashes(each)}(?s:.*)/" for each in others]
        name = f"{rule}_text".upper()
        self.rules.append(f"{name}: {' & '.join([*(limits or ['/(?s:.*)/']), *barred])}")
        return f"{quote} {name} {quote}"

    def _object(self, rule: str, schema: Schema) -> str:
        """``{``, listed members in order, others behind them, ``}``; a comma between any two."""
        listed = schema.get("properties") if isinstance(schema.get("properties"), dict) else {}
        assert listed is not None
        required = schema.get("required") if isinstance(schema.get("required"), list) else []
        assert required is not None
        opening, closing, comma = (self._lark.terms(each) for each in "{},")
        members: list[tuple[str, bool]] = []
        extra = extra_schema(schema)
        for i, (key, value) in enumerate(_sorted(listed)):
            if value is False or not (written := self._key(key)):
                continue
            self.rules.append(f"{rule}_m{i}: {written} {self.value(value)}")
            members.append((f"{rule}_m{i}", key in required))
        unlisted = [key for key in required if isinstance(key, str) and key not in listed]
        if extra is not None:
            names = f"{rule}_name".upper()
            # Where properties are counted, those that are listed are all there (``supported_keywords``).
            least, most = count_of(schema, "minProperties") or 0, count_of(schema, "maxProperties")
            least = max(least - len(members), 1 if unlisted else 0)
            most = None if most is None else most - len(members)
            if most is None or most > 0:
                self.rules += [
                    f"{rule}_x: {names} {self._lark.terms(':')} {self.value(extra)}",
                    name_terminal(names, KEY, schema, listed),
                    f"{rule}_xs: {repeated(f'{rule}_x', comma, max(least, 1), most)}",
                ]
                members.append((f"{rule}_xs", least > 0))
        if not members:
            return f"{opening} {closing}"
        return f"{opening} {self.chain(rule, members)} {closing}"


def _sorted(members: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(members.items(), key=lambda member: member[0].lower())
