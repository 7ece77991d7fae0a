"""The ``anthropic`` package on a real server: messages, events, tools, counting, errors."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from tests.clients.asking import SKY, SUM_ARGUMENTS, WEATHER, WEATHER_ARGUMENTS, City

GREEDY: dict[str, Any] = {"extra_body": {"temperature": 0}}
TOOLS: list[Any] = [
    {"name": "get_weather", "description": "The weather of a city", "input_schema": WEATHER_ARGUMENTS},
    {"name": "add", "description": "The sum of two numbers", "input_schema": SUM_ARGUMENTS},
]


def test_events_say_what_the_whole_message_says(anthropic_client: anthropic.Anthropic) -> None:
    fields: dict[str, Any] = {"model": "smollm2", "messages": SKY, "max_tokens": 12, **GREEDY}
    whole = anthropic_client.messages.create(**fields)
    with anthropic_client.messages.stream(**fields) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
    assert final.content[0].text == whole.content[0].text
    assert (final.stop_reason, final.stop_sequence) == (whole.stop_reason, whole.stop_sequence)
    assert final.usage.output_tokens == whole.usage.output_tokens > 0
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]


def test_counting_agrees_with_what_is_billed(anthropic_client: anthropic.Anthropic) -> None:
    fields: dict[str, Any] = {"model": "smollm2", "messages": SKY, "system": "Be brief.", "tools": TOOLS}
    counted = anthropic_client.messages.count_tokens(**fields).input_tokens
    usage = anthropic_client.messages.create(**fields, max_tokens=1).usage
    assert counted == usage.input_tokens + usage.cache_read_input_tokens


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "add"}])
def test_tools_are_called_and_their_results_fed_back(anthropic_client: anthropic.Anthropic, choice: Any) -> None:
    fields: dict[str, Any] = {"model": "smollm2", "tools": TOOLS, "max_tokens": 90, **GREEDY}
    with anthropic_client.messages.stream(
        **fields, messages=WEATHER, tool_choice={**choice, "disable_parallel_tool_use": True}
    ) as stream:
        called = stream.get_final_message()
    (block,) = called.content
    assert (block.type, called.stop_reason) == ("tool_use", "tool_use")
    assert set(block.input) == ({"a", "b"} if block.name == "add" else {"city", "unit"})
    result = {"type": "tool_result", "tool_use_id": block.id, "content": "It is snowing in Paris, -3 degrees."}
    messages = [*WEATHER, {"role": "assistant", "content": called.content}, {"role": "user", "content": [result]}]
    assert anthropic_client.messages.create(**{**fields, "max_tokens": 30}, messages=messages).content


def test_stop_sequences_system_and_prefill_are_heeded(anthropic_client: anthropic.Anthropic) -> None:
    fields: dict[str, Any] = {"model": "smollm2", "max_tokens": 24, **GREEDY}
    count = {"role": "user", "content": "Count from 1 to 9."}
    begun = {"role": "assistant", "content": "1, 2, 3,"}
    made = anthropic_client.messages.create(**fields, messages=[count, begun], stop_sequences=["6"])
    assert (made.stop_reason, made.stop_sequence) == ("stop_sequence", "6")
    assert made.content[0].text.strip().startswith("4")


def test_a_schema_is_kept(anthropic_client: anthropic.Anthropic) -> None:
    schema = {"type": "json_schema", "schema": City.model_json_schema()}
    made = anthropic_client.messages.create(
        model="smollm2", messages=SKY, max_tokens=90, extra_body={"output_config": {"format": schema}}
    )
    assert City.model_validate_json(made.content[0].text)


def test_errors_are_the_packages_own(anthropic_client: anthropic.Anthropic) -> None:
    fields: dict[str, Any] = {"model": "smollm2", "messages": SKY, "max_tokens": 2000}
    with pytest.raises(anthropic.NotFoundError) as missing:
        anthropic_client.messages.create(**{**fields, "model": "nobody"})
    assert missing.value.body["error"]["type"] == "not_found_error"
    with pytest.raises(anthropic.BadRequestError, match="thinking"):
        anthropic_client.messages.create(**fields, thinking={"type": "enabled", "budget_tokens": 1024})
    with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        anthropic_client.messages.create(**{**fields, "max_tokens": -1})
    with pytest.raises(anthropic.BadRequestError, match="a tool of Anthropic's"):
        anthropic_client.messages.create(**fields, tools=[{"type": "web_search_20250305", "name": "web_search"}])
    assert {"smollm2", "gemma3"} <= {model.id for model in anthropic_client.models.list()}
