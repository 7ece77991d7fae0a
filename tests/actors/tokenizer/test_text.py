"""Prompts of every kind, over the real SmolLM2 tokenizer and template."""

from __future__ import annotations

import json
from typing import cast

import pytest
from msgspec.structs import replace

from mlxr.actors.frontend.prompt_parts import in_parts
from mlxr.actors.tokenizer.answer_constraint import answer_constraint
from mlxr.actors.tokenizer.output_spec import OutputSpec
from mlxr.actors.tokenizer.output_stream import OutputStream
from mlxr.actors.tokenizer.prompt_parts import assembled_prompt, least_characters
from mlxr.actors.tokenizer.sandbox_results import EncodedPrompt
from mlxr.actors.tokenizer.settings import TokenizerSettings
from mlxr.actors.tokenizer.text import ModelText
from mlxr.actors.tokenizer.truncation import TruncationPolicy, truncated_prompt
from mlxr.models.chat import choose_parser
from mlxr.models.chat.template import Rendered
from mlxr.models.constraints import compile_grammar, grammars
from mlxr.models.constraints.errors import KeywordProblem
from mlxr.models.constraints.supported_keywords import rewrite_unsupported
from mlxr.models.json_schema import Schema
from mlxr.models.sentence_transformers import Prompts
from mlxr.models.tokenizers import load_directory
from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import Constraint, ConstraintKind, ErrorCode, FinishReason, TokenLogprob
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import (
    ChatMessage,
    ChatPrompt,
    Embed,
    FillPrompt,
    Generate,
    PairPrompt,
    PromptPart,
    TextPrompt,
    TokenPrompt,
    TokenRow,
    Tool,
)
from mlxr.runtime.model_info import ModelInfo
from tests.models import model_path

HELLO = ChatPrompt([ChatMessage("user", "Hello")])
WEATHER = Tool("weather", parameters=b'{"type": "object", "properties": {"city": {"type": "string"}}}')


@pytest.fixture(scope="module")
def text() -> ModelText:
    spec = EngineSpec("smollm2", "", str(model_path("smollm2")), ModelInfo("gguf", "llama", context_length=8192))
    return ModelText.load(TokenizerSettings(spec, context_length=4096))


def test_the_smallest_limit_is_the_context(text: ModelText) -> None:
    assert text.context_length == 4096


def test_a_conversation_is_rendered_by_the_models_own_template(text: ModelText) -> None:
    encoded = text.encode(HELLO)
    assert encoded.text.endswith("<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n")
    assert text.tokenizer.decode(encoded.tokens, skip_special=False) == encoded.text


def test_a_template_of_the_request_replaces_the_models(text: ModelText) -> None:
    prompt = ChatPrompt([ChatMessage("user", "Hello")], template="{{ messages[0].content }}!")
    assert text.encode(prompt).text == "Hello!"


def test_token_prompts_outside_the_vocabulary_are_refused(text: ModelText) -> None:
    assert text.encode(TokenPrompt([1, 2])).tokens == [1, 2]
    with pytest.raises(RequestError, match="49152"):
        text.encode(TokenPrompt([49152]))
    with pytest.raises(RequestError, match="49152"):
        text.check_ids({49152: -100.0}, "logit_bias")


def test_filling_in_is_refused_by_name_where_the_model_has_no_tokens_for_it(text: ModelText) -> None:
    if text.tokenizer.special.fill is None:
        with pytest.raises(RequestError) as refused:
            text.encode(FillPrompt("a", "b"))
        assert refused.value.info.param == "suffix"
    else:
        assert text.encode(FillPrompt("a", "b")).tokens[-1] == text.tokenizer.special.fill.middle


def test_a_prompt_that_does_not_fit_is_refused_naming_both_lengths() -> None:
    assert truncated_prompt([1] * 9, 10, None) == [1] * 9
    with pytest.raises(RequestError) as refused:
        truncated_prompt([1] * 12, 10, None)
    assert refused.value.info.code is ErrorCode.CONTEXT_LENGTH
    assert "12" in str(refused.value)
    assert "10" in str(refused.value)


def test_a_text_that_cannot_fit_is_refused_before_it_is_encoded(text: ModelText) -> None:
    prompt = ChatPrompt([ChatMessage("user", "words of text " * 200_000)])
    with pytest.raises(RequestError, match="at least") as refused:
        text.encode(prompt, TruncationPolicy(4096, None))
    assert refused.value.info.code is ErrorCode.CONTEXT_LENGTH
    long = TextPrompt("words of text " * 20_000)
    assert len(text.encode(long, TruncationPolicy(4096, None)).tokens) == 60_001


@pytest.mark.parametrize("keep", [0, 4, 100_000])
def test_of_a_long_text_the_ends_are_encoded_as_they_would_be_in_the_whole(text: ModelText, keep: int) -> None:
    prompt = TextPrompt("".join(f"{number} words of text, " for number in range(20_000)))
    whole, ends = text.encode(prompt).tokens, text.encode(prompt, TruncationPolicy(64, keep)).tokens
    assert len(ends) < len(whole) / 2
    assert truncated_prompt(ends, 64, keep) == truncated_prompt(whole, 64, keep)
    start = text.encode(prompt, TruncationPolicy(64, 0, from_start=True)).tokens
    assert len(start) < len(whole) / 2
    assert start[:64] == whole[:64]


def test_a_long_prompt_is_refused_or_cut_before_its_parts_are_joined(text: ModelText) -> None:
    words = "".join(f"{number} words of text, " for number in range(20_000))
    *parts, last = in_parts(Generate(1, ChatPrompt([ChatMessage("user", words)])))
    pieces, command = [part for part in parts if isinstance(part, PromptPart)], cast(Generate, last)
    with pytest.raises(RequestError, match="at least") as refused:
        text.check_length(least_characters(command, pieces), TruncationPolicy(64, None))
    assert refused.value.info.code is ErrorCode.CONTEXT_LENGTH
    policy = TruncationPolicy(64, 40)
    text.check_length(least_characters(command, pieces), policy)
    cut = assembled_prompt(command, pieces, text.kept_ends(policy))
    assert isinstance(cut, ChatPrompt)
    assert len(cut.messages[0].content) < len(words) / 10
    everything = text.encode(assembled_prompt(command, pieces), policy).tokens
    assert text.encode(cut, policy).tokens == everything


SYSTEM = ChatMessage("system", "You are a pirate named Ada.")


def test_a_conversation_beyond_the_context_loses_its_oldest_turns_whole(text: ModelText) -> None:
    turns = [ChatMessage(("user", "assistant")[n % 2], f"Message {n} of a long talk.") for n in range(2000)]
    encoded = text.encode(ChatPrompt([SYSTEM, *turns, ChatMessage("user", "Last one?")]), TruncationPolicy(512, 4))
    assert 256 <= len(encoded.tokens) <= 384
    assert encoded.text.startswith(
        "<|im_start|>system\nYou are a pirate named Ada.<|im_end|>\n<|im_start|>user\nMessage"
    )
    assert encoded.text.endswith(
        "Message 1999 of a long talk.<|im_end|>\n<|im_start|>user\nLast one?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert text.tokenizer.decode(encoded.tokens, skip_special=False) == encoded.text


def test_a_last_turn_beyond_the_context_is_cut_behind_the_system_message(text: ModelText) -> None:
    words = "".join(f"{number} words of text, " for number in range(2000))
    for old in ([], [ChatMessage("user", "Old?"), ChatMessage("assistant", "Old.")]):
        encoded = text.encode(ChatPrompt([SYSTEM, *old, ChatMessage("user", words)]), TruncationPolicy(256, 4))
        assert len(encoded.tokens) < 256
        cut = text.tokenizer.decode(encoded.tokens, skip_special=False)
        assert cut.startswith("<|im_start|>system\nYou are a pirate named Ada.<|im_end|>\n<|im_start|>user\n")
        assert cut.endswith("1999 words of text, <|im_end|>\n<|im_start|>assistant\n")
        assert "Old" not in cut


def test_a_conversation_that_fits_is_left_as_it_is(text: ModelText) -> None:
    prompt = ChatPrompt([SYSTEM, *[ChatMessage("user", "word")] * 30, ChatMessage("user", "Last one?")])
    whole = text.encode(prompt)
    assert text.encode(prompt, TruncationPolicy(len(whole.tokens) + 1, 4)) == whole


def test_truncating_keeps_the_first_and_the_latest_tokens() -> None:
    assert truncated_prompt(list(range(100)), 20, 4) == [0, 1, 2, 3, *range(92, 100)]


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(RequestError, match="empty"):
        truncated_prompt([], 10, None)


def test_a_forced_tool_call_becomes_a_constraint(text: ModelText) -> None:
    prompt = ChatPrompt([ChatMessage("user", "Weather?")], [WEATHER], tool_choice="required")
    constraint = answer_constraint(Generate(1, prompt), text.encode(prompt).signs, text.tokenizer)
    assert constraint is not None


@pytest.mark.parametrize(("chosen", "one"), [("required", False), ("auto", False), (WEATHER.name, True)])
def test_a_choice_that_names_a_function_is_called_exactly_once(text: ModelText, chosen: str, one: bool) -> None:
    prompt = ChatPrompt([ChatMessage("user", "Weather?")], [WEATHER], tool_choice=chosen)
    answering = OutputSpec.of(Generate(1, prompt), "", EncodedPrompt(TokenIds.of([1])))
    assert answering.one_call is one


def test_a_format_that_can_not_be_kept_is_refused_with_the_reason(text: ModelText) -> None:
    command = Generate(1, HELLO, constraint=Constraint(ConstraintKind.REGEX, "((", field="guided_regex"))
    with pytest.raises(RequestError, match="`guided_regex`: ") as refused:
        answer_constraint(command, text.encode(HELLO).signs, text.tokenizer)
    assert refused.value.info.param == "guided_regex"


def test_what_of_a_format_and_of_tools_is_not_held_to_is_known(text: ModelText) -> None:
    schema = json.dumps({"type": "array", "uniqueItems": True})
    held = Constraint(ConstraintKind.JSON_SCHEMA, schema, field="format", strict=False)
    parameters = json.dumps({"type": "object", "properties": {"a": {"not": {"type": "null"}}}}).encode()
    prompt = ChatPrompt(HELLO.messages, [Tool("f", "", parameters, field="tools[0].parameters")])
    signs = text.encode(HELLO).signs
    of_tool = ("tools[0].parameters#/properties/a/not",)
    for command, places in (
        (Generate(1, HELLO, constraint=held), ("format#/uniqueItems",)),
        (Generate(1, TextPrompt("Hi"), constraint=held), ("format#/uniqueItems",)),
        (Generate(1, prompt, constraint=held), ("format#/uniqueItems", *of_tool)),
        (Generate(1, replace(prompt, tool_choice="required"), constraint=held), of_tool),
    ):
        made = answer_constraint(command, signs, text.tokenizer)
        assert made is not None
        assert made.unheld == places


@pytest.mark.parametrize("reasoning_budget", [None, 10])
@pytest.mark.parametrize("tools", [[], [WEATHER]])
def test_a_formats_schema_is_read_once(
    text: ModelText, monkeypatch: pytest.MonkeyPatch, tools: list[Tool], reasoning_budget: int | None
) -> None:
    schema = json.dumps({"type": "array", "uniqueItems": True, "title": "the format"})
    held = Constraint(ConstraintKind.JSON_SCHEMA, schema, field="format", strict=False)
    read: list[Schema] = []

    def rewrite(given: Schema) -> list[KeywordProblem]:
        read.append(dict(given))
        return rewrite_unsupported(given)

    monkeypatch.setattr(grammars, "rewrite_unsupported", rewrite)
    prompt = replace(HELLO, tools=tools, reasoning_budget=reasoning_budget)
    made = answer_constraint(Generate(1, prompt, constraint=held), text.encode(HELLO).signs, text.tokenizer)
    assert made is not None
    assert made.unheld == ("format#/uniqueItems",)
    compile_grammar(made)  # as an executor does
    assert read == [json.loads(schema)]


def choice(text: ModelText, stops: list[str], tools: list[Tool] | None = None) -> OutputStream:
    source = text.template.source if text.template else ""
    return OutputStream(1, 0, text.tokenizer, stops, choose_parser(source, tools or []))


def test_text_comes_as_tokens_do_and_ends_with_the_reason(text: ModelText) -> None:
    out = choice(text, [])
    tokens = text.encode(TextPrompt("Grüße, Welt 🌍", add_special=False)).tokens
    deltas = [out.take(TokenRow(256, [token])) for token in tokens]
    last = out.take(TokenRow(256, [2], finish=FinishReason.STOP))
    assert "".join(delta.text for delta in deltas if delta) == "Grüße, Welt 🌍"
    assert last is not None
    assert (last.text, last.finish) == ("", FinishReason.STOP)
    assert not out.stopped


def test_a_stop_string_ends_the_choice_here(text: ModelText) -> None:
    out = choice(text, ["Welt"])
    tokens = text.encode(TextPrompt("Hallo Welt und mehr", add_special=False)).tokens
    deltas = [out.take(TokenRow(256, [token])) for token in tokens]
    shown = [delta for delta in deltas if delta]
    assert "".join(delta.text for delta in shown) == "Hallo "
    assert (shown[-1].finish, shown[-1].stop_string) == (FinishReason.STOP, "Welt")
    assert out.stopped
    assert len(out.tokens) < len(tokens)


def test_a_tool_call_is_taken_out_of_the_text(text: ModelText) -> None:
    out = choice(text, [], [WEATHER])
    call = 'Sure. <tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>'
    deltas = [out.take(TokenRow(256, [t])) for t in text.encode(TextPrompt(call, add_special=False)).tokens]
    deltas.append(out.take(TokenRow(256, [2], finish=FinishReason.STOP)))
    shown = [delta for delta in deltas if delta]
    pieces = [piece for delta in shown for piece in delta.tool_calls]
    assert "".join(delta.text for delta in shown).strip() == "Sure."
    assert pieces[0].name == "weather"
    assert pieces[0].id.startswith("call_")
    assert "".join(piece.arguments for piece in pieces) == '{"city": "Rome"}'
    assert shown[-1].finish is FinishReason.TOOL_CALLS


def test_log_probabilities_carry_the_bytes_of_tokens(text: ModelText) -> None:
    out = choice(text, [])
    token, other = text.encode(TextPrompt("sky sea", add_special=False)).tokens
    delta = out.take(TokenRow(256, [token], [TokenLogprob(token, -0.5, [(token, -0.5), (other, -1.5)])]))
    assert delta is not None
    (logprob,) = delta.logprobs
    assert (logprob.token, logprob.raw, logprob.logprob) == ("sky", b"sky", -0.5)
    assert [entry[0] for entry in logprob.top] == ["sky", " sea"]
    assert logprob.top_ids == [token, other]


@pytest.mark.parametrize(
    "messages",
    [
        [ChatMessage("user", "Hi"), ChatMessage("system", "rules " * 2_000_000), ChatMessage("user", "So?")],
        [ChatMessage(role, "words " * 1000) for _ in range(1000) for role in ("user", "assistant")] + HELLO.messages,
        [ChatMessage("user", "Hi"), ChatMessage("assistant", reasoning="hm " * 4_000_000), ChatMessage("user", "So?")],
    ],
    ids=["a system message", "many messages", "reasoning"],
)
def test_a_conversation_of_megabytes_is_never_rendered_whole(
    text: ModelText, messages: list[ChatMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[int] = []
    assert text.template is not None
    render = text.template.render

    def counting(prompt: ChatPrompt) -> Rendered:
        made = render(prompt)
        rendered.append(len(made.escaped))
        return made

    monkeypatch.setattr(text.template, "render", counting)
    encoded = text.encode(ChatPrompt(messages), TruncationPolicy(4096, 4))
    assert 0 < len(encoded.tokens) < 4096
    assert sum(rendered) < 12_000_000
    assert max(rendered) < 2_500_000


def test_a_prompt_before_a_text_is_the_named_one_or_the_usual_one() -> None:
    tokenizer = load_directory(model_path("minilm"))
    prompts = Prompts({"query": "query: ", "document": "passage: "}, "query")
    text = ModelText("m", tokenizer, None, 99, prompts=prompts)
    assert text.prompt_before(None, optional=False) == "query: "
    assert text.prompt_before("document", optional=False) == "passage: "
    assert text.prompt_before("", optional=False) == ""
    assert text.prompt_before("other", optional=True) == "query: "
    with pytest.raises(RequestError, match="has no prompt 'other'; it has document, query"):
        text.prompt_before("other", optional=False)
    assert ModelText("m", tokenizer, None, 99).prompt_before(None, optional=False) == ""


def test_a_long_pair_comes_in_parts_and_is_whole_again() -> None:
    command = Embed(7, PairPrompt("q" * 90_000, "d" * 200_000), truncate=True)
    *parts, last = in_parts(command)
    assert len(parts) == 3
    assert isinstance(last, Embed)
    assert assembled_prompt(last, [part for part in parts if isinstance(part, PromptPart)]) == command.prompt
