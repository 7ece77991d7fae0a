from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from mlxr.api.aggregate import aggregate
from mlxr.http.errors import problem_of
from mlxr.http.openai.chat import completion, to_generate
from mlxr.http.openai.chat_stream import ChatChunks
from mlxr.http.openai.parameters import sampling, with_one_penalty
from mlxr.http.openai.schema import ChatRequest
from mlxr.http.request_body.decode import decode as decode_body
from mlxr.http.settings import ServerSettings
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import Constraint, ConstraintKind, FinishReason, TextLogprob, Usage
from mlxr.runtime.messages.frontend import Delta, Started, ToolCallDelta
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, Generate


def decode(raw: bytes) -> ChatRequest:
    return decode_body(raw, ChatRequest).body


HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "tiny"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def command(**fields: Any) -> Generate:
    body = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return to_generate(decode(json.dumps(body).encode()), ServerSettings())


def prompt(**fields: Any) -> ChatPrompt:
    made = command(**fields).prompt
    assert isinstance(made, ChatPrompt)
    return made


def events(data: bytes) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in data.decode().split("\n\n") if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def test_sampling_parameters_reach_the_runtime() -> None:
    made = command(
        temperature=0, top_p=0.5, top_k=-1, min_p=0.1, presence_penalty=1, frequency_penalty=-1,
        repetition_penalty=1.1, logit_bias={"7": -100}, seed=-1, logprobs=True, top_logprobs=3,
    ).sampling  # fmt: skip
    assert (made.temperature, made.top_p, made.top_k, made.min_p) == (0, 0.5, None, 0.1)
    assert (made.presence_penalty, made.frequency_penalty, made.repetition_penalty) == (1, -1, 1.1)
    assert made.logit_bias == {7: -100}
    assert made.seed == 2**63 - 1
    assert made.logprobs == 3


def test_llamacpps_penalties_look_at_the_last_tokens_of_prompt_and_output() -> None:
    """As llama.vscode sends them with every edit."""
    plain = command(presence_penalty=1).sampling
    assert (plain.penalize_prompt, plain.penalty_window, plain.presence_penalty) == (False, None, 1)
    windowed = command(repeat_last_n=64, presence_penalty=1, samplers="edkypmxt", dry_multiplier=0).sampling
    assert (windowed.penalize_prompt, windowed.penalty_window, windowed.presence_penalty) == (True, 64, 1)
    everything = command(repeat_last_n=-1).sampling
    assert (everything.penalize_prompt, everything.penalty_window) == (True, None)
    off = command(repeat_last_n=0, repetition_penalty=1.5, frequency_penalty=1).sampling
    assert (off.repetition_penalty, off.frequency_penalty) == (1.0, 0.0)


def test_repeat_penalty_is_another_word_for_repetition_penalty() -> None:
    def asked(**fields: Any) -> ChatRequest:
        return with_one_penalty(
            decode(json.dumps({"messages": [{"role": "user", "content": "Hi"}], **fields}).encode())
        )

    made = sampling(asked(repeat_penalty=1.2), None)
    assert (made.repetition_penalty, made.penalty_window) == (1.2, 64)
    assert sampling(asked(repeat_penalty=1.2, repeat_last_n=9), None).penalty_window == 9
    assert sampling(asked(repeat_penalty=1.2, repetition_penalty=1.2), None).repetition_penalty == 1.2
    with pytest.raises(RequestError, match="are one thing"):
        asked(repeat_penalty=1.2, repetition_penalty=1.3)


def test_requests_without_a_seed_get_different_ones() -> None:
    assert command().sampling.seed != command().sampling.seed


def test_max_completion_tokens_wins_over_max_tokens() -> None:
    assert command(max_tokens=5, max_completion_tokens=7).max_tokens == 7
    assert command().max_tokens is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"effort": "xhigh"}, ("high", None)),
        ({"max_tokens": 9}, ("on", 9)),
        ({"enabled": True}, ("on", None)),
        ({"enabled": False, "effort": "high"}, ("none", None)),
        ({}, ("low", None)),
    ],
)
def test_reasoning_may_be_asked_for_in_openrouters_form(given: dict[str, Any], expected: Any) -> None:
    made = prompt(reasoning=given, **({} if given else {"reasoning_effort": "low"}))
    assert (made.reasoning_effort, made.reasoning_budget) == expected


def test_minus_one_is_no_limit_on_tokens() -> None:
    for asked in (command(max_tokens=-1), command(max_tokens=5, max_completion_tokens=-1)):
        assert (asked.max_tokens, asked.unlimited) == (None, True)
    for asked in (command(), command(max_tokens=5), command(max_tokens=-1, max_completion_tokens=5)):
        assert not asked.unlimited


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": 3}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].type"),
        ({"n": 1000}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -2}, "max_tokens"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"logit_bias": {"word": 1}}, "logit_bias"),
        ({"logit_bias": {"-1": 1}}, "logit_bias"),
        ({"logit_bias": {"\N{SUPERSCRIPT TWO}": 1}}, "logit_bias"),
        ({"logit_bias": {"9" * 5000: 1}}, "logit_bias"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice"),
        ({"tools": [{"type": "custom"}]}, "tools[0].type"),
        ({"prediction": {"type": "content"}}, "prediction"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"min_tokens": 5}, "min_tokens"),
        ({"repetition_penalty": 5e-324}, "repetition_penalty"),
        ({"guided_regex": "a", "response_format": {"type": "json_object"}}, "guided_regex"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema"),
        ({"structured_outputs": {"grammar": ""}}, "structured_outputs"),
        ({"chat_template_kwargs": {"big": 2**70}}, "chat_template_kwargs"),
        ({"reasoning_effort": "enormous"}, "reasoning_effort"),
    ],
)
def test_what_cant_be_honoured_is_a_400_that_names_the_field(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as raised:
        command(**fields)
    assert problem_of(raised.value.info).status == 400
    assert raised.value.info.param == param


def test_malformed_json_says_where() -> None:
    with pytest.raises(RequestError, match=r"byte 10"):
        decode(b'{"model": oops}')


def test_harmless_fields_and_nulls_are_ignored() -> None:
    made = command(user="me", store=True, metadata={"a": "b"}, nonsense=1, temperature=None, stop=None, tools=None)
    assert made.sampling.temperature == 1.0
    assert made.stop_strings == []


def test_messages_of_every_role_and_form() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    made = prompt(
        messages=[
            {"role": "developer", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": "hm"},
            {"role": "tool", "tool_call_id": "c1", "content": "42"},
        ]
    ).messages
    assert made[0] == ChatMessage("system", "be brief")
    assert made[1].content == "ab"
    assert (made[2].reasoning, made[2].tool_calls[0].name) == ("hm", "f")
    assert made[3].tool_call_id == "c1"


def test_tool_choice_in_all_its_forms() -> None:
    other = {"type": "function", "function": {"name": "g"}}
    both = [TOOL, other]
    assert prompt(tools=both).tool_choice == "auto"
    assert prompt(tools=both, tool_choice="required").tool_choice == "required"
    assert prompt(tools=both, tool_choice={"type": "function", "function": {"name": "g"}}).tool_choice == "g"
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [other]}}
    narrowed = prompt(tools=both, tool_choice=allowed)
    assert ([tool.name for tool in narrowed.tools], narrowed.tool_choice) == (["g"], "required")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"response_format": {"type": "text"}}, None),
        ({"response_format": {"type": "json_object"}}, Constraint(ConstraintKind.JSON_OBJECT)),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}},
            Constraint(ConstraintKind.JSON_SCHEMA, '{"type":"object"}', strict=False),
        ),
        ({"guided_json": '{"type": "null"}'}, Constraint(ConstraintKind.JSON_SCHEMA, '{"type":"null"}')),
        ({"guided_regex": "[a-z]+"}, Constraint(ConstraintKind.REGEX, "[a-z]+")),
        ({"guided_grammar": 'start: "a"'}, Constraint(ConstraintKind.LARK, 'start: "a"')),
        ({"guided_choice": ["a.b", "c"]}, Constraint(ConstraintKind.REGEX, r"(?:a\.b)|(?:c)")),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "null"}, "strict": True}}},
            Constraint(ConstraintKind.JSON_SCHEMA, '{"type":"null"}'),
        ),
        (
            {"response_format": {"type": "json_object", "schema": {"type": "null"}}},
            Constraint(ConstraintKind.JSON_SCHEMA, '{"type":"null"}', strict=False),
        ),
        ({"structured_outputs": {"json": {}}}, Constraint(ConstraintKind.JSON_SCHEMA, "{}")),
        ({"structured_outputs": {"json_object": True}}, Constraint(ConstraintKind.JSON_OBJECT)),
        ({"structured_outputs": {"choice": ["a"]}}, Constraint(ConstraintKind.REGEX, "(?:a)")),
        ({"json_schema": {"type": "null"}}, Constraint(ConstraintKind.JSON_SCHEMA, '{"type":"null"}')),
        ({"regex": "[a-z]+"}, Constraint(ConstraintKind.REGEX, "[a-z]+")),
        ({"grammar": 'root ::= "a"'}, Constraint(ConstraintKind.LARK, 'root ::= "a"')),
        ({"ebnf": 'root ::= "a"'}, Constraint(ConstraintKind.LARK, 'root ::= "a"')),
    ],
)
def test_structured_output_becomes_a_constraint(fields: dict[str, Any], expected: Constraint | None) -> None:
    made = command(**fields).constraint
    assert made == (expected and replace(expected, field=made.field if made else None))
    assert made is None or (made.field or "").split(".")[0] in fields


def test_the_role_goes_out_in_one_piece_with_the_first_token() -> None:
    encoder = ChatChunks(HEAD, include_usage=False)
    role, text = events(encoder.deltas([Delta(1, text="Hé\n")]))
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert text["choices"] == [{"index": 0, "delta": {"content": "Hé\n"}, "logprobs": None, "finish_reason": None}]
    (more,) = events(encoder.deltas([Delta(1, text="llo")]))
    assert more == {**HEAD, "choices": [
        {"index": 0, "delta": {"content": "llo"}, "logprobs": None, "finish_reason": None}
    ]}  # fmt: skip


def test_a_stream_ends_with_an_empty_delta_and_its_reason() -> None:
    last = events(ChatChunks(HEAD, False).deltas([Delta(1, text="x", finish=FinishReason.LENGTH)]))[-1]
    assert last["choices"] == [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "length"}]


def test_every_chunk_says_how_many_tokens_there_are_so_far_where_that_is_asked_for() -> None:
    encoder = ChatChunks(HEAD, include_usage=True, running_usage=True)
    encoder.start(Started(1, prompt_tokens=7))
    chunks = events(encoder.deltas([Delta(1, text="a", tokens=2), Delta(1, text="b", tokens=1)]))
    chunks += events(encoder.deltas([Delta(1, tokens=1, finish=FinishReason.STOP)]))
    assert [chunk["usage"]["completion_tokens"] for chunk in chunks] == [0, 2, 3, 4]
    assert chunks[-1]["usage"] == {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11}


def test_reasoning_goes_out_under_both_names_and_tool_calls_piece_by_piece() -> None:
    encoder = ChatChunks(HEAD, False)
    _, first = events(encoder.deltas([Delta(1, reasoning="hm")]))
    assert first["choices"][0]["delta"] == {"reasoning": "hm", "reasoning_content": "hm"}
    pieces = [ToolCallDelta(0, "call_1", "f", ""), ToolCallDelta(0, arguments='{"a"')]
    (call,) = events(encoder.deltas([Delta(1, tool_calls=pieces)]))
    assert call["choices"][0]["delta"]["tool_calls"] == [
        {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"a"'}},
    ]


def test_log_probabilities_carry_bytes_and_no_infinity() -> None:
    token = TextLogprob(0, "é", -0.5, "é".encode(), [("é", -0.5, "é".encode()), ("x", float("-inf"), b"x")])
    chunk = events(ChatChunks(HEAD, False).deltas([Delta(1, text="é", logprobs=[token])]))[1]
    (content,) = chunk["choices"][0]["logprobs"]["content"]
    assert content["bytes"] == [195, 169]
    assert [top["logprob"] for top in content["top_logprobs"]] == [-0.5, -9999.0]


def test_a_whole_completion_joins_text_reasoning_and_tool_calls() -> None:
    deltas = [
        Delta(1, reasoning="h"), Delta(1, reasoning="m"), Delta(1, text="a"),
        Delta(1, tool_calls=[ToolCallDelta(0, "c", "f", "{")]), Delta(1, tool_calls=[ToolCallDelta(0, arguments="}")]),
        Delta(1, finish=FinishReason.TOOL_CALLS),
    ]  # fmt: skip
    usage = Usage(3, 4, 1, 2, drafted_tokens=5, accepted_tokens=3)
    made = json.loads(msgspec.json.encode(completion(HEAD, aggregate(deltas, 1), usage, logprobs=False)))
    (choice,) = made["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["reasoning_content"] == choice["message"]["reasoning"] == "hm"
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}
    assert made["usage"]["total_tokens"] == 7
    assert made["usage"]["prompt_tokens_details"] == {"cached_tokens": 1}
    assert made["usage"]["completion_tokens_details"] == {
        "reasoning_tokens": 2,
        "accepted_prediction_tokens": 3,
        "rejected_prediction_tokens": 2,
    }
