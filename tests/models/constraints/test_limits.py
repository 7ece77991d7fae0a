"""What is too large is refused with the number and the limit, and nothing native sees it."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import numpy as np
import pytest

from mlxr.models.constraints import ConstraintError, Matcher, Vocabulary, force_tools, trial_compile
from mlxr.models.constraints.limits import MOST_CHAIN, check_size
from mlxr.models.constraints.longest_path import longest_path
from mlxr.runtime.messages.common import Constraint, ConstraintKind
from mlxr.runtime.messages.tokenizer import Tool
from tests.models.constraints.vocabulary import ByteTokenizer
from tests.models.output.answers import source
from tests.processor_time import at_most

VOCABULARY = Vocabulary(ByteTokenizer(), 257)
LEAF = {"type": "string"}


def schema(value: Any) -> Constraint:
    return Constraint(ConstraintKind.JSON_SCHEMA, json.dumps(value))


def lark(source: str) -> Constraint:
    return Constraint(ConstraintKind.LARK, source)


def regex(source: str) -> Constraint:
    return Constraint(ConstraintKind.REGEX, source)


def chain(count: int, link: Any) -> dict[str, Any]:
    """``count`` definitions, each of which leads to the next as ``link`` says."""
    definitions = {f"d{i}": link({"$ref": f"#/$defs/d{i + 1}"}) for i in range(count)}
    return {"$ref": "#/$defs/d0", "$defs": {**definitions, f"d{count}": LEAF}}


LINKS = {
    "bare": lambda next: next,
    "properties": lambda next: {"type": "object", "properties": {"a": next}},
    "patterns": lambda next: {"type": "object", "patternProperties": {"^a": next}},
    "others": lambda next: {"type": "object", "additionalProperties": next},
    "any of": lambda next: {"anyOf": [{"type": "null"}, next]},
    "one of": lambda next: {"oneOf": [{"type": "null"}, next]},
    "all of": lambda next: {"allOf": [next]},
    "items": lambda next: {"type": "array", "items": next},
    "prefix": lambda next: {"type": "array", "prefixItems": [next]},
}

RULES = {
    "lark": lambda n: "start: r0\n" + "".join(f'r{i}: "a" r{i + 1}\n' for i in range(n)) + f'r{n}: "b"\n',
    "terminals": lambda n: "start: R0\n" + "".join(f'R{i}: "a" R{i + 1}\n' for i in range(n)) + f'R{n}: "b"\n',
    "gbnf": lambda n: "root ::= r0\n" + "".join(f'r{i} ::= "a" r{i + 1}\n' for i in range(n)) + f'r{n} ::= "b"\n',
}


@pytest.mark.parametrize("count", [MOST_CHAIN, 3000])
@pytest.mark.parametrize("link", LINKS)
def test_a_long_chain_of_references_is_refused(link: str, count: int) -> None:
    reason = trial_compile(schema(chain(count, LINKS[link]))) or ""
    assert "subschemas, and at most" in reason


@pytest.mark.parametrize("link", LINKS)
def test_a_chain_within_the_limit_is_compiled_on_whatever_thread(link: str) -> None:
    assert trial_compile(schema(chain(MOST_CHAIN // 2 - 2, LINKS[link])), VOCABULARY) is None


@pytest.mark.parametrize("kind", RULES)
def test_a_long_chain_of_rules_is_refused_and_one_within_the_limit_compiled(kind: str) -> None:
    assert "chain of rules has" in (trial_compile(lark(RULES[kind](3000))) or "")
    assert trial_compile(lark(RULES[kind](MOST_CHAIN - 10)), VOCABULARY) is None


def test_a_chain_of_references_in_a_schema_within_a_grammar_is_refused() -> None:
    inner = json.dumps(chain(3000, LINKS["bare"]))
    assert "chain of references" in (trial_compile(lark(f"start: %json {inner}\n")) or "")


def test_references_that_go_round_are_no_endless_chain() -> None:
    tree = {"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}
    assert trial_compile(schema(tree), VOCABULARY) is None
    assert longest_path({"a": ["b", "c"], "b": ["c"], "c": ["a"]}) == 3
    assert "refused" in (
        trial_compile(schema({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}})) or "refused"
    )


def nested(depth: int, wrap: Any) -> Any:
    made: Any = LEAF
    for _ in range(depth):
        made = wrap(made)
    return made


@pytest.mark.parametrize(
    ("constraint", "words"),
    [
        (schema(nested(60, lambda s: {"properties": {"a": s}})), "levels of nesting, and at most 100"),
        (schema(nested(300, lambda s: {"items": s})), "levels of nesting"),
        (schema({"const": nested(300, lambda s: [s])}), "levels of nesting"),
        (schema({"properties": {f"p{i}": LEAF for i in range(2_000)}}), "2000 members, and at most 1000"),
        (schema({"anyOf": [{"const": i} for i in range(2_000)]}), "2000 members, and at most 1000"),
        (schema({"enum": list(range(30_000))}), "30000 values in `enum`, and at most 20000"),
        (schema({"patternProperties": {f"^x{i}(a|b){{400}}c*$": {} for i in range(60)}}), "60 members, and at most 16"),
        (schema({"type": "string", "pattern": "a{100000}"}), "100000 repetitions of one thing"),
        (
            schema({"$defs": {str(i): {"properties": {"a": LEAF}} for i in range(3_000)}}),
            "subschemas, and at most 5000",
        ),
        (schema({"description": "x" * 600_000}), "bytes, and at most"),
        (regex("a" * 10_000_000), "10000000 characters, and at most"),
        (regex("(" * 3_000 + "a" + ")*" * 3_000), "3000 groups within each other, and at most 100"),
        (regex("[(]a{99999999999999999999}"), "repetitions of one thing"),
        (lark("start: " + "(" * 3_000 + '"a"' + ")" * 3_000), "groups within each other"),
        (lark("root ::= " + "(" * 3_000 + '"a"' + ")" * 3_000), "groups within each other"),
        (lark("start: A\nA: " + " & ".join(f"/.*a{i}.*/" for i in range(64))), "63 intersections, and at most 8"),
        (lark("start: A0\nA9: /.*/\n" + "".join(f"A{i}: A{i + 1} & /a.*b/\n" for i in range(9))), "9 intersections"),
        (lark("start: " + " | ".join(f'"v{i}"' for i in range(60_000))), "59999 alternatives, and at most 10000"),
        (regex("|".join("ab" for _ in range(60_000))), "59999 alternatives, and at most 10000"),
        (lark("start: /" + "(" * 3_000 + "a" + ")" * 3_000 + "/"), "groups within each other"),
        (lark("".join(f'r{i}: "a"\n' for i in range(6_000)) + "start: r1"), "6001 rules, and at most 5000"),
        (lark('start: "' + "a" * 2_000_000 + '"'), "bytes, and at most"),
    ],
)
def test_what_is_too_large_is_refused_with_its_number_and_the_limit(constraint: Constraint, words: str) -> None:
    assert words in (trial_compile(constraint) or "")


def test_a_repetition_in_a_class_or_behind_a_backslash_is_none() -> None:
    for pattern in (r"[{99999}]", r"a\{99999\}", r"[((((]{3}"):
        assert trial_compile(regex(pattern)) is None


@pytest.mark.parametrize(
    "constraint",
    [
        schema({"properties": {f"property_{i}": {"type": ["string", "null"]} for i in range(600)}}),
        schema({"enum": [f"value number {i}" for i in range(1_000)]}),
        schema({"anyOf": [{"properties": {"kind": {"const": f"k{i}"}}, "required": ["kind"]} for i in range(200)]}),
        schema(nested(15, lambda s: {"type": "object", "properties": {"a": {"type": "array", "items": s}}})),
        schema({"type": "string", "maxLength": 100_000}),
        schema({"type": "array", "items": {"type": "integer"}, "maxItems": 10_000}),
        regex("|".join(f"(?:choice number {i})" for i in range(2_000))),
        regex(r"[A-Z]{2}[0-9]{2}( ?[A-Z0-9]{4}){3,7}"),
        lark('start: e\ne: e "+" t | t\nt: /[0-9]+/ | "(" e ")"\n'),
    ],
)
def test_what_people_write_is_taken(constraint: Constraint) -> None:
    assert trial_compile(constraint, VOCABULARY) is None


def test_a_tool_that_is_too_large_is_named() -> None:
    big = Tool("f", "", json.dumps(chain(1_500, LINKS["properties"])).encode())
    with pytest.raises(ConstraintError, match=r"parameters of the tool 'f'.*chain of references has .* at most 500"):
        force_tools(source("qwen3"), [Tool("g"), big], ByteTokenizer())


def optional(count: int, name: str = "field") -> dict[str, Any]:
    return {"type": "object", "properties": {f"{name}{i}": LEAF for i in range(count)}}


@pytest.mark.parametrize("count", [600, 1_000])
def test_an_object_of_many_properties_that_need_not_be_there_is_held_to(count: int) -> None:
    constraint = schema(optional(count))
    assert trial_compile(constraint, VOCABULARY) is None
    matcher = Matcher(VOCABULARY, constraint)
    mask = np.zeros(VOCABULARY.mask_words, np.int32)
    for byte in json.dumps({"field7": "a", f"field{count - 1}": "b"}).encode():
        matcher.mask_into(mask)
        assert matcher.consume(byte), matcher.error


def test_what_becomes_too_much_within_an_answer_is_found_in_a_trial() -> None:
    wide = {"anyOf": [optional(1_000, f"f{i}") for i in range(4)]}
    for each in (wide, {"type": "object", "properties": {"a": wide}, "required": ["a"]}, {"anyOf": [LEAF, wide]}):
        assert trial_compile(schema(each)) is None
        reason = trial_compile(schema(each), VOCABULARY) or ""
        assert "items are possible at one place" in reason
        assert "<" not in reason


@pytest.mark.parametrize(
    "constraint",
    [
        regex("[" * 200_000),
        regex("[a" * 100_000),
        lark("start: " + '"\\' * 400_000),
        lark("start: " + "/\\" * 400_000),
        lark("a" * 800_000),
        lark("a" + "[" * 800_000),
        lark("a " * 400_000),
        lark(" " * 800_000),
    ],
    ids=["classes", "classes of a", "quotes", "slashes", "a name", "brackets", "words", "space"],
)
def test_finding_out_takes_time_by_the_length_not_by_its_square(constraint: Constraint) -> None:
    with at_most(5.0), contextlib.suppress(ConstraintError):
        check_size(constraint)
