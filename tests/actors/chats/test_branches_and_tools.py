"""Messages are a tree; answers run side by side, wait for tools, are stopped and gone on with."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from mlxr.runtime.messages.chats import AnswerDeltas, AnswerEnded
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo, FinishReason, Usage
from mlxr.runtime.messages.frontend import Delta, RunAnswer, ToolCallDelta
from mlxr.runtime.messages.tokenizer import ChatPrompt
from tests.actors.chats.rig import AskError, Rig, rig, silent

TOOL = {"name": "clock", "description": "the time", "parameters": {"type": "object", "properties": {}}}


def roles(run: RunAnswer) -> list[tuple[str, str]]:
    assert isinstance(run.command.prompt, ChatPrompt)
    return [(message.role, message.content) for message in run.command.prompt.messages]


def text(message: dict[str, Any]) -> str:
    return "".join(part["text"] for part in message["content"])


def calls_first(r: Rig, run: RunAnswer) -> None:
    """Two calls, then words."""
    if len(r.runs) == 1:
        r.call_tools(run, "clock", "clock")
    else:
        r.answer(run, "OK")


async def test_a_message_is_answered_behind_all_that_was_said_before(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        chat = await r.chat(system="Be brief.")
        await r.send(chat, "One")
        await r.settled(chat)
        await r.send(chat, "Two")
        messages = await r.settled(chat)
        assert roles(r.runs[-1]) == [("system", "Be brief."), ("user", "One"), ("assistant", "Hello"), ("user", "Two")]
        assert [text(message) for message in messages.values()] == ["One", "Hello", "Two", "Hello"]
        assert [message["state"] for message in messages.values()] == ["done"] * 4
        assert (await r.ask("get", chat=chat))["chat"]["title"] == "One"


async def test_an_edited_message_is_a_branch_beside_the_old_one(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        chat = await r.chat()
        first = await r.send(chat, "One")
        await r.settled(chat)
        edited = await r.send(chat, "Uno", parent=first["message"]["parent"])
        await r.settled(chat)
        assert roles(r.runs[-1]) == [("user", "Uno")]
        assert edited["chat"]["leaf"] == edited["answers"][0]["id"]
        back = await r.ask("patch", {"leaf": first["message"]["id"]}, chat=chat)
        assert back["leaf"] == first["answers"][0]["id"], "the branch in view is the latest through that message"


async def test_an_answer_that_is_made_again_is_a_branch_beside_the_old_one_with_another_seed(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        chat = await r.chat(parameters={"temperature": 0.5})
        first = (await r.send(chat))["answers"][0]
        await r.settled(chat)
        again = (await r.ask("again", {}, chat=chat, message=first["id"]))["answers"][0]
        messages = await r.settled(chat)
        assert again["parent"] == first["parent"]
        assert {messages[first["id"]]["parent"], again["parent"]} == {first["parent"]}
        one, other = (messages[each]["parameters"] for each in (first["id"], again["id"]))
        assert one["temperature"] == other["temperature"] == 0.5
        assert one["seed"] != other["seed"]


async def test_two_models_answer_one_message_side_by_side(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.script = silent
        chat = await r.chat()
        sent = await r.send(chat, answers=[{"model": "a"}, {"model": "b"}])
        await r.until(lambda: len(r.runs) == 2)
        for run in reversed(r.runs):
            r.answer(run, run.model)
        messages = await r.settled(chat)
        answers = [messages[answer["id"]] for answer in sent["answers"]]
        assert [(text(answer), answer["parent"]) for answer in answers] == [
            ("a", sent["message"]["id"]),
            ("b", sent["message"]["id"]),
        ]


async def test_an_answer_that_calls_tools_waits_and_goes_on_with_their_results_once(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.script = lambda rig, run: (
            rig.call_tools(run, "clock", "clock") if len(rig.runs) == 1 else rig.answer(run, "OK")
        )
        chat = await r.chat()
        sent = await r.send(chat, answers=[{"tools": [TOOL], "tool_choice": "required"}])
        asked = sent["answers"][0]["id"]
        messages = await r.settled(chat)
        assert messages[asked]["state"] == "tools"
        assert [call["state"] for call in messages[asked]["tool_calls"]] == ["waiting", "waiting"]
        running = await r.ask("patch_call", {"state": "running"}, chat=chat, message=asked, call="call_0")
        assert [call["state"] for call in running["tool_calls"]] == ["running", "waiting"]
        with pytest.raises(AskError, match="running already") as taken:
            await r.ask("patch_call", {"state": "running"}, chat=chat, message=asked, call="call_0")
        assert taken.value.code is ErrorCode.CONFLICT
        half = await r.ask("tool_results", {"results": [{"call": "call_0", "result": "12"}]}, chat=chat, message=asked)
        assert not half["answers"]
        rest = {"results": [{"call": "call_0", "result": "99"}, {"call": "call_1", "result": "no", "state": "denied"}]}
        went_on = await r.ask("tool_results", rest, chat=chat, message=asked)
        twice = await r.ask("tool_results", rest, chat=chat, message=asked)
        await r.settled(chat)
        assert [answer["id"] for answer in went_on["answers"]] == [answer["id"] for answer in twice["answers"]]
        assert went_on["answers"][0]["parent"] == asked
        assert len(r.runs) == 2
        assert roles(r.runs[1])[-2:] == [("tool", "12"), ("tool", "no")], "the result that came first stands"
        assert isinstance(r.runs[1].command.prompt, ChatPrompt)
        assert [tool.name for tool in r.runs[1].command.prompt.tools] == ["clock"]
        assert r.runs[1].command.prompt.tool_choice == "auto", "nothing forces it to call again for ever"


async def test_results_of_calls_that_there_are_not_are_refused_by_name(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.script = lambda rig, run: rig.call_tools(run, "clock")
        chat = await r.chat()
        asked = (await r.send(chat, answers=[{"tools": [TOOL]}]))["answers"][0]["id"]
        await r.settled(chat)
        with pytest.raises(AskError, match="nope") as refused:
            await r.ask("tool_results", {"results": [{"call": "nope", "result": ""}]}, chat=chat, message=asked)
        assert refused.value.code is ErrorCode.NOT_FOUND


async def test_an_answer_that_ended_cannot_be_gone_on_with_and_a_cut_one_has_its_tokens_sent(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.script = silent
        chat = await r.chat(parameters={"max_tokens": 2})
        cut = (await r.send(chat))["answers"][0]["id"]
        await r.until(lambda: r.runs)
        r.start(r.runs[0])
        r.say(r.runs[0], "a", "b")
        r.end(r.runs[0], FinishReason.LENGTH)
        assert (await r.settled(chat))[cut]["continuable"]
        await r.ask("continue", {"max_tokens": 5}, chat=chat, message=cut)
        await r.until(lambda: len(r.runs) == 2)
        resumed = r.runs[1].command.resumed
        assert resumed is not None
        assert resumed.output.list() == [100, 101]
        assert resumed.restate
        assert r.runs[1].command.max_tokens == 7
        r.answer(r.runs[1], "ab", "c")
        done = (await r.settled(chat))[cut]
        assert (text(done), done["state"], done["continuable"]) == ("abc", "done", False)
        with pytest.raises(AskError, match="come to its end"):
            await r.ask("continue", {}, chat=chat, message=cut)


async def test_an_answer_is_stopped_at_the_frontend_and_keeps_what_it_has(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.script = silent
        chat = await r.chat()
        answer = (await r.send(chat))["answers"][0]["id"]
        await r.until(lambda: r.runs)
        r.start(r.runs[0])
        r.say(r.runs[0], "so ", "far")
        stopped = (await r.ask("stop", chat=chat))["answers"][0]
        assert r.stops == [r.runs[0].answer]
        assert (text(stopped), stopped["state"], stopped["id"]) == ("so far", "stopped", answer)


async def test_a_message_that_is_deleted_takes_its_branch_along_and_stops_its_answers(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        chat = await r.chat()
        first = await r.send(chat, "One")
        await r.settled(chat)
        r.script = silent
        second = await r.send(chat, "Two")
        await r.until(lambda: len(r.runs) == 2)
        left = await r.ask("remove_message", chat=chat, message=second["message"]["id"])
        assert left["leaf"] == first["answers"][0]["id"]
        await r.until(lambda: r.stops)
        assert list(await r.messages(chat)) == [first["message"]["id"], first["answers"][0]["id"]]


async def test_a_message_behind_an_answer_that_is_being_written_is_a_conflict(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.script = silent
        chat = await r.chat()
        await r.send(chat)
        with pytest.raises(AskError, match="still being written") as refused:
            await r.send(chat, "too soon")
        assert refused.value.code is ErrorCode.CONFLICT


async def test_an_answer_whose_request_fails_for_a_while_is_begun_again_with_its_tokens(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.script = silent
        chat = await r.chat()
        answer = (await r.send(chat))["answers"][0]["id"]
        await r.until(lambda: r.runs)
        r.start(r.runs[0])
        r.say(r.runs[0], "Hel")
        fail(r, r.runs[0])
        await r.until(lambda: len(r.runs) == 2)
        again = r.runs[1].command.resumed
        assert again is not None
        assert again.output.list() == [100]
        assert again.prompt.list() == list(range(9))
        assert r.runs[1].settled
        r.start(r.runs[1])
        r.say(r.runs[1], "lo", first=101)
        r.end(r.runs[1])
        done = (await r.settled(chat))[answer]
        assert (text(done), done["tokens"], done["state"]) == ("Hello", 2, "done")


async def test_an_answer_that_fails_for_good_says_why(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.script = lambda rig, run: fail(rig, run, ErrorCode.MODEL_NOT_FOUND, None)
        chat = await r.chat()
        answer = (await r.send(chat))["answers"][0]["id"]
        failed = (await r.settled(chat))[answer]
        assert (failed["state"], failed["error"]) == ("failed", "it is gone")


def fail(r: Rig, run: RunAnswer, code: ErrorCode = ErrorCode.ENGINE_FAILED, retry_after: float | None = 1) -> None:
    r.tell(AnswerEnded(run.answer, Usage(), ErrorInfo(code, "it is gone", retry_after=retry_after)))


async def test_an_answer_that_was_cut_among_its_calls_takes_no_results(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.script = cut_among_calls
        chat = await r.chat()
        cut = (await r.send(chat, answers=[{"tools": [TOOL]}]))["answers"][0]["id"]
        assert (await r.settled(chat))[cut]["state"] == "cut"
        with pytest.raises(AskError, match="waits for no results") as refused:
            await r.ask("tool_results", {"results": [{"call": "call_0", "result": "x"}]}, chat=chat, message=cut)
        assert refused.value.code is ErrorCode.CONFLICT


def cut_among_calls(r: Rig, run: RunAnswer) -> None:
    r.start(run)
    r.tell(AnswerDeltas(run.answer, [Delta(1, 0, tool_calls=[ToolCallDelta(0, "call_0", "clock")], tokens=1, ids=[7])]))
    r.end(run, FinishReason.LENGTH)


@pytest.mark.parametrize("now", ["true", "false"])
async def test_an_answer_that_begins_while_its_chat_is_deleted_ends_with_it_and_holds_up_no_other(
    tmp_path: Path, now: str
) -> None:
    async with rig(tmp_path) as r:
        r.script = silent
        chat, other = await r.chat(), await r.chat()
        answer = (await r.send(chat))["answers"][0]["id"]
        await r.until(lambda: r.runs)
        r.script = lambda rig, run: rig.start(run)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(r.ask, "delete", chat=chat, now=now))
            with suppress(AskError):
                await r.ask("again", {}, chat=chat, message=answer)
        with pytest.raises(AskError, match="no chat"):
            await r.ask("get", chat=chat)
        assert {run.answer for run in r.runs} <= set(r.stops), "none of them runs on"
        r.script = lambda rig, run: rig.answer(run, "Hello")
        kept = (await r.send(other))["answers"][0]["id"]
        assert (await r.settled(other))[kept]["state"] == "done"
        assert (await r.ask("list"))["notice"] is None
