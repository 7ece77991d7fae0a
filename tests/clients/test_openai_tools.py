"""The ``openai`` package and tools: every ``tool_choice``, streaming, results fed back."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from tests.clients.asking import SUM_ARGUMENTS, TOOLS, WEATHER, openai_tool

pytestmark = pytest.mark.clients

BOUNDED = {"max_tokens": 120, "parallel_tool_calls": False}


@pytest.mark.parametrize("model", ["smollm2", "gemma3"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", ["get_weather", "add"])
def test_a_named_function_is_called(openai_client: openai.OpenAI, model: str, stream: bool, name: str) -> None:
    fields: dict[str, Any] = {
        "model": model, "messages": WEATHER, "tools": TOOLS, "temperature": 1, "seed": 3,
        "tool_choice": {"type": "function", "function": {"name": name}}, "max_tokens": 120,
    }  # fmt: skip
    if stream:
        with openai_client.chat.completions.stream(**fields) as events:
            for _ in events:
                pass
            choice: Any = events.get_final_completion().choices[0]
    else:
        choice = openai_client.chat.completions.create(**fields).choices[0]
    (call,) = choice.message.tool_calls
    assert call.function.name == name
    assert set(json.loads(call.function.arguments)) == ({"city", "unit"} if name == "get_weather" else {"a", "b"})
    assert choice.finish_reason == "tool_calls"
    assert not choice.message.content


def test_arguments_stream_in_pieces_after_their_name(openai_client: openai.OpenAI) -> None:
    stream = openai_client.chat.completions.create(
        model="smollm2", messages=WEATHER, tools=TOOLS, tool_choice="required", temperature=0, stream=True, **BOUNDED
    )
    deltas = [call for chunk in stream for choice in chunk.choices for call in choice.delta.tool_calls or []]
    assert deltas[0].function.name == "get_weather"
    assert deltas[0].id.startswith("call_")
    assert deltas[0].type == "function"
    assert all(delta.id is None and delta.function.name is None for delta in deltas[1:])
    assert len(deltas) > 3
    assert json.loads("".join(delta.function.arguments or "" for delta in deltas))


@pytest.mark.parametrize("choice", ["none", "auto"])
def test_a_model_that_may_speak_streams_text_or_calls(openai_client: openai.OpenAI, choice: str) -> None:
    with openai_client.chat.completions.stream(
        model="smollm2", messages=WEATHER, tools=TOOLS, tool_choice=choice, temperature=0, max_tokens=64
    ) as stream:
        for _ in stream:
            pass
        message = stream.current_completion_snapshot.choices[0].message
    assert "<tool_call>" not in (message.content or "")
    assert bool(message.content) or (choice == "auto" and bool(message.tool_calls))


def test_only_allowed_tools_are_called(openai_client: openai.OpenAI) -> None:
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "add"}}]}
    made = openai_client.chat.completions.create(
        model="smollm2", messages=WEATHER, tools=TOOLS, temperature=0,
        tool_choice={"type": "allowed_tools", "allowed_tools": allowed}, **BOUNDED,
    )  # fmt: skip
    assert made.choices[0].message.tool_calls[0].function.name == "add"


def test_results_are_fed_back(openai_client: openai.OpenAI) -> None:
    called = (
        openai_client.chat.completions.create(
            model="smollm2", messages=WEATHER, tools=TOOLS, tool_choice="required", temperature=0, **BOUNDED
        )
        .choices[0]
        .message
    )
    result = {"role": "tool", "tool_call_id": called.tool_calls[0].id, "content": "It is snowing in Paris, -3 degrees."}
    messages = [*WEATHER, called, result]
    answer = openai_client.chat.completions.create(
        model="smollm2", messages=messages, tools=TOOLS, temperature=0, max_tokens=40
    )
    assert "snow" in answer.choices[0].message.content


def test_a_call_that_is_cut_off_ends_by_length_and_leaks_nothing(openai_client: openai.OpenAI) -> None:
    for room in (2, 6, 14):
        choice = openai_client.chat.completions.create(
            model="smollm2", messages=WEATHER, tools=TOOLS, tool_choice="required", temperature=0, max_tokens=room
        ).choices[0]
        assert choice.finish_reason == "length"
        assert not choice.message.content


def test_every_choice_of_a_forced_call_is_one(openai_client: openai.OpenAI) -> None:
    made = openai_client.chat.completions.create(
        model="smollm2", messages=WEATHER, tools=TOOLS, tool_choice="required", n=3, temperature=1.2, seed=2, **BOUNDED
    )
    arguments = [json.loads(choice.message.tool_calls[0].function.arguments) for choice in made.choices]
    assert len(arguments) == 3
    assert len({choice.message.tool_calls[0].id for choice in made.choices}) == 3


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "fly"}}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        (
            {"tools": [openai_tool("f", "", {"type": "string"})], "tool_choice": "required"},
            "tools[0].function.parameters",
        ),
        ({"functions": [{"name": "add", "parameters": SUM_ARGUMENTS}]}, "functions"),
    ],
)
def test_tools_that_cant_be_had_are_refused(openai_client: openai.OpenAI, fields: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        openai_client.chat.completions.create(model="smollm2", messages=WEATHER, **fields)
    assert raised.value.param == param
