"""How calls are written, as terms of a grammar; and the common case, JSON between markers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlxr.models.json_schema import Schema
from mlxr.models.lark import LarkTerms, styled

CallWriter = Callable[[LarkTerms, str, str, Schema], tuple[str, list[str]]]
"""From function name, rule name and argument schema to the call's terms, and the further rules they need."""


@dataclass(frozen=True, slots=True)
class CallFormat:
    """The form of all calls of one answer.

    Attributes:
        call: writes one call.
        before: stands before all calls together.
        between: separates two calls; None allows only one.
        after: stands behind all calls together.
        sign: what tells a call from text, the first of ``before`` or of the call itself; empty for families without.
    """

    call: CallWriter
    before: Sequence[str] = ()
    between: Sequence[str] | None = ()
    after: Sequence[str] = ()
    sign: str = ""


def around(opening: Callable[[str], Sequence[str]], *closing: str) -> CallWriter:
    """Returns a writer of calls whose arguments are JSON between what ``opening`` makes of a name, and ``closing``."""

    def write(lark: LarkTerms, name: str, rule: str, schema: Schema) -> tuple[str, list[str]]:
        arguments = f"{rule}_arguments"
        terms = (lark.terms(*opening(name)), arguments, lark.terms(*closing))
        return " ".join(filter(None, terms)), [f"{arguments}: %json {styled(schema)}"]

    return write


def json_call(key: str = "arguments") -> Callable[[str], list[str]]:
    """``{"name": "f", "arguments": ``, in the pieces that JSON is read in: the same may begin another object."""
    return lambda name: ["{", '"name"', ": ", json.dumps(name, ensure_ascii=False), ", ", f'"{key}"', ": "]
