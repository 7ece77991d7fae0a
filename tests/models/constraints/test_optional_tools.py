"""Tools that may be called: text stays free, and what becomes a call is held to its schema."""

from __future__ import annotations

import itertools
import json

import pytest
from msgspec import Raw
from msgspec.structs import replace

from mlxr.models.chat import choose_parser
from mlxr.models.constraints import ConstraintError, Matcher, ReasoningMode, Vocabulary, offer_tools, trial_compile
from mlxr.runtime.messages.common import Constraint, ConstraintKind
from mlxr.runtime.messages.tokenizer import Tool
from tests.models.constraints.test_tool_calls import TEMPLATES, TOOLS
from tests.models.constraints.vocabulary import END, ByteTokenizer, allowed, walk
from tests.models.output.answers import calls, merged, source

STRICT = [replace(tool, strict=True) for tool in TOOLS]
ANSWER = Constraint(ConstraintKind.JSON_SCHEMA, '{"type": "object", "properties": {"q": {"type": "null"}}}')
NOW = {
    "qwen3": '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>',
    "qwen3-coder": "<tool_call>\n<function=now>\n</function>\n</tool_call>",
    "llama-3": '{"name": "now", "parameters": {}}',
    "mistral-nemo": '[TOOL_CALLS][{"name": "now", "arguments": {}}]',
    "mistral-small-3.2": "[TOOL_CALLS]now[ARGS]{}",
    "gpt-oss": "<|channel|>commentary to=functions.now <|constrain|>json<|message|>{}",
}


def matcher_of(template: str, answer: Constraint | None = None, **options: object) -> tuple[Matcher, ByteTokenizer]:
    tokenizer = ByteTokenizer()
    constraint = offer_tools(source(template), STRICT, tokenizer, answer, **options)  # type: ignore[arg-type]
    return Matcher(Vocabulary(tokenizer, tokenizer.vocab_size), constraint), tokenizer


def takes(matcher: Matcher, text: str) -> bool:
    return all(matcher.consume(byte) for byte in text.encode())


@pytest.mark.parametrize("template", NOW)
def test_text_stays_free(template: str) -> None:
    text = "Well, it's <b>late</b>\n\n[1] {so} what?"
    matcher, _ = matcher_of(template)
    assert takes(matcher, f"<|channel|>final<|message|>{text}" if template == "gpt-oss" else text), matcher.error
    assert matcher.allows(END)


@pytest.mark.parametrize("template", NOW)
def test_a_call_may_follow_text_and_must_fit(template: str) -> None:
    before = "" if template in ("gpt-oss", "llama-3") else "I'll look. "
    matcher, _ = matcher_of(template)
    assert takes(matcher, before + NOW[template]), matcher.error
    assert matcher.allows(END)
    matcher, _ = matcher_of(template)
    assert not takes(matcher, before + NOW[template].replace("now", "new"))


@pytest.mark.parametrize("template", TEMPLATES)
def test_whatever_a_model_does_its_calls_fit(template: str) -> None:
    sign = choose_parser(source(template), TOOLS).markers
    tokenizer = ByteTokenizer([marker for marker in sign if marker.endswith((">", "]"))])
    vocabulary = Vocabulary(tokenizer, tokenizer.vocab_size)
    made = offer_tools(source(template), STRICT, tokenizer, ANSWER)
    called, seed = 0, 0
    while called < 4:
        seed += 1
        text = tokenizer.decode(walk(Matcher(vocabulary, made), vocabulary, seed))
        parser = choose_parser(source(template), TOOLS)
        for name, arguments in calls(merged(parser.push(text) + parser.finish())):
            assert {"get_weather": {"city", "days"}, "now": set()}[name] <= set(json.loads(arguments))
            called += 1
        assert seed < 60, "no walk ends in a call"


@pytest.mark.parametrize("template", NOW)
def test_an_answer_has_its_format_or_is_a_call(template: str) -> None:
    final = "<|channel|>final<|message|>" if template == "gpt-oss" else ""
    for text in (f'{final}{{"q": null}}', NOW[template]):
        matcher, _ = matcher_of(template, ANSWER)
        assert takes(matcher, text), matcher.error
        assert matcher.allows(END)
    matcher, _ = matcher_of(template, ANSWER)
    assert not takes(matcher, f"{final}hello")


def test_reasoning_comes_before_both() -> None:
    for text in ('<think>{"q"</think>\n{"q": null}', '{"q": null}', "<think>so</think>\n" + NOW["qwen3"]):
        matcher, _ = matcher_of("qwen3", ANSWER, mode=ReasoningMode.MAY)
        assert takes(matcher, text), matcher.error
        assert matcher.allows(END)


def test_gpt_oss_answers_in_its_format_or_calls_behind_an_analysis_with_a_budget() -> None:
    thoughts = "<|channel|>analysis<|message|>so<|end|><|start|>assistant"
    for before, text in itertools.product(("", thoughts), ('<|channel|>final<|message|>{"q": null}', NOW["gpt-oss"])):
        matcher, _ = matcher_of("gpt-oss", ANSWER, budget=20)
        assert takes(matcher, before + text), matcher.error
        assert matcher.allows(END)
    matcher, tokenizer = matcher_of("gpt-oss", ANSWER, budget=2)
    assert takes(matcher, "<|channel|>analysis<|message|>so"), matcher.error
    assert allowed(matcher, Vocabulary(tokenizer, tokenizer.vocab_size)) == [ord("<")]


def test_one_call_is_all_where_calls_are_not_parallel() -> None:
    matcher, tokenizer = matcher_of("qwen3", parallel=False)
    assert takes(matcher, NOW["qwen3"])
    vocabulary = Vocabulary(tokenizer, tokenizer.vocab_size)
    assert ord("\n") not in allowed(matcher, vocabulary)
    matcher, _ = matcher_of("qwen3")
    assert takes(matcher, NOW["qwen3"] + "\n" + NOW["qwen3"])


def test_a_schema_that_cannot_be_held_to_is_refused_only_where_it_is_strict() -> None:
    tool = Tool("f", "", Raw(b'{"type": "object", "properties": {"a": {"not": {}}}}'))
    assert trial_compile(offer_tools(source("qwen3"), [tool], ByteTokenizer(), ANSWER)) is None
    with pytest.raises(ConstraintError, match=r"'f' is strict, and `not` at '#/properties/a'"):
        offer_tools(source("qwen3"), [replace(tool, strict=True)], ByteTokenizer(), ANSWER)


@pytest.mark.parametrize("regex", ["a/b", r"a\/b", r"a\\?/b"])
def test_a_slash_in_a_regex_may_be_escaped_or_not(regex: str) -> None:
    matcher, _ = matcher_of("qwen3", Constraint(ConstraintKind.REGEX, regex))
    assert takes(matcher, "a/b"), matcher.error


def test_a_grammar_of_the_clients_own_cannot_go_with_tools() -> None:
    with pytest.raises(ConstraintError, match="tool_choice"):
        offer_tools(source("qwen3"), TOOLS, ByteTokenizer(), Constraint(ConstraintKind.LARK, 'start: "x"'))


def test_an_answers_own_fault_is_not_said_of_a_tool() -> None:
    with pytest.raises(ConstraintError, match="unclosed group") as raised:
        offer_tools(source("qwen3"), STRICT, ByteTokenizer(), Constraint(ConstraintKind.REGEX, "(a"))
    assert "tool" not in str(raised.value)
