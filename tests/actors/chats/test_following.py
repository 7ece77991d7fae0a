"""Whoever follows a chat, or the list, is told everything once, also when they come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio

from mlxr.runtime.messages.chats import FrontendUp
from mlxr.runtime.messages.common import ErrorCode
from tests.actors.chats.rig import Rig, rig, silent


def names(r: Rig, call: int) -> list[str]:
    return [name for name, _, _ in r.events[call]]


def last_id(r: Rig, call: int) -> str:
    return [id for _, id, _ in r.events[call] if id][-1]


def said(r: Rig, call: int) -> str:
    return "".join(data.get("text", "") for name, _, data in r.events[call] if name == "delta")


async def under_way(r: Rig, *texts: str) -> tuple[str, str, Any]:
    """A chat, and its answer, which has so much."""
    r.script = silent
    chat = await r.chat()
    answer = (await r.send(chat))["answers"][0]["id"]
    await r.until(lambda: r.runs)
    r.start(r.runs[-1])
    r.say(r.runs[-1], *texts)
    return chat, answer, r.runs[-1]


async def test_a_follower_gets_a_snapshot_then_every_token_then_the_end(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        chat, answer, run = await under_way(r, "one ")
        await r.until(lambda: r.runs)
        call = r.follow(chat)
        await r.until(lambda: r.events[call])
        r.say(run, "two ", "three", first=101)
        r.end(run)
        await r.until(lambda: names(r, call)[-1] == "chat" and r.events[call][-1][2]["running"] == 0)
        assert names(r, call)[0] == "snapshot"
        final = [data for name, _, data in r.events[call] if name == "message" and data["id"] == answer][-1]
        assert final["content"][0]["text"] == "one two three"
        assert final["usage"]["cached_tokens"] == 4


async def test_who_comes_back_gets_what_it_missed_and_nothing_twice(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        chat, _, run = await under_way(r, "a", "b")
        first = r.follow(chat)
        await r.until(lambda: r.events[first])
        r.say(run, "c", first=102)
        await r.until(lambda: "c" in said(r, first))
        after = last_id(r, first)
        r.leave(first)
        r.say(run, "d", "e", first=103)
        await r.until(lambda: r.events)
        back = r.follow(chat, after)
        await r.until(lambda: "e" in said(r, back))
        r.say(run, "f", first=105)
        await r.until(lambda: "f" in said(r, back))
        assert said(r, back) == "def"
        assert "snapshot" not in names(r, back)


async def test_who_comes_back_to_a_server_that_has_less_waits_until_there_is_news(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        chat, answer, run = await under_way(r, "a", "b")
        first = r.follow(chat)
        await r.until(lambda: r.events[first])
        version = last_id(r, first).partition(";")[0]
        # As if five tokens had been shown before the server was killed.
        back = r.follow(chat, f"{version};{answer}=5")
        await r.until(lambda: r.events[back])
        r.say(run, "c", "d", "e", "f", first=102)
        await r.until(lambda: said(r, back))
        assert said(r, back) == "f"
        assert r.events[back][0][1] == f"{version};{answer}=5", "its place is not forgotten either"


async def test_who_missed_more_than_tokens_gets_a_snapshot(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        chat = await r.chat()
        await r.send(chat)
        await r.settled(chat)
        for after in ("1", "nonsense", "1;x=y", "99;gone=3"):
            call = r.follow(chat, after)
            await r.until(lambda call=call: r.events[call])
            assert names(r, call) == ["snapshot"]


async def test_a_chat_that_there_is_not_can_not_be_followed(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        call = r.follow("nowhere")
        await r.until(lambda: call in r.ended)
        error = r.ended[call]
        assert error is not None
        assert error.code is ErrorCode.NOT_FOUND


async def test_the_list_tells_of_chats_that_are_made_renamed_answered_and_deleted(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        call = r.follow()
        await r.until(lambda: r.events[call])
        chat = await r.chat()
        await r.send(chat, "A name for it")
        await r.settled(chat)
        await r.ask("patch", {"title": "Another"}, chat=chat)
        await r.ask("delete", chat=chat)
        await r.until(lambda: names(r, call)[-1] == "removed")
        shown = [data for name, _, data in r.events[call] if name == "chat"]
        assert names(r, call)[0] == "reset"
        assert {each["title"] for each in shown} == {"", "A name for it", "Another"}
        assert {each["running"] for each in shown} == {0, 1}
        middle = r.events[call][2][1]
        back = r.follow("", middle)
        await r.until(lambda: len(r.events[back]) == len(r.events[call]) - 3)
        assert r.events[back] == r.events[call][3:]
        stranger = r.follow("", "other-1")
        await r.until(lambda: r.events[stranger])
        assert names(r, stranger) == ["reset"]


async def test_an_answer_left_unfinished_goes_on_at_the_next_start(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        chat, answer, _ = await under_way(r, "a", "b", "c")
        await r.until(lambda: r.runs)
        first = r.follow(chat)
        await r.until(lambda: r.events[first])
    async with rig(tmp_path) as r:
        r.script = silent
        await r.until(lambda: r.runs)
        resumed = r.runs[0].command.resumed
        assert resumed is not None
        assert (resumed.output.list(), resumed.restate) == ([100, 101, 102], False)
        r.start(r.runs[0])
        r.say(r.runs[0], "d", first=103)
        r.end(r.runs[0])
        done = (await r.settled(chat))[answer]
        assert (done["content"][0]["text"], done["tokens"]) == ("abcd", 4)


async def test_a_server_that_a_command_started_goes_on_with_answers_once_somebody_looks(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        chat, answer, _ = await under_way(r, "a")
    async with rig(tmp_path, resume=False) as r:
        await anyio.sleep(0.3)
        assert not r.runs
        await r.ask("list")
        await r.until(lambda: r.runs)
        assert list(await r.settled(chat))[1] == answer


async def test_a_frontend_that_was_restarted_is_asked_again_for_every_answer_from_where_it_is(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        chat, answer, _ = await under_way(r, "a", "b")
        first = r.follow(chat)
        await r.until(lambda: r.events[first])
        r.tell(FrontendUp())
        await r.until(lambda: len(r.runs) == 2)
        resumed = r.runs[1].command.resumed
        assert resumed is not None
        assert resumed.output.list() == [100, 101]
        r.start(r.runs[1])
        r.say(r.runs[1], "c", first=102)
        r.end(r.runs[1])
        assert (await r.settled(chat))[answer]["content"][0]["text"] == "abc"


async def test_an_id_that_no_event_had_begins_anew_and_harms_nobody(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        chat, answer, run = await under_way(r, "one ")
        first = r.follow()
        await r.until(lambda: r.events[first])
        life = last_id(r, first).rpartition("-")[0]
        for number in ("9" * 5000, "-1", "²", "1e9"):
            call = r.follow(after=f"{life}-{number}")
            await r.until(lambda call=call: r.events[call])
            assert names(r, call) == ["reset"]
        for after in ("9" * 5000, f"1;{answer}={'9' * 5000}", ";;=", "NaN"):
            call = r.follow(chat, after)
            await r.until(lambda call=call: r.events[call])
            assert names(r, call)[0] == "snapshot"
        r.end(run)
        assert (await r.settled(chat))[answer]["state"] == "done"
