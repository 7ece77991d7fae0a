"""A file of chats that is damaged, newer, locked or on a full disk: said in words, and nothing is lost."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import anyio
import pytest

from mlxr.actors.chats.database import Database
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from tests.actors.chats.rig import AskError, Rig, rig, silent

FULL = RequestError(ErrorInfo(ErrorCode.STORAGE_FULL, "the disk is full, so that chats can't be kept; make room"))


def set_aside(home: Path) -> Path:
    (found,) = [path for path in home.glob("chats.sqlite.damaged-*") if not path.name.endswith(("-wal", "-shm"))]
    return found


async def kept(home: Path, title: str) -> str:
    async with rig(home) as r:
        return await r.chat(title=title)


@pytest.mark.parametrize("harm", ["overwritten", "no database", "cut"])
async def test_a_damaged_file_is_set_aside_in_words_and_chats_begin_anew(tmp_path: Path, harm: str) -> None:
    await kept(tmp_path, "lost")
    file = tmp_path / "chats.sqlite"
    raw = file.read_bytes()
    harmed = {
        "overwritten": raw[:100] + b"\xa5" * (len(raw) - 100),
        "no database": b"these are not chats" * 100,
        "cut": raw[: len(raw) // 2],
    }[harm]
    file.write_bytes(harmed)
    async with rig(tmp_path) as r:
        shown = await r.ask("list")
        aside = set_aside(tmp_path)
        assert shown["chats"] == []
        assert "damaged" in shown["notice"]
        assert aside.name in shown["notice"]
        assert aside.read_bytes() == harmed, "who can mend it has all of it"
        assert await r.chat(title="new")


async def test_a_file_of_a_newer_mlxr_is_refused_in_words_and_left_as_it_is(tmp_path: Path) -> None:
    await kept(tmp_path, "from the future")
    with sqlite3.connect(tmp_path / "chats.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = (tmp_path / "chats.sqlite").read_bytes()
    async with rig(tmp_path) as r:
        with pytest.raises(AskError, match="newer mlxr") as refused:
            await r.ask("list")
        assert refused.value.code is ErrorCode.UNAVAILABLE
        call = r.follow()
        await r.until(lambda: call in r.ended)
    assert (tmp_path / "chats.sqlite").read_bytes() == before


async def test_the_chats_of_another_server_are_left_to_it(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "chats.sqlite")
    try:
        async with rig(tmp_path) as r:
            with pytest.raises(AskError, match="another server"):
                await r.ask("list")
    finally:
        await database.close()
    async with rig(tmp_path) as r:
        assert (await r.ask("list"))["chats"] == []


async def test_a_folder_in_the_place_of_the_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "chats.sqlite").mkdir()
    async with rig(tmp_path) as r:
        with pytest.raises(AskError, match="no regular file"):
            await r.ask("list")


def notices(r: Rig, call: int) -> list[str | None]:
    """Returns what those who follow the list were told of all chats."""
    return [data["notice"] for name, _, data in r.events[call] if name == "notice"]


def limit_pages(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Has SQLite find no room for another page while the list it returns is not empty, as on a disk that is full."""
    full: list[bool] = []
    begin = Database.transaction

    def transaction(self: Database) -> object:
        if full:
            raise FULL
        return begin(self)

    monkeypatch.setattr(Database, "transaction", transaction)
    return full


async def test_an_answer_goes_on_while_the_disk_is_full_and_is_written_once_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = limit_pages(monkeypatch)
    async with rig(tmp_path) as r:
        chat, answer = await begun(r)
        call, listed = r.follow(chat), r.follow()
        await r.until(lambda: r.events.get(call) and r.events.get(listed))
        full.append(True)
        r.say(r.runs[0], "b", "c", first=101)
        r.end(r.runs[0])
        await r.until(lambda: r.events[call][-1][0] == "message")
        assert r.events[call][-1][2]["content"][0]["text"] == "abc"
        shown = await r.ask("list")
        assert "full" in shown["notice"]
        assert notices(r, listed) == [shown["notice"]]
        with pytest.raises(AskError, match="full") as refused:
            await r.chat(title="no room")
        assert refused.value.code is ErrorCode.STORAGE_FULL
        assert (await r.messages(chat))[answer]["content"][0]["text"] == "abc"
        full.clear()
        await no_notice(r)
        await r.until(lambda: notices(r, listed)[1:] == [None])
    async with rig(tmp_path) as r:
        message = (await r.messages(chat))[answer]
        assert (message["content"][0]["text"], message["state"]) == ("abc", "done")


async def test_what_sqlite_says_of_a_full_disk_is_said_in_words(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "chats.sqlite")
    try:
        pages = (await database.rows("PRAGMA page_count"))[0][0]
        await database.rows(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(RequestError, match="full") as refused:
            await fill(database)
        assert refused.value.info.code is ErrorCode.STORAGE_FULL
        assert await database.rows("SELECT * FROM presets") == [], "all of it or nothing"
        await database.rows("PRAGMA max_page_count = 1000000")
        async with database.transaction():
            await database.execute("INSERT INTO presets VALUES ('a', 'a', '{}')")
    finally:
        await database.close()


async def fill(database: Database) -> None:
    async with database.transaction():
        for index in range(200):
            await database.execute("INSERT INTO presets VALUES (?, ?, ?)", str(index), str(index), "x" * 4000)


async def begun(r: Rig) -> tuple[str, str]:
    """A chat, and its answer, which has a token."""
    r.script = silent
    chat = await r.chat()
    answer = (await r.send(chat))["answers"][0]["id"]
    await r.until(lambda: r.runs)
    r.start(r.runs[0])
    r.say(r.runs[0], "a")
    with anyio.fail_after(20):
        while (await r.messages(chat))[answer]["tokens"] == 0:  # noqa: ASYNC110  (it is asked for)
            await anyio.sleep(0.005)
    return chat, answer


async def no_notice(r: Rig) -> None:
    with anyio.fail_after(20):
        while (await r.ask("list"))["notice"] is not None:  # noqa: ASYNC110  (it is asked for)
            await anyio.sleep(0.02)


@pytest.mark.parametrize("body", ["{bad", '{"id": 7}', b"\xff\xff"])
async def test_a_record_that_is_damaged_costs_no_other_and_is_left_as_it_is(tmp_path: Path, body: str | bytes) -> None:
    async with rig(tmp_path) as r:
        bad, good, half = await r.chat(title="bad"), await r.chat(title="good"), await r.chat(title="half")
        await r.send(half)
        await r.settled(half)
        r.script = silent
        await r.send(bad)
        await r.send(good)
    with sqlite3.connect(tmp_path / "chats.sqlite") as file:
        file.execute("UPDATE chats SET body = ? WHERE id = ?", (body, bad))
        file.execute("UPDATE messages SET body = ? WHERE chat = ?", (body, half))
    file.close()
    async with rig(tmp_path) as r:
        assert (await r.settled(good)).keys(), "its answer went on"
        shown = await r.ask("list")
        assert {chat["id"] for chat in shown["chats"]} == {good, half}
        assert f"the chat {bad} can't be read" in shown["notice"]
        (page,) = (await r.ask("list", limit="1"))["chats"]
        assert page["id"] in (good, half)
        for chat in (bad, half):
            with pytest.raises(AskError, match="can't be read"):
                await r.ask("get", chat=chat)
        assert [hit["chat"]["id"] for hit in (await r.ask("search", q="good"))["hits"]] == [good]
    with sqlite3.connect(tmp_path / "chats.sqlite") as file:
        assert file.execute("SELECT body FROM chats WHERE id = ?", (bad,)).fetchall() == [(body,)]
    file.close()
