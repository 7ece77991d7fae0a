"""Reasons for refusing a constraint are clauses of our own."""

from __future__ import annotations

import json
import re

import pytest

from mlxr.models.constraints import Vocabulary, trial_compile
from mlxr.runtime.messages.common import Constraint, ConstraintKind
from tests.models.constraints.vocabulary import ByteTokenizer

VOCABULARY = Vocabulary(ByteTokenizer(["<|im_end|>"]), 300)
SELF = {"$ref": "#"}
INNER = re.compile(r"[a-z][A-Z]|[a-z]+_[a-z]+|json-schema:|⟦|\^|\n|::")
"""What names of llguidance's own have, and marks below an excerpt of the source."""


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (SELF, "refers to nothing but itself"),
        ({"anyOf": [SELF]}, "refers to nothing but itself"),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
            "nothing but itself",
        ),
        ({"allOf": [SELF, {"type": "object"}]}, "leads back to itself"),
        ({"type": "object", "properties": {"a": SELF}, "required": ["a"]}, "an output without an end"),
        ({"type": "array", "items": SELF, "minItems": 1}, "an output without an end"),
        ({"type": "number", "minimum": 5, "maximum": 3}, "no value fits the schema: minimum"),
    ],
)
def test_a_schema_that_nothing_fits_is_refused_in_our_words(schema: object, reason: str) -> None:
    said = trial_compile(Constraint(ConstraintKind.JSON_SCHEMA, json.dumps(schema)), VOCABULARY) or ""
    assert reason in said
    assert not INNER.search(said)


@pytest.mark.parametrize(
    ("grammar", "reason"),
    [
        ("start: start", "refers to nothing but itself"),
        (f"start: %json {json.dumps(SELF)}", "refers to nothing but itself"),
        ('start: "a" foo', 'line 1, column 8: unknown name: "foo"'),
        ("start: <foo>", 'line 1, column 8: unknown special token: "<foo>"'),
        ("%import common.FOO\nstart: FOO", "Unknown common regex: common.FOO"),
        ("start: /(/", "a regular expression is refused: unclosed group"),
    ],
)
def test_a_grammars_fault_is_said_with_its_place_and_without_the_source(grammar: str, reason: str) -> None:
    said = trial_compile(Constraint(ConstraintKind.LARK, grammar), VOCABULARY) or ""
    assert said.endswith(reason) or reason in said
    assert not INNER.search(said)


def test_a_pattern_that_nothing_fits_is_named_with_its_place() -> None:
    schema = {"type": "string", "pattern": r"[^\s\S]"}
    said = trial_compile(Constraint(ConstraintKind.JSON_SCHEMA, json.dumps(schema)), VOCABULARY) or ""
    assert "`pattern` at '#'" in said
    assert "NoExtension" not in said
