"""The ``openai`` package's Responses API on a real server: events, tools, structured output."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from tests.clients.asking import SUM_ARGUMENTS, WEATHER_ARGUMENTS, City

pytestmark = pytest.mark.clients

TOOLS: list[Any] = [
    {"type": "function", "name": "get_weather", "description": "The weather", "parameters": WEATHER_ARGUMENTS},
    {"type": "function", "name": "add", "description": "The sum", "parameters": SUM_ARGUMENTS},
]


def test_events_come_in_order_and_say_what_the_whole_response_says(openai_client: openai.OpenAI) -> None:
    fields = {"model": "smollm2", "input": "Is the sky blue or green?", "max_output_tokens": 8, "temperature": 0}
    whole = openai_client.responses.create(**fields)
    events = list(openai_client.responses.create(**fields, stream=True))
    final = events[-1].response
    assert final.output_text == whole.output_text
    assert final.status == whole.status
    names = [event.type.removeprefix("response.") for event in events]
    assert names[:4] == ["created", "in_progress", "output_item.added", "content_part.added"]
    assert names[-4:-1] == ["output_text.done", "content_part.done", "output_item.done"]
    assert names[-1] in ("completed", "incomplete")
    assert set(names[4:-4]) == {"output_text.delta"}
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert final.usage.output_tokens == whole.usage.output_tokens > 0


def test_a_response_is_parsed_into_a_class(openai_client: openai.OpenAI) -> None:
    made = openai_client.responses.parse(
        model="smollm2", input="Describe Paris.", text_format=City, max_output_tokens=90, temperature=0
    )
    assert isinstance(made.output_parsed, City)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "add"}])
def test_functions_are_called_and_their_outputs_fed_back(openai_client: openai.OpenAI, choice: Any) -> None:
    ask: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
    with openai_client.responses.stream(
        model="smollm2", input=ask, tools=TOOLS, tool_choice=choice, temperature=0, max_output_tokens=90,
        parallel_tool_calls=False,
    ) as stream:  # fmt: skip
        kinds = [event.type for event in stream]
        made = stream.get_final_response()
    assert "response.function_call_arguments.delta" in kinds
    (call,) = made.output
    assert (call.type, call.status) == ("function_call", "completed")
    assert call.name == ("get_weather" if choice == "required" else "add")
    assert json.loads(call.arguments)
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "It is snowing, -3 degrees."}
    answer = openai_client.responses.create(
        model="smollm2", input=[*ask, call.model_dump(), result], tools=TOOLS, temperature=0, max_output_tokens=30
    )
    assert answer.output_text


def test_log_probabilities_come_when_they_are_included(openai_client: openai.OpenAI) -> None:
    made = openai_client.responses.create(
        model="smollm2", input="Hi", max_output_tokens=3, top_logprobs=2, include=["message.output_text.logprobs"]
    )
    logprobs = made.output[0].content[0].logprobs
    assert len(logprobs) == made.usage.output_tokens
    assert all(len(token.top_logprobs) == 2 for token in logprobs)


def test_instructions_steer_and_what_is_stored_elsewhere_is_refused(openai_client: openai.OpenAI) -> None:
    fields = {"model": "smollm2", "input": "What is your name?", "max_output_tokens": 16, "temperature": 0}
    plain = openai_client.responses.create(**fields)
    steered = openai_client.responses.create(**fields, instructions="You are called Zorblax. Say your name.")
    assert steered.output_text != plain.output_text
    for field, value in (("previous_response_id", "resp_1"), ("background", True)):
        with pytest.raises(openai.BadRequestError) as raised:
            openai_client.responses.create(**fields, **{field: value})
        assert raised.value.param == field
