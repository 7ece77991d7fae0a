"""The ``openai`` package on a real server: models, chats, streams, errors."""

from __future__ import annotations

import httpx
import openai
import pytest

from tests.clients.asking import CITY, HI, PARIS, SKY, TOOLS, City
from tests.server import Server, eventually


def test_models_are_listed_and_found(openai_client: openai.OpenAI) -> None:
    assert {model.id for model in openai_client.models.list()} >= {"smollm2", "gemma3", "minilm"}
    assert openai_client.models.retrieve("gemma3").object == "model"
    with pytest.raises(openai.NotFoundError) as raised:
        openai_client.models.retrieve("nobody/no-model")
    assert raised.value.code == "model_not_found"


@pytest.mark.parametrize("model", ["smollm2", "gemma3"])
def test_a_stream_says_what_the_whole_answer_says(openai_client: openai.OpenAI, model: str) -> None:
    fields = {"model": model, "messages": SKY, "max_completion_tokens": 12, "temperature": 0}
    whole = openai_client.chat.completions.create(**fields)
    chunks = list(openai_client.chat.completions.create(**fields, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks[:-1]) == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert chunks[-1].usage.prompt_tokens == whole.usage.prompt_tokens
    assert len({(c.id, c.created) for c in chunks}) == 1
    assert whole.system_fingerprint == chunks[0].system_fingerprint


def test_several_choices_stream_side_by_side(openai_client: openai.OpenAI) -> None:
    fields = {"model": "smollm2", "messages": HI, "n": 3, "max_tokens": 8, "seed": 4, "temperature": 1.2}
    whole = openai_client.chat.completions.create(**fields)
    texts = [choice.message.content for choice in whole.choices]
    assert len(set(texts)) > 1
    streamed = ["", "", ""]
    for chunk in openai_client.chat.completions.create(**fields, stream=True):
        for choice in chunk.choices:
            streamed[choice.index] += choice.delta.content or ""
    assert streamed == texts


def test_log_probabilities_add_up(openai_client: openai.OpenAI) -> None:
    fields = {"model": "smollm2", "messages": SKY, "max_tokens": 4, "temperature": 0}
    made = openai_client.chat.completions.create(**fields, logprobs=True, top_logprobs=3)
    tokens = made.choices[0].logprobs.content
    assert b"".join(bytes(token.bytes) for token in tokens).decode().startswith(made.choices[0].message.content)
    for token in tokens:
        assert len(token.top_logprobs) == 3
        assert token.logprob == max(other.logprob for other in token.top_logprobs) <= 0
    streamed = openai_client.chat.completions.create(**fields, logprobs=True, top_logprobs=3, stream=True)
    pieces = [c.choices[0].logprobs.content for c in streamed if c.choices[0].logprobs]
    assert [token.logprob for piece in pieces for token in piece] == [token.logprob for token in tokens]


def test_a_bias_and_a_stop_string_are_heeded(openai_client: openai.OpenAI) -> None:
    plain = openai_client.chat.completions.create(
        model="smollm2", messages=SKY, max_tokens=1, temperature=0, logprobs=True
    )
    first = plain.choices[0].logprobs.content[0]
    (token,) = httpx.post(
        f"{openai_client.base_url}".replace("/v1/", "/tokenize"), json={"model": "smollm2", "prompt": first.token}
    ).json()["tokens"]
    biased = openai_client.chat.completions.create(
        model="smollm2", messages=SKY, max_tokens=1, temperature=0, logprobs=True, logit_bias={str(token): -100}
    )
    assert biased.choices[0].logprobs.content[0].token != first.token
    text = openai_client.chat.completions.create(model="smollm2", messages=PARIS, max_tokens=24, temperature=0)
    words = text.choices[0].message.content.split()
    stopped = openai_client.chat.completions.create(
        model="smollm2", messages=PARIS, max_tokens=24, temperature=0, stop=words[4]
    )
    assert stopped.choices[0].message.content == text.choices[0].message.content.partition(words[4])[0]
    assert stopped.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("model", ["smollm2", "gemma3"])
def test_a_schema_is_kept_by_whole_answers_and_streams(openai_client: openai.OpenAI, model: str) -> None:
    fields = {"model": model, "messages": PARIS, "max_tokens": 80, "temperature": 0.7, "seed": 1}
    parsed = openai_client.chat.completions.parse(**fields, response_format=City).choices[0].message.parsed
    assert isinstance(parsed, City)
    with openai_client.chat.completions.stream(**fields, response_format=City) as stream:
        for _ in stream:
            pass
        assert stream.get_final_completion().choices[0].message.parsed == parsed


def test_required_tools_are_called_and_stream(openai_client: openai.OpenAI) -> None:
    fields = {"model": "smollm2", "messages": PARIS, "tools": TOOLS, "temperature": 0, "parallel_tool_calls": False}
    whole = openai_client.chat.completions.create(**fields, tool_choice="required", max_tokens=80)
    (call,) = whole.choices[0].message.tool_calls
    assert whole.choices[0].finish_reason == "tool_calls"
    assert whole.choices[0].message.content is None
    with openai_client.chat.completions.stream(**fields, tool_choice="required", max_tokens=80) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion().choices[0]
    (streamed,) = final.message.tool_calls
    assert (streamed.function.name, streamed.function.arguments) == (call.function.name, call.function.arguments)
    assert final.finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": 3}, "temperature"),
        ({"n": 1000}, "n"),
        ({"top_logprobs": 50, "logprobs": True}, "top_logprobs"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"logit_bias": {"cat": 1}}, "logit_bias"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"reasoning_effort": "high"}, "reasoning_effort"),
        ({"extra_body": {"min_tokens": 3}}, "min_tokens"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cant_be_had_is_a_bad_request_that_names_it(
    openai_client: openai.OpenAI, fields: dict, param: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=param) as raised:
        openai_client.chat.completions.create(model="smollm2", messages=HI, **fields)
    assert raised.value.param == param


def test_a_prompt_that_is_too_long_says_so(openai_client: openai.OpenAI) -> None:
    messages = [{"role": "user", "content": "one two three " * 5000}]
    with pytest.raises(openai.BadRequestError) as raised:
        openai_client.chat.completions.create(model="smollm2", messages=messages, stream=True)
    assert raised.value.code == "context_length_exceeded"


@pytest.mark.parametrize(
    "schema", [{"type": "strnig"}, {"type": "object", "properties": {"a": {"pattern": "(["}}, "required": ["a"]}]
)
def test_a_schema_that_cant_be_kept_is_refused_with_the_reason(openai_client: openai.OpenAI, schema: dict) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    with pytest.raises(openai.BadRequestError, match=r"strnig|pattern") as raised:
        openai_client.chat.completions.create(model="smollm2", messages=HI, response_format=wanted)
    assert raised.value.param == "response_format"


def test_a_client_that_leaves_frees_its_place(openai_client: openai.OpenAI, server: Server) -> None:
    stream = openai_client.chat.completions.create(
        model="smollm2", messages=HI, max_tokens=4000, stream=True, extra_body={"ignore_eos": True}
    )
    next(iter(stream))
    eventually(lambda: server.metric("mlxr_running_sequences") == 1)
    stream.close()
    eventually(lambda: server.metric("mlxr_running_sequences") == server.metric("mlxr_open_requests") == 0)


def test_json_mode_and_a_schema_answer_with_objects(openai_client: openai.OpenAI) -> None:
    for wanted in (
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY, "strict": True}},
    ):
        made = openai_client.chat.completions.create(
            model="smollm2", messages=PARIS, max_tokens=60, temperature=0, response_format=wanted
        )
        assert made.choices[0].message.content.startswith("{")
