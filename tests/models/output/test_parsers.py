"""What the parsers find in each family's answers, however those are cut into pieces."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlxr.models.chat import choose_parser
from mlxr.models.output import CallArguments, CallStart, Content, Event, OutputParser, shown_tokens
from mlxr.models.tokenizers import SpecialTokens
from tests.models.output.answers import (
    ANSWERS,
    TOOLS,
    Answer,
    calls,
    content,
    merged,
    reasoning,
    source,
)

TEMPLATES = sorted({answer.template for answer in ANSWERS})
FRAGMENTS = sorted(
    {marker for name in TEMPLATES for marker in choose_parser(source(name), TOOLS).markers}
    | {'{"name": "now"', '"name": "get_weather", "arguments": ', '{"city": "x"}', "{", "}", "[", "]", '"', "\\", ","}
    | {"now", "get_weather(", 'city="x")', "functions.now", "call:now{", "\n", " ", "text", ">", ": ", "\\u", "12", "-"}
    | {"\\ud83d", "\\ude00", "é", "'", "(" * 300, "[" * 300, "9" * 5000, "NaN"}
)
MARKUP = [marker for name in TEMPLATES for marker in choose_parser(source(name), TOOLS).markers]


def parse(answer: Answer, pieces: list[str]) -> tuple[list[Event], OutputParser]:
    parser = choose_parser(source(answer.template), TOOLS, in_reasoning=answer.in_reasoning)
    events = [event for piece in pieces for event in parser.push(piece)]
    return merged(events + parser.finish()), parser


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: f"{answer.template[:20]}: {answer.text[:40]!r}")
def test_each_part_of_an_answer_is_found(answer: Answer) -> None:
    events, parser = parse(answer, [answer.text])
    assert content(events) == answer.content
    assert reasoning(events) == answer.reasoning
    assert parser.calls == len(answer.calls)
    assert parser.open_call == answer.open
    found = calls(events)
    assert [name for name, _ in found] == [name for name, _ in answer.calls]
    complete = found[:-1] if answer.open else found
    assert [json.loads(text) for _, text in complete] == [arguments for _, arguments in answer.calls][: len(complete)]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: f"{answer.template[:20]}: {answer.text[:40]!r}")
def test_one_character_at_a_time_makes_no_difference(answer: Answer) -> None:
    assert parse(answer, list(answer.text))[0] == parse(answer, [answer.text])[0]


@settings(deadline=None, max_examples=200)
@given(answer=st.sampled_from(ANSWERS), data=st.data())
def test_any_chunking_makes_no_difference(answer: Answer, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(answer.text)))))
    pieces = [answer.text[a:b] for a, b in zip([0, *cuts], [*cuts, len(answer.text)], strict=True)]
    assert parse(answer, pieces)[0] == parse(answer, [answer.text])[0]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: f"{answer.template[:20]}: {answer.text[:40]!r}")
def test_an_answer_that_is_cut_off_anywhere_shows_nothing_that_the_whole_one_would_not(answer: Answer) -> None:
    whole, _ = parse(answer, [answer.text])
    for end in range(len(answer.text)):
        parser = choose_parser(source(answer.template), TOOLS, in_reasoning=answer.in_reasoning)
        events = merged(parser.push(answer.text[:end]) + parser.finish(cut=True))
        assert content(whole).startswith(content(events).rstrip()), answer.text[:end]
        assert reasoning(whole).startswith(reasoning(events)), answer.text[:end]
        for (name, arguments), (begun, text) in zip(calls(whole), calls(events), strict=False):
            assert name.startswith(begun)
            assert arguments.startswith(text)
        assert len(calls(events)) <= len(calls(whole))


def test_text_that_ends_by_itself_keeps_what_only_looks_like_a_marker() -> None:
    for cut, shown in ((False, "a <tool"), (True, "a ")):
        parser = choose_parser(source("qwen3"), TOOLS)
        assert content(parser.push("a <tool") + parser.finish(cut=cut)) == shown


@settings(deadline=None, max_examples=200)
@given(
    template=st.sampled_from(TEMPLATES),
    fragments=st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=3)), max_size=14),
    in_reasoning=st.booleans(),
)
def test_no_output_however_broken_raises_or_leaks_markers(
    template: str, fragments: list[str], in_reasoning: bool
) -> None:
    answer = Answer(template, "".join(fragments), in_reasoning=in_reasoning)
    events, parser = parse(answer, fragments)
    assert events == parse(answer, list(answer.text))[0]
    shown = content(events)
    assert not [marker for marker in parser.markers if marker in shown and not marker.startswith("```")]
    found = calls(events)
    assert all(isinstance(json.loads(text), dict) for _, text in (found[:-1] if parser.open_call else found))


@settings(deadline=None, max_examples=200)
@given(template=st.sampled_from(TEMPLATES), text=st.text(max_size=60))
def test_ordinary_text_comes_through_unchanged(template: str, text: str) -> None:
    if any(marker in text for marker in MARKUP):
        return
    events, _ = parse(Answer(template, text), [text])
    assert content(events) == text


@pytest.mark.parametrize("template", ["qwen3", "llama-3", "mistral-nemo", "gemma-3"])
def test_without_tools_nothing_is_taken_for_a_call(template: str) -> None:
    text = '{"name": "now", "parameters": {}} <tool_call>{"name": "now"}</tool_call> [TOOL_CALLS]'
    parser = choose_parser(source(template))
    assert content(parser.push(text) + parser.finish()) == text


def test_arguments_stream_as_they_come() -> None:
    parser = choose_parser(source("qwen3"), TOOLS)
    parser.push('<tool_call>{"name": "get_weather", ')
    assert parser.push('"arguments": {"city": "New Y') == [CallArguments(0, '{"city": "New Y')]
    assert parser.push("ork") == [CallArguments(0, "ork")]
    assert parser.push('"}}') == [CallArguments(0, '"}')]
    assert parser.push("</tool_call>") == []
    assert not parser.open_call


def test_text_parameters_stream_too() -> None:
    parser = choose_parser(source("qwen3-coder"), TOOLS)
    assert parser.push("<tool_call><function=get_weather>") == [CallStart(0, "get_weather")]
    assert parser.push('<parameter=city>\nNew "Y') == [CallArguments(0, '{"city": "New \\"Y')]


def test_text_is_held_back_only_while_it_may_be_a_marker() -> None:
    parser = choose_parser(source("qwen3"), TOOLS)
    assert parser.push("a <tool") == [Content("a")]
    assert parser.push("box") == [Content(" <toolbox")]


def test_reasoning_stays_in_the_text_when_it_is_not_to_be_split() -> None:
    text = "<think>\nHm.\n</think>\n\nYes."
    parser = choose_parser(source("qwen3"), split_reasoning=False)
    assert content(parser.push(text) + parser.finish()) == text


def test_a_model_that_does_not_reason_keeps_its_angle_brackets() -> None:
    parser = choose_parser(source("qwen2.5"), TOOLS)
    assert content(parser.push("<think> is a tag.") + parser.finish()) == "<think> is a tag."


def test_the_detokenizer_shows_the_control_tokens_that_a_parser_reads() -> None:
    class Vocabulary:
        special = SpecialTokens(control=frozenset({1, 2}))
        vocab_size = 4
        strips_space = False
        markers = frozenset[str]()

        def token_id(self, text: str) -> int | None:
            return {"[TOOL_CALLS]": 1, "</s>": 2, "[ARGS]": 3}.get(text)

        def token_bytes(self, token: int) -> bytes:
            return b""

        def encode(
            self, text: str, *, add_special: bool = True, parse_special: bool = True, escape: str = ""
        ) -> list[int]:
            return []

        def decode(self, tokens: object, *, skip_special: bool = True) -> str:
            return ""

    assert shown_tokens(choose_parser(source("mistral-nemo"), TOOLS), Vocabulary()) == {1}
    assert shown_tokens(choose_parser(source("mistral-nemo")), Vocabulary()) == set()
