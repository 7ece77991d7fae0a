"""Forced tool calls: whatever a model does under the masks, its family's parser finds calls that fit."""

from __future__ import annotations

import json
import re

import pytest
from msgspec import Raw

from mlxr.models.chat import choose_parser
from mlxr.models.constraints import (
    FREE,
    ConstraintError,
    Matcher,
    ReasoningMode,
    Vocabulary,
    after_reasoning,
    force_tools,
)
from mlxr.runtime.messages.common import Constraint, ConstraintKind, ReasoningSection
from mlxr.runtime.messages.tokenizer import Tool
from tests.models.constraints.vocabulary import END, ByteTokenizer, allowed, walk
from tests.models.output.answers import calls, content, merged, reasoning, source

SCHEMA = b"""{"type":"object","properties":{
    "city":{"type":"string"},"days":{"type":"integer"},"unit":{"enum":["C","F"]}},
    "required":["city","days"],"additionalProperties":false}"""
TOOLS = [Tool("get_weather", "", Raw(SCHEMA)), Tool("now")]
TEMPLATES = [
    *("smollm2", "smollm3", "qwen2.5", "qwen3", "qwen3-coder", "llama-3", "mistral-nemo", "mistral-small-3.2", "phi-4"),
    *("phi-4-mini", "gemma-3", "deepseek-r1-distill", "deepseek-v3.1", "gpt-oss"),
    *("<|tool_calls_section_begin|>", "<|tool_call_start|>", "<tool_call><arg_key>", "<start_function_call>"),
]


def answer(template: str, constraint: Constraint, tokenizer: ByteTokenizer, seed: int) -> str:
    vocabulary = Vocabulary(tokenizer, tokenizer.vocab_size)
    return tokenizer.decode(walk(Matcher(vocabulary, constraint), vocabulary, seed))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("markers_are_tokens", [False, True])
@pytest.mark.parametrize("template", TEMPLATES)
def test_a_forced_call_cannot_fail(template: str, markers_are_tokens: bool, seed: int) -> None:
    markers = choose_parser(source(template), TOOLS).markers
    tokenizer = ByteTokenizer([m for m in markers if m.endswith((">", "]"))] if markers_are_tokens else [])
    text = answer(template, force_tools(source(template), TOOLS, tokenizer), tokenizer, seed)
    parser = choose_parser(source(template), TOOLS)
    events = merged(parser.push(text) + parser.finish())
    assert content(events) == ""
    assert not parser.open_call
    found = calls(events)
    assert found
    for name, text in found:
        arguments = json.loads(text)
        if name == "now":
            assert arguments == {}
        else:
            assert name == "get_weather"
            assert {"city": str, "days": int} == {k: type(v) for k, v in arguments.items() if k != "unit"}
            assert arguments.get("unit", "C") in ("C", "F")


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_named_function_is_the_only_one_called(template: str) -> None:
    tokenizer = ByteTokenizer()
    constraint = force_tools(source(template), TOOLS, tokenizer, choice="now", parallel=False)
    parser = choose_parser(source(template), TOOLS)
    found = calls(merged(parser.push(answer(template, constraint, tokenizer, 1)) + parser.finish()))
    assert found == [("now", "{}")]


def test_several_calls_are_possible_only_where_wanted() -> None:
    tokenizer = ByteTokenizer()
    call = b'<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
    for parallel in (True, False):
        vocabulary = Vocabulary(tokenizer, tokenizer.vocab_size)
        matcher = Matcher(vocabulary, force_tools(source("qwen3"), TOOLS, tokenizer, parallel=parallel))
        assert all(matcher.consume(byte) for byte in call)
        assert matcher.stopped is not parallel


def test_a_model_may_think_before_a_forced_call() -> None:
    tokenizer = ByteTokenizer()
    constraint = force_tools(source("qwen3"), TOOLS, tokenizer, mode=ReasoningMode.MAY)
    vocabulary = Vocabulary(tokenizer, tokenizer.vocab_size)
    for text in ("<think>\nwell < what\n</think>\n\n<tool_call>", "<tool_call>"):
        matcher = Matcher(vocabulary, constraint)
        assert all(matcher.consume(byte) for byte in text.encode()), matcher.error
        assert allowed(matcher, vocabulary) == [ord("\n")]
    assert allowed(Matcher(vocabulary, constraint), vocabulary) == [ord("<")]


def test_a_forced_call_waits_for_the_end_of_open_reasoning() -> None:
    constraint = force_tools(source("qwen3"), TOOLS, ByteTokenizer(), mode=ReasoningMode.OPEN)
    assert constraint.reasoning == ReasoningSection("</think>")


def test_gpt_oss_may_think_before_a_forced_call() -> None:
    tokenizer = ByteTokenizer(choose_parser(source("gpt-oss"), TOOLS).markers)
    text = answer("gpt-oss", force_tools(source("gpt-oss"), TOOLS, tokenizer), tokenizer, 3)
    parser = choose_parser(source("gpt-oss"), TOOLS)
    events = merged(parser.push("<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant" + text) + parser.finish())
    assert reasoning(events).startswith("Hm.")
    assert len(calls(events)) == 1


BYTES = ByteTokenizer()

FORMATS = {
    ConstraintKind.JSON_OBJECT: "",
    ConstraintKind.JSON_SCHEMA: '{"type": "object"}',
    ConstraintKind.REGEX: r"\{\"a/b\": [0-9]\}",
    ConstraintKind.LARK: 'start: "{" reasoning "}"\nreasoning: /"a.b": [0-9]/',
}


@pytest.mark.parametrize("kind", FORMATS)
def test_structured_output_begins_after_reasoning(kind: ConstraintKind) -> None:
    plain = Constraint(kind, FORMATS[kind])
    assert after_reasoning(plain, source("qwen3"), BYTES, ReasoningMode.OFF) == plain
    assert after_reasoning(plain, source("qwen3"), BYTES, ReasoningMode.OPEN).reasoning == ReasoningSection("</think>")
    assert after_reasoning(plain, source("gpt-oss"), BYTES, ReasoningMode.OFF).reasoning == ReasoningSection(
        "<|channel|>final<|message|>"
    )
    optional = after_reasoning(plain, source("qwen3"), BYTES, ReasoningMode.MAY)
    tokenizer = ByteTokenizer()
    vocabulary = Vocabulary(tokenizer, tokenizer.vocab_size)
    for text in ('<think>{ so }</think>\n{"a/b": 1}', '{"a/b": 1}'):
        matcher = Matcher(vocabulary, optional)
        assert all(matcher.consume(byte) for byte in text.encode()), matcher.error
        assert matcher.allows(END)
    for text in ("<thunk>", "<think>{ so }</think>no"):
        matcher = Matcher(vocabulary, optional)
        assert not all(matcher.consume(byte) for byte in text.encode())


def test_a_budget_ends_reasoning_that_goes_on_for_too_long() -> None:
    tokenizer = ByteTokenizer(["</think>"])
    vocabulary = Vocabulary(tokenizer, tokenizer.vocab_size)
    for mode, text in ((ReasoningMode.OPEN, "Hmmm"), (ReasoningMode.MAY, "<think>Hmmm")):
        matcher = Matcher(vocabulary, after_reasoning(FREE, source("qwen3"), BYTES, mode, budget=4))
        for byte in text.encode():
            assert byte in allowed(matcher, vocabulary)
            matcher.consume(byte)
        assert allowed(matcher, vocabulary) == [257]
        matcher.consume(257)
        assert len(allowed(matcher, vocabulary)) == 32 * vocabulary.mask_words


def test_a_marker_that_is_text_is_forced_token_by_token() -> None:
    tokenizer = ByteTokenizer()
    vocabulary = Vocabulary(tokenizer, tokenizer.vocab_size)
    plain = Constraint(ConstraintKind.REGEX, "[0-9]+")
    matcher = Matcher(vocabulary, after_reasoning(plain, source("qwen3"), BYTES, ReasoningMode.OPEN, budget=2))
    for byte in b"Hm</think>":
        assert byte in allowed(matcher, vocabulary)
        matcher.consume(byte)
    assert allowed(matcher, vocabulary) == [ord("\n"), *b"0123456789"]


def test_gpt_oss_has_a_budget_for_its_analysis_alone() -> None:
    constraint = after_reasoning(FREE, source("gpt-oss"), BYTES, ReasoningMode.OFF, budget=9)
    assert constraint.reasoning == ReasoningSection("<|end|>", "<|channel|>analysis<|message|>", 9)
    own = Constraint(ConstraintKind.LARK, FORMATS[ConstraintKind.LARK])
    with pytest.raises(ConstraintError, match="grammar of your own"):
        after_reasoning(own, source("gpt-oss"), BYTES, ReasoningMode.OFF, budget=9)


def harmony() -> tuple[ByteTokenizer, Vocabulary]:
    tokenizer = ByteTokenizer(choose_parser(source("gpt-oss"), TOOLS).markers)
    return tokenizer, Vocabulary(tokenizer, tokenizer.vocab_size)


def tokens(tokenizer: ByteTokenizer, text: str) -> list[int]:
    """``text`` with its markers as control tokens."""
    pieces = re.split(r"(<\|\w+\|>)", text)
    return [token for piece in pieces if piece for token in tokenizer.encode(piece)]


HEADER = "<|start|>assistant<|channel|>final<|message|>"


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind is not ConstraintKind.LARK])
def test_gpt_oss_keeps_to_a_format_behind_an_analysis_that_its_budget_cuts(kind: ConstraintKind) -> None:
    tokenizer, vocabulary = harmony()
    plain = Constraint(kind, FORMATS[kind])
    constraint = after_reasoning(plain, source("gpt-oss"), tokenizer, ReasoningMode.MAY, budget=4)
    cut, short, none = "<|channel|>analysis<|message|>Hmmm", "<|channel|>analysis<|message|>Hm<|end|>", ""
    for thoughts in (cut, short, none):
        matcher = Matcher(vocabulary, constraint)
        assert all(matcher.consume(token) for token in tokens(tokenizer, thoughts)), matcher.error
        if thoughts == cut:
            assert allowed(matcher, vocabulary) == tokens(tokenizer, "<|end|>")
            assert matcher.consume(*tokens(tokenizer, "<|end|>"))
        header = HEADER if thoughts else HEADER.removeprefix("<|start|>assistant")
        for token in tokens(tokenizer, f'{header}{{"a/b": 1}}'):
            assert token in allowed(matcher, vocabulary), matcher.error
            assert matcher.consume(token)
        assert matcher.allows(END)
        assert END in allowed(matcher, vocabulary)


def test_gpt_oss_answers_nothing_but_its_format_behind_a_cut_analysis() -> None:
    tokenizer, vocabulary = harmony()
    plain = Constraint(ConstraintKind.JSON_SCHEMA, '{"type": "object", "properties": {"q": {"type": "null"}}}')
    constraint = after_reasoning(plain, source("gpt-oss"), tokenizer, ReasoningMode.MAY, budget=2)
    for wrong in (f"<|end|>{HEADER}no", "<|end|><|start|>assistant<|channel|>commentary", "m"):
        matcher = Matcher(vocabulary, constraint)
        given = tokens(tokenizer, f"<|channel|>analysis<|message|>Hm{wrong}")
        possible = [token in allowed(matcher, vocabulary) and matcher.consume(token) for token in given]
        assert not all(possible), wrong


@pytest.mark.parametrize("seed", range(4))
def test_gpt_oss_calls_a_forced_tool_behind_a_cut_analysis(seed: int) -> None:
    tokenizer, vocabulary = harmony()
    matcher = Matcher(vocabulary, force_tools(source("gpt-oss"), TOOLS, tokenizer, budget=3))
    begun = tokens(tokenizer, "<|channel|>analysis<|message|>Hmm<|end|>")
    assert all(matcher.consume(token) for token in begun), matcher.error
    text = tokenizer.decode([*begun, *walk(matcher, vocabulary, seed)])
    parser = choose_parser(source("gpt-oss"), TOOLS)
    events = merged(parser.push(text) + parser.finish())
    assert (reasoning(events), content(events)) == ("Hmm", "")
    assert len(calls(events)) == 1


@pytest.mark.parametrize(
    ("tools", "choice", "message"),
    [
        (TOOLS, "nope", "'nope', and the tools are: get_weather, now"),
        ([], "required", "the tools are: none"),
        ([Tool("f", "", Raw(b'{"type": "string"}'))], "f", "not the schema of an object"),
        ([Tool("f", "", Raw(b"{"))], "f", "not JSON"),
    ],
)
def test_a_choice_that_cannot_be_forced_is_refused(tools: list[Tool], choice: str, message: str) -> None:
    with pytest.raises(ConstraintError, match=message):
        force_tools(source("qwen3"), tools, ByteTokenizer(), choice=choice)
