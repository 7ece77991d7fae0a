"""Masks and progress over real grammars."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys

import numpy as np
import pytest

from mlxr.models.constraints import ConstraintError, Matcher, Vocabulary, trial_compile
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.tokenizers import Tokenizer, load_gguf
from mlxr.runtime.messages.common import Constraint, ConstraintKind, ReasoningSection
from tests.models import model_path
from tests.models.constraints.vocabulary import END, ByteTokenizer, allowed, walk

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 8}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
)
PERSON = Constraint(ConstraintKind.JSON_SCHEMA, SCHEMA)
CONSTRAINTS = {
    "schema": PERSON,
    "object": Constraint(ConstraintKind.JSON_OBJECT),
    "regex": Constraint(ConstraintKind.REGEX, "[a-c]{2,4}-[0-9]+"),
    "lark": Constraint(ConstraintKind.LARK, 'start: "yes" | "no" digits\ndigits: /[0-9]{3}/\n'),
    "gbnf": Constraint(ConstraintKind.LARK, 'root ::= "yes" | "no"'),
}


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary(ByteTokenizer(["<think>", "</think>"]), 300)


@pytest.fixture(scope="module")
def smollm2() -> Tokenizer:
    return load_gguf(GGUFFile.open(model_path("smollm2")).metadata)


def sections() -> list[Constraint]:
    """A schema behind each kind of section that may come before it."""
    person = (PERSON.kind, PERSON.source)
    return [
        Constraint(*person, ReasoningSection("</think>", opening, budget))
        for opening in (None, "<think>")
        for budget in (None, 3)
    ]


@pytest.mark.parametrize("constraint", [*CONSTRAINTS.values(), *sections()], ids=str)
def test_a_token_is_allowed_where_the_mask_has_its_bit(vocabulary: Vocabulary, constraint: Constraint) -> None:
    choose = random.Random(1)
    matcher = Matcher(vocabulary, constraint)
    for _ in range(60):
        ids = [token for token in allowed(matcher, vocabulary) if token < vocabulary.size]
        assert [token for token in range(vocabulary.size) if matcher.allows(token)] == ids
        plain = [token for token in ids if token in range(0x20, 0x7F) or token >= 256]
        token = choose.choice(plain or ids)
        if token == END:
            break
        assert matcher.consume(token)


@pytest.mark.parametrize("seed", range(5))
def test_any_output_the_masks_allow_fits_the_schema(vocabulary: Vocabulary, seed: int) -> None:
    value = json.loads(bytes(walk(Matcher(vocabulary, PERSON), vocabulary, seed)))
    assert set(value) == {"name", "age"}
    assert isinstance(value["name"], str)
    assert isinstance(value["age"], int)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("object", '{"a": [1, true]}', "[1]"),
        ("regex", "abc-12", "d"),
        ("lark", "no123", "no12x"),
        ("gbnf", "yes", "yeah"),
    ],
)
def test_every_kind_of_source_is_enforced(vocabulary: Vocabulary, name: str, good: str, bad: str) -> None:
    matcher = Matcher(vocabulary, CONSTRAINTS[name])
    assert all(matcher.consume(token) for token in good.encode())
    assert matcher.allows(END)
    assert END in allowed(matcher, vocabulary)
    matcher = Matcher(vocabulary, CONSTRAINTS[name])
    assert not all(matcher.consume(token) for token in bad.encode())
    assert matcher.error


def test_json_comes_without_superfluous_space(vocabulary: Vocabulary) -> None:
    matcher = Matcher(vocabulary, PERSON)
    assert matcher.consume(ord("{"))
    assert ord("\n") not in allowed(matcher, vocabulary)


def test_nothing_but_the_end_follows_a_complete_output(vocabulary: Vocabulary) -> None:
    matcher = Matcher(vocabulary, CONSTRAINTS["gbnf"])
    for token in b"yes":
        assert matcher.consume(token)
    assert matcher.stopped
    assert allowed(matcher, vocabulary) == [END]


def test_ids_beyond_the_vocabulary_are_never_allowed(vocabulary: Vocabulary) -> None:
    row = np.full(vocabulary.mask_words + 3, 7, np.int32)
    Matcher(vocabulary, CONSTRAINTS["object"]).mask_into(row)
    assert not row[vocabulary.mask_words :].any()
    assert max(allowed(Matcher(vocabulary, CONSTRAINTS["object"]), vocabulary)) < 300


@pytest.mark.parametrize(
    ("constraint", "reason"),
    [
        (Constraint(ConstraintKind.JSON_SCHEMA, "{"), "not JSON"),
        (Constraint(ConstraintKind.JSON_SCHEMA, "[1]"), "must be an object or boolean"),
        (Constraint(ConstraintKind.JSON_SCHEMA, '{"type": "who"}'), "none of JSON's types"),
        (Constraint(ConstraintKind.JSON_SCHEMA, '{"$ref": "#/x"}'), "`.ref` at '#' leads to '#/x', which is not there"),
        (Constraint(ConstraintKind.JSON_SCHEMA, '{"not": {"type": "string"}}'), "`not` at '#' can't be held to"),
        (Constraint(ConstraintKind.REGEX, "(a"), "unclosed group"),
        (Constraint(ConstraintKind.LARK, "start: foo"), "unknown name"),
        (Constraint(ConstraintKind.LARK, "root ::= ("), "GBNF"),
    ],
)
def test_a_source_that_cannot_be_enforced_is_refused_with_the_reason(
    vocabulary: Vocabulary, constraint: Constraint, reason: str
) -> None:
    assert re.search(reason, trial_compile(constraint) or "")
    with pytest.raises(ConstraintError, match=reason):
        Matcher(vocabulary, constraint)


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_a_good_source_has_nothing_wrong_with_it(name: str) -> None:
    assert trial_compile(CONSTRAINTS[name]) is None


def test_everything_is_allowed_until_the_reasoning_ends(vocabulary: Vocabulary) -> None:
    matcher = Matcher(vocabulary, Constraint(PERSON.kind, PERSON.source, ReasoningSection("</think>")))
    assert len(allowed(matcher, vocabulary)) >= 258
    for token in b"Hm {</thin":
        assert matcher.consume(token)
    assert matcher.allows(ord("z"))
    assert matcher.consume(258)
    assert allowed(matcher, vocabulary) == [ord("\n"), ord("{")]


@pytest.mark.parametrize("closing", ["</think>", "END"])
def test_an_answer_can_not_end_within_its_reasoning(vocabulary: Vocabulary, closing: str) -> None:
    matcher = Matcher(vocabulary, Constraint(PERSON.kind, PERSON.source, ReasoningSection(closing)))
    for token in b"Hm":
        assert matcher.consume(token)
    assert END not in allowed(matcher, vocabulary)
    matcher.refuse(END)
    for token in vocabulary.spelled(closing.encode()):
        assert allowed(matcher, vocabulary) == [token]
        assert matcher.consume(token)
    assert ord("{") in allowed(matcher, vocabulary)
    assert END not in allowed(matcher, vocabulary)


def test_reasoning_that_is_all_may_end() -> None:
    vocabulary = Vocabulary(ByteTokenizer(), 257)
    matcher = Matcher(vocabulary, Constraint(ConstraintKind.FREE, reasoning=ReasoningSection("</think>", budget=9)))
    assert END in allowed(matcher, vocabulary)


@pytest.mark.parametrize("between", [b"", b"\n"])
def test_a_line_break_may_stand_behind_the_reasoning(vocabulary: Vocabulary, between: bytes) -> None:
    matcher = Matcher(vocabulary, Constraint(PERSON.kind, PERSON.source, ReasoningSection("</think>")))
    for token in (258, *between, *b'{"name": "a", "age": 1}'):
        assert token in allowed(matcher, vocabulary)
        assert matcher.consume(token)
    assert matcher.stopped


def test_a_token_that_ends_the_reasoning_may_begin_the_answer(smollm2: Tokenizer) -> None:
    vocabulary = Vocabulary(smollm2, smollm2.vocab_size)
    matcher = Matcher(vocabulary, Constraint(PERSON.kind, PERSON.source, ReasoningSection("x")))
    (token,) = smollm2.encode("ax", add_special=False)
    assert matcher.consume(token)
    assert {smollm2.token_bytes(token) for token in allowed(matcher, vocabulary)} == {b'{"', b"\n", b"\n\n"}


def test_a_real_vocabulary_is_held_to_the_schema(smollm2: Tokenizer) -> None:
    vocabulary = Vocabulary(smollm2, smollm2.vocab_size)
    matcher = Matcher(vocabulary, PERSON)
    for token in smollm2.encode('{"name": "Ada", "age": 36}', add_special=False):
        assert token in allowed(matcher, vocabulary)
        assert matcher.consume(token)
    assert any(map(matcher.allows, vocabulary.ends))
    assert set(allowed(matcher, vocabulary)) == {0, 2}


def test_llguidance_is_not_imported_before_a_constraint_is_used() -> None:
    code = "import sys, mlxr.models.constraints; sys.exit('llguidance' in sys.modules or 'mlx.core' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
