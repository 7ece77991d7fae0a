"""The ``openai`` package on Responses, against a scripted runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.responses import Response

from mlxr.api.tools import UNSEEN
from mlxr.http.request_body.unknown_fields import HEADER
from mlxr.runtime.messages.common import (
    Constraint,
    ConstraintKind,
    ErrorCode,
    ErrorInfo,
    FinishReason,
    TextLogprob,
)
from mlxr.runtime.messages.frontend import Delta, Deltas, Failed, Finished, Started, ToolCallDelta
from mlxr.runtime.messages.tokenizer import ChatMessage, Generate, ToolCall
from tests.http.openai.test_package import client
from tests.http.rig import USAGE, embedded, thinking_and_calling, words


async def test_a_response_has_reasoning_text_and_calls_as_items(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        r.on_generate = thinking_and_calling
        made = await c.responses.create(model="tiny", input="Hi", instructions="Be brief")
        assert [item.type for item in made.output] == ["reasoning", "message", "function_call", "function_call"]
        assert made.status == "completed"
        assert made.output_text == "I'll look"
        assert (made.output[2].name, made.output[2].arguments, made.output[2].call_id) == ("f", '{"x": 1}', "call_a")
        assert made.usage.input_tokens_details.cached_tokens == 2
        assert r.got(Generate)[0].prompt.messages == [ChatMessage("system", "Be brief"), ChatMessage("user", "Hi")]


async def test_a_streamed_response_has_every_event_in_order(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        r.on_generate = lambda m: words(m, "Hel", "lo", finish=FinishReason.LENGTH)
        stream = await c.responses.create(model="tiny", input="Hi", stream=True)
        events = [event async for event in stream]
        assert [event.type.removeprefix("response.") for event in events] == [
            "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta",
            "output_text.delta", "output_text.done", "content_part.done", "output_item.done", "incomplete",
        ]  # fmt: skip
        assert [event.sequence_number for event in events] == list(range(10))
        assert events[6].text == "Hello"
        assert events[-1].response.output_text == "Hello"
        assert events[-1].response.incomplete_details.reason == "max_output_tokens"


async def test_tokens_of_a_request_are_counted_without_an_answer(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        r.on_other = embedded
        made = await c.responses.input_tokens.count(model="tiny", input="Hi", instructions="abc")
        assert (made.object, made.input_tokens) == ("response.input_tokens", 5)
        with pytest.raises(openai.BadRequestError, match="previous_response_id"):
            await c.responses.input_tokens.count(model="tiny", input="Hi", previous_response_id="resp_1")
        assert r.got(Generate) == []


@pytest.mark.parametrize("stream", [False, True])
async def test_items_of_an_answer_may_be_named_in_the_next_request(tmp_path: Path, stream: bool) -> None:
    """As the AI SDK names them, which takes them for stored unless it is told otherwise."""
    async with client(tmp_path) as (r, c):
        r.on_generate = thinking_and_calling
        made = await c.responses.create(model="tiny", input="Hi", stream=stream)
        if stream:
            made = [event async for event in made][-1].response
        named = [{"type": "item_reference", "id": item.id} for item in made.output]
        results = [{"type": "function_call_output", "call_id": id, "output": "1"} for id in ("call_a", "call_b")]
        asked = {"model": "tiny", "input": [{"role": "user", "content": "Hi"}, *named, *results]}
        await c.responses.create(**asked)
        _, said, *_ = r.got(Generate)[1].prompt.messages
        calls = [ToolCall("call_a", "f", '{"x": 1}'), ToolCall("call_b", "g", "{}")]
        assert said == ChatMessage("assistant", "I'll look", "hmm", calls)
        r.on_other = embedded
        assert (await c.responses.input_tokens.count(**asked)).input_tokens


async def test_items_are_named_by_whom_they_were_made_for_where_they_may_be_kept(tmp_path: Path) -> None:
    async with client(tmp_path, api_keys=["none", "other"]) as (_, c):
        kept = await c.responses.create(model="tiny", input="Hi")
        gone = await c.responses.create(model="tiny", input="Hi", store=False)
        for asking, made in ((c, gone), (c.with_options(api_key="other"), kept)):
            id = made.output[0].id
            with pytest.raises(openai.BadRequestError, match=rf"`input\[0\].id`: no item '{id}' is kept here; send"):
                await asking.responses.create(model="tiny", input=[{"type": "item_reference", "id": id}])


async def test_an_image_that_a_function_gave_does_not_end_the_conversation(tmp_path: Path) -> None:
    """As Codex's ``view_image``."""
    image = {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "high"}
    call = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "a", "output": [image]}
    async with client(tmp_path) as (r, c):
        made = await c.responses.with_raw_response.create(model="tiny", input=[call, result])
        assert made.headers[HEADER] == "input.1.output.0"
        assert r.got(Generate)[0].prompt.messages[-1].content == UNSEEN
        with pytest.raises(openai.BadRequestError, match=r"input\[0\].content\[0\].type"):
            await c.responses.create(model="tiny", input=[{"role": "user", "content": [image]}])


async def test_a_response_may_be_as_long_as_it_gets(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        made = await c.responses.create(model="tiny", input="Hi", max_output_tokens=-1)
        assert (made.max_output_tokens, r.got(Generate)[0].max_tokens) == (None, None)
        with pytest.raises(openai.BadRequestError, match="max_output_tokens"):
            await c.responses.create(model="tiny", input="Hi", max_output_tokens=0)


async def test_a_response_has_all_that_the_package_declares(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        r.on_generate = thinking_and_calling
        tools = [{"type": "function", "name": "f", "parameters": {"type": "object"}}]
        raw = await c.responses.with_raw_response.create(model="tiny", input="Hi", tools=tools)
        made = Response.model_validate_json(raw.content)
        assert made.usage.input_tokens_details.cache_write_tokens == 0
        assert not made.tools[0].model_extra


async def test_the_packages_own_accumulator_follows_a_stream_with_calls(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        r.on_generate = thinking_and_calling
        async with c.responses.stream(model="tiny", input="Hi") as stream:
            kinds = [event.type async for event in stream]
            final = await stream.get_final_response()
        assert kinds.count("response.function_call_arguments.done") == 2
        assert [item.type for item in final.output] == ["reasoning", "message", "function_call", "function_call"]
        assert final.output[2].arguments == '{"x": 1}'


async def test_the_tokens_of_a_text_are_those_in_its_pieces(tmp_path: Path) -> None:
    def thinks(command: Generate) -> list[Any]:
        """Of an answer whose second piece of text takes two tokens, and that has a mark before its first."""
        number = command.request
        tokens = [TextLogprob(0, text, -1.0, text.encode()) for text in ("hm", "yes", "\ufffd", "!", "f", "no")]
        mark = TextLogprob(0, "</think>", -1.0, b"</think>")
        deltas = [
            Delta(number, reasoning="hm", logprobs=tokens[:1]),
            Delta(number, logprobs=[mark]),
            Delta(number, text="yes", logprobs=tokens[1:2]),
            Delta(number, logprobs=tokens[2:3]),
            Delta(number, text="é!", logprobs=tokens[3:4]),
            Delta(number, tool_calls=[ToolCallDelta(0, "call_a", "f", "{}")], logprobs=tokens[4:5]),
            Delta(number, text="no", logprobs=tokens[5:]),
            Delta(number, finish=FinishReason.STOP),
        ]
        return [Started(number, 5), *(Deltas([delta]) for delta in deltas), Finished(number, USAGE)]

    async with client(tmp_path) as (r, c):
        r.on_generate = thinks
        asked = {"model": "tiny", "input": "Hi", "include": ["message.output_text.logprobs"]}
        whole = await c.responses.create(**asked)
        events = [event async for event in await c.responses.create(**asked, stream=True)]
    pieces = [
        (event.output_index, token.token)
        for event in events
        if event.type == "response.output_text.delta"
        for token in event.logprobs
    ]
    assert pieces == [(1, "yes"), (1, "\ufffd"), (1, "!"), (3, "no")]
    for response in (whole, events[-1].response):
        texts = {at: item.content[0] for at, item in enumerate(response.output) if item.type == "message"}
        assert [(at, token.token) for at, text in texts.items() for token in text.logprobs] == pieces


async def test_a_failed_response_says_so_in_its_stream(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        r.on_generate = lambda m: [*words(m, "a")[:2], Failed(m.request, ErrorInfo(ErrorCode.ENGINE_FAILED, "gone"))]
        events = [event async for event in await c.responses.create(model="tiny", input="Hi", stream=True)]
        assert events[-1].type == "response.failed"
        assert events[-1].response.error.message == "gone"


async def test_a_conversation_is_sent_back_as_items(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        await c.responses.create(
            model="tiny",
            input=[
                {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
                {
                    "type": "reasoning",
                    "id": "rs_1",
                    "summary": [],
                    "content": [{"type": "reasoning_text", "text": "hm"}],
                },
                {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "42"},
            ],
            text={"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}}},
        )
        (command,) = r.got(Generate)
        user, assistant, tool = command.prompt.messages
        assert (user.content, assistant.reasoning, assistant.tool_calls[0].name) == ("Hi", "hm", "f")
        assert (tool.role, tool.content, tool.tool_call_id) == ("tool", "42", "c1")
        held = Constraint(ConstraintKind.JSON_SCHEMA, '{"type":"object"}', field="text.format", strict=False)
        assert command.constraint == held


@pytest.mark.parametrize("cut", [False, True])
async def test_answers_are_taken_back_as_the_package_dumps_them(tmp_path: Path, cut: bool) -> None:
    """With a null for all that they don't have; and with calls that were cut off."""

    def cut_off(command: Generate) -> list[Any]:
        call = ToolCallDelta(0, "call_a", "f", '{"x":')
        deltas = [Delta(command.request, tool_calls=[call]), Delta(command.request, finish=FinishReason.LENGTH)]
        return [Started(command.request, 5), Deltas(deltas), Finished(command.request, USAGE)]

    async with client(tmp_path) as (r, c):
        r.on_generate = cut_off if cut else thinking_and_calling
        said = await c.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "Hi"}])
        made = await c.responses.create(model="tiny", input="Hi")
        message = said.choices[0].message.model_dump()
        await c.chat.completions.create(model="tiny", messages=[message])
        await c.responses.create(model="tiny", input=[item.model_dump() for item in made.output])
        taken = r.got(Generate)[2:]
        assert len(taken) == 2
        for command in taken:
            calls = command.prompt.messages[0].tool_calls
            assert [call.arguments for call in calls] == (['{"x":'] if cut else ['{"x": 1}', "{}"])


async def test_calls_may_lack_an_id_and_arguments(tmp_path: Path) -> None:
    bare = {"id": None, "type": "function", "function": {"name": "f", "arguments": None}}
    async with client(tmp_path) as (r, c):
        for call in (bare, {"function": {"name": "f"}}):
            await c.chat.completions.create(model="tiny", messages=[{"role": "assistant", "tool_calls": [call]}])
        item = {"type": "function_call", "call_id": None, "name": "f", "arguments": None}
        await c.responses.create(model="tiny", input=[item])
        for command in r.got(Generate):
            assert command.prompt.messages[0].tool_calls == [ToolCall(None, "f", "{}")]
        wrong = {"id": "a", "type": "function", "function": {"name": "f", "arguments": {"x": 1}}}
        with pytest.raises(openai.BadRequestError, match="arguments"):
            await c.chat.completions.create(model="tiny", messages=[{"role": "assistant", "tool_calls": [wrong]}])


async def test_functions_of_a_namespace_are_called_apart_from_it(tmp_path: Path) -> None:
    """As Codex offers some of its own."""
    function = {"type": "function", "name": "f", "parameters": {"type": "object"}}
    tools = [{"type": "namespace", "name": "agents__", "description": "", "tools": [function]}, function]
    said = {"type": "function_call", "call_id": "c1", "namespace": "agents__", "name": "f", "arguments": "{}"}
    names = iter(["agents__f", "f"])

    def calling(command: Generate) -> list[Any]:
        call = ToolCallDelta(0, "c2", next(names), "{}")
        deltas = [Delta(command.request, tool_calls=[call]), Delta(command.request, finish=FinishReason.TOOL_CALLS)]
        return [Started(command.request, 5), Deltas(deltas), Finished(command.request, USAGE)]

    async with client(tmp_path) as (r, c):
        r.on_generate = calling
        made = await c.responses.create(model="tiny", input=[{"role": "user", "content": "Hi"}, said], tools=tools)
        async with c.responses.stream(model="tiny", input="Hi", tools=tools) as stream:
            plain = await stream.get_final_response()
        assert [(call.name, call.namespace) for call in (*made.output, *plain.output)] == [
            ("f", "agents__"),
            ("f", None),
        ]
        command, _ = r.got(Generate)
        assert [tool.name for tool in command.prompt.tools] == ["agents__f", "f"]
        assert command.prompt.messages[1].tool_calls[0].name == "agents__f"


async def test_searches_are_left_out_beside_other_tools_and_refused_alone(tmp_path: Path) -> None:
    function = {"type": "function", "name": "f", "parameters": {"type": "object"}}
    search = {"type": "web_search", "search_context_size": "low"}
    async with client(tmp_path) as (r, c):
        made = await c.responses.with_raw_response.create(model="tiny", input="Hi", tools=[function, search])
        assert made.headers[HEADER] == "tools.1"
        assert [tool.name for tool in r.got(Generate)[0].prompt.tools] == ["f"]
        for tools in ([search], [function, {"type": "mcp"}]):
            with pytest.raises(openai.BadRequestError, match="only tools of type 'function'"):
                await c.responses.create(model="tiny", input="Hi", tools=tools)


async def test_searches_of_others_in_a_conversation_are_left_out(tmp_path: Path) -> None:
    search = {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "a"},
    }
    said = [{"role": "user", "content": "Hi"}, search, {"role": "assistant", "content": "Ho"}]
    async with client(tmp_path) as (r, c):
        made = await c.responses.with_raw_response.create(model="tiny", input=said)
        assert made.headers[HEADER] == "input.1"
        assert r.got(Generate)[0].prompt.messages == [ChatMessage("user", "Hi"), ChatMessage("assistant", "Ho")]
        with pytest.raises(openai.BadRequestError, match="nothing but"):
            await c.responses.create(model="tiny", input=[search])


async def test_stored_responses_are_refused_by_name(tmp_path: Path) -> None:
    async with client(tmp_path) as (_, c):
        with pytest.raises(openai.BadRequestError) as raised:
            await c.responses.create(model="tiny", input="Hi", previous_response_id="resp_1")
        assert raised.value.param == "previous_response_id"


async def test_what_does_not_fit_is_told_of_the_input(tmp_path: Path) -> None:
    too_long = ErrorInfo(ErrorCode.CONTEXT_LENGTH, "the prompt is too long", "messages")
    async with client(tmp_path) as (r, c):
        r.on_generate = lambda command: [Failed(command.request, too_long)]
        for stream in (False, True):
            with pytest.raises(openai.BadRequestError) as refused:
                await c.responses.create(model="tiny", input="Hi", stream=stream)
            assert (refused.value.param, refused.value.code) == ("input", "context_length_exceeded")
