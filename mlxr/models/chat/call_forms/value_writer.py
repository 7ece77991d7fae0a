"""Values of a schema as rules of a grammar, for notations that are nearly JSON: what these have in common."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from mlxr.models.json_schema import Schema, alternatives
from mlxr.models.lark import LarkTerms

MOST_RULES, MOST_DEPTH = 500, 40
"""Values beyond so many, or nested so deeply, may be anything."""
MOST_ITEMS = 1_000
"""Counts of items that are held to; beyond, a list may have any number."""
ANYTHING: Schema = {"type": ["string", "integer", "number", "boolean", "null", "array", "object"]}


class ValueWriter(ABC):
    """Writes values of parts of the schema ``root``; collects the rules they need.

    Each part of the schema gets one rule, so that schemas that refer to themselves end. ``comma`` stands between any
    two items.
    """

    def __init__(self, lark: LarkTerms, rule: str, root: Any, comma: str) -> None:
        self._lark = lark
        self._rule = rule
        self._root = root
        self._comma = comma
        self._known: dict[str, str] = {}
        self._depth = 0
        self.rules: list[str] = []

    def value(self, schema: Any) -> str:
        """Returns the name of the rule for a value that fits ``schema``."""
        if self._depth >= MOST_DEPTH or len(self._known) >= MOST_RULES:
            schema = ANYTHING
        key = json.dumps(schema, sort_keys=True)
        if key not in self._known:
            name = self._known[key] = f"{self._rule}_v{len(self._known)}"
            self._depth += 1
            written = [self._choice(f"{name}_{i}", each) for i, each in enumerate(alternatives(schema, self._root))]
            self._depth -= 1
            self.rules.append(f"{name}: {' | '.join(filter(None, written)) or self.value(ANYTHING)}")
        return self._known[key]

    @abstractmethod
    def _choice(self, rule: str, schema: Schema) -> str:
        """Returns terms for a value of a schema without alternatives; empty where none can be written."""

    def _list(self, schema: Schema) -> str:
        given = schema.get("prefixItems")
        first = list(given) if isinstance(given, list) else []
        items = schema.get("items", {})
        least, most = count_of(schema, "minItems") or 0, count_of(schema, "maxItems")
        opening, closing, comma = (self._lark.terms(each) for each in ("[", "]", self._comma))
        if not first:
            inner = "" if items is False else repeated(self.value(items), comma, least, most)
            return " ".join(filter(None, [opening, inner, closing]))
        first = first[:most]
        rest = None if most is None else most - len(first)
        inner = ""
        if items is not False and rest != 0:
            inner = f"({comma} {self.value(items)}){{{max(0, least - len(first))},{'' if rest is None else rest}}}"
        for place, each in reversed(list(enumerate(first))):
            inner = f"{comma if place else ''} {self.value(each)} {inner}".strip()
            inner = f"({inner})?" if place >= least else inner
        return " ".join(filter(None, [opening, inner, closing]))

    def chain(self, rule: str, members: Sequence[tuple[str, bool]]) -> str:
        """Returns the name of the rule for ``members`` in their order, of which those marked must be there."""
        # s_i: from member i on, none written yet; n_i: behind a member.
        comma = self._lark.terms(self._comma)
        for i, (member, needed) in enumerate(members):
            last = i + 1 == len(members)
            behind, later = ("", '""') if last else (f" {rule}_n{i + 1}", f"{rule}_s{i + 1}")
            self.rules.append(f"{rule}_s{i}: {member}{behind}" + ("" if needed else f" | {later}"))
            self.rules.append(
                f"{rule}_n{i}: {comma} {member}{behind}" + ("" if needed else f" | {behind or chr(34) * 2}")
            )
        return f"{rule}_s0"


def repeated(term: str, comma: str, least: int, most: int | None) -> str:
    """Returns terms for ``least`` to ``most`` (None: any number) of ``term`` with ``comma`` between any two."""
    if most == 0:
        return ""
    if most == 1:
        terms = term
    elif least <= 1 and most is None:
        terms = f"{term} ({comma} {term})*"
    else:
        terms = f"{term} ({comma} {term}){{{max(least - 1, 0)},{'' if most is None else most - 1}}}"
    return terms if least else f"({terms})?"


def count_of(schema: Schema, key: str) -> int | None:
    """Returns a count that can be held to; None where there is none."""
    value = schema.get(key)
    return value if isinstance(value, int) and 0 <= value <= MOST_ITEMS else None
