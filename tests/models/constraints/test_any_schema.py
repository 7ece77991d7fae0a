"""Any JSON at all as schema or tool: an answer or an error of ours, in every family."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlxr.models.chat import choose_parser
from mlxr.models.constraints import ConstraintError, Vocabulary, force_tools, offer_tools, trial_compile
from mlxr.runtime.messages.common import Constraint, ConstraintKind
from mlxr.runtime.messages.tokenizer import Tool
from tests.models.constraints.test_tool_calls import TEMPLATES
from tests.models.constraints.vocabulary import ByteTokenizer
from tests.models.output.answers import source

TOKENIZER = ByteTokenizer()
VOCABULARY = Vocabulary(TOKENIZER, TOKENIZER.vocab_size)
GOOD = Tool("good", "", b'{"type":"object","properties":{"x":{"type":"integer"}}}')
CALL = "<tool_call>\n<function=f>\n<parameter=a>\n1\n</parameter>\n</function>\n</tool_call>"

KEYWORDS = [
    *("type", "properties", "required", "$ref", "anyOf", "oneOf", "allOf", "items", "prefixItems", "enum", "const"),
    *("additionalProperties", "patternProperties", "propertyNames", "pattern", "format", "minLength", "maxLength"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems", "contains"),
    *("minProperties", "maxProperties", "uniqueItems", "not", "if", "then", "else", "dependentRequired", "$defs"),
    *("unevaluatedProperties", "definitions", "$id", "$schema", "nullable", "default", "x-guidance", "$anchor"),
    *("minContains", "$recursiveRef", "$dynamicRef", "dependentSchemas", "title"),
]
TEXTS = [
    *("string", "object", "array", "integer", "null", "any", "#", "#/$defs/a", "#/properties/a", "#/properties"),
    *("#/allOf/0", "a", "b", "^a", "(", "a|b$", "(?=a)", "date", "uuid", "regex", "\n", ">", ""),
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 20),
    st.sampled_from([2**63, -(2**63), 10**400, 1e21, 1e-300, 3.4e38, 0.1, -1.5]),
    st.sampled_from(TEXTS),
)


def within(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keys = st.sampled_from([*KEYWORDS, "a", "b", "c>d", "e\n"])
    return st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=4))


SCHEMAS = st.recursive(SCALARS, within, max_leaves=25)
BOUNDED = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@BOUNDED
@given(SCHEMAS)
def test_a_schema_is_taken_or_refused_in_a_line(schema: Any) -> None:
    reason = trial_compile(Constraint(ConstraintKind.JSON_SCHEMA, json.dumps(schema)), VOCABULARY)
    assert reason is None or (reason and "\n" not in reason)


@BOUNDED
@given(SCHEMAS, st.sampled_from(TEMPLATES), st.booleans(), st.booleans())
def test_a_tool_is_held_to_as_far_as_can_be_or_refused_by_name(
    schema: Any, template: str, strict: bool, forced: bool
) -> None:
    tools = [Tool("f", "", json.dumps(schema).encode(), strict), GOOD]
    choose_parser(source(template), tools).push(CALL)
    said, made = "", None
    try:
        made = (force_tools if forced else offer_tools)(source(template), tools, TOKENIZER)
    except ConstraintError as error:
        said = str(error)
    if made is not None:
        assert trial_compile(made, VOCABULARY) is None
    else:
        assert "tool 'f'" in said
        assert strict or said.startswith("parameters of the tool 'f': ")


@BOUNDED
@given(st.text(max_size=60), st.sampled_from([ConstraintKind.LARK, ConstraintKind.REGEX, ConstraintKind.JSON_SCHEMA]))
def test_any_text_is_a_source_or_refused(text: str, kind: ConstraintKind) -> None:
    assert "\n" not in (trial_compile(Constraint(kind, text), VOCABULARY) or "")


PIECES = [
    "start: ",
    "root ::= ",
    "a",
    "b: ",
    '"x"',
    "/[a-z]+/",
    " | ",
    "(",
    ")",
    "*",
    "?",
    "{1,9}",
    "\n",
    "%json {}",
    "&",
]


@BOUNDED
@given(st.lists(st.sampled_from([*PIECES, "&", "~", "[lazy]", "<[1]>", "%ignore ", "A: ", "A", " "]), max_size=25))
def test_any_pieces_of_a_grammar_are_one_or_refused(pieces: list[str]) -> None:
    for kind in (ConstraintKind.LARK, ConstraintKind.REGEX):
        trial_compile(Constraint(kind, "".join(pieces)), VOCABULARY)
