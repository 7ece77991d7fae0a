"""Chats over HTTP: a real socket, the frontend, and the actor of the chats behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import msgspec

from mlxr.actors.chats.actor import ChatsActor
from mlxr.actors.chats.settings import ChatsSection, ChatsSettings
from mlxr.runtime.actor import Context
from mlxr.runtime.bus import Address
from mlxr.runtime.messages import INBOXES
from mlxr.runtime.messages.chats import AskChats, FrontendUp
from mlxr.runtime.messages.common import Message
from mlxr.runtime.messages.frontend import ChatReply, ChatsLost, ChatsUp
from mlxr.runtime.messages.tokenizer import ChatPrompt, Generate
from mlxr.runtime.telemetry import Telemetry
from tests.http.rig import Rig, ask, rig

CHATS = "/api/ui/chats"
HI = {"content": [{"type": "text", "text": "Hi"}]}


@asynccontextmanager
async def with_chats(directory: Path) -> AsyncIterator[Rig]:
    """The frontend, with chats that are kept in ``directory``."""
    async with rig(directory) as r, anyio.create_task_group() as tasks:
        settings = msgspec.json.encode(ChatsSettings(str(directory / "home"), ChatsSection(max_attachment_bytes=64)))
        inbox = r.bus.inbox(Address("chats"), INBOXES["chats"])
        actor = ChatsActor(Context(Address("chats"), r.bus, Telemetry(), directory, settings))
        tasks.start_soon(actor.run, inbox)
        r.bus.tell(Address("chats"), FrontendUp())
        try:
            yield r
        finally:
            tasks.cancel_scope.cancel()
            inbox.close()


async def answered(r: Rig, chat: str) -> str:
    """The text of the last message, once it has ended."""
    with anyio.fail_after(10):
        while True:
            _, shown, _ = await ask(r, "GET", f"{CHATS}/{chat}")
            if shown["messages"] and shown["messages"][-1]["state"] == "done":
                return "".join(part["text"] for part in shown["messages"][-1]["content"])
            await anyio.sleep(0.01)


async def test_a_message_is_answered_as_a_request_of_whoever_sent_it(tmp_path: Path) -> None:
    async with with_chats(tmp_path) as r:
        _, chat, _ = await ask(r, "POST", CHATS, json={"system": "Be brief."})
        status, sent, _ = await ask(r, "POST", f"{CHATS}/{chat['id']}/messages", json=HI)
        assert (status, len(sent["answers"])) == (200, 1)
        assert await answered(r, chat["id"]) == "Hello wörld"
        (command,) = r.got(Generate)
        assert isinstance(command.prompt, ChatPrompt)
        assert [message.content for message in command.prompt.messages] == ["Be brief.", "Hi"]
        assert command.client == "127.0.0.1"
        assert command.tracked


async def test_what_can_not_be_had_is_refused_with_a_status_and_a_sentence(tmp_path: Path) -> None:
    async with with_chats(tmp_path) as r:
        for method, path, body, status, words in (
            ("GET", f"{CHATS}/nowhere", None, 404, "there is no chat"),
            ("GET", f"{CHATS}/nowhere/events", None, 404, "there is no chat"),
            ("POST", CHATS, {"colour": "red"}, 400, "colour"),
            ("POST", CHATS, {"parameters": {"temperature": 9}}, 400, "parameters.temperature"),
            ("GET", f"{CHATS}?limit=no", None, 400, "limit"),
            ("POST", f"{CHATS}/nowhere/messages", {"content": []}, 400, "content"),
        ):
            got, error, _ = await ask(r, method, path, json=body)
            assert (got, words in error["error"]) == (status, True), (path, error)


async def test_images_are_shown_and_other_attachments_are_files_that_no_browser_runs(tmp_path: Path) -> None:
    async with with_chats(tmp_path) as r:
        for data, media_type, shown, disposition in (
            (b"GIF89a", "image/gif", "image/gif", "inline"),
            (b"<script>1</script>", "text/html", "application/octet-stream", "attachment"),
            (b"<svg/>", "image/svg+xml", "application/octet-stream", "attachment"),
        ):
            _, kept, _ = await ask(r, "POST", "/api/ui/attachments", data=data, headers={"Content-Type": media_type})
            status, _, headers = await ask(r, "GET", f"/api/ui/attachments/{kept['digest']}")
            assert status == 200
            assert headers["Content-Type"] == shown
            assert headers["Content-Disposition"] == disposition
            assert headers["X-Content-Type-Options"] == "nosniff"
        status, error, _ = await ask(r, "POST", "/api/ui/attachments", data=b"x" * 65)
        assert (status, error["code"]) == (413, "too_large")


async def test_an_export_is_a_file_that_can_be_sent_back(tmp_path: Path) -> None:
    async with with_chats(tmp_path) as r:
        await ask(r, "POST", CHATS, json={"title": "Mine"})
        status, _, headers = await ask(r, "GET", f"{CHATS}/export?format=markdown")
        assert (status, headers["Content-Type"]) == (200, "text/markdown; charset=utf-8")
        _, archive, headers = await ask(r, "GET", f"{CHATS}/export")
        assert headers["Content-Disposition"].endswith('.json"')
        status, report, _ = await ask(r, "POST", f"{CHATS}/import", json=archive)
        assert (status, [chat["title"] for chat in report["chats"]]) == (200, ["Mine"])


async def test_without_chats_all_else_is_served(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.tell(ChatsLost("the chats are gone"))
        with anyio.fail_after(10):
            while (got := await ask(r, "GET", CHATS))[0] != 503:
                pass
        assert got[1] == {"error": "the chats are gone", "code": "unavailable"}
        assert (await ask(r, "GET", "/health"))[0] == 200


async def test_what_was_asked_before_chats_began_is_not_lost_by_that(tmp_path: Path) -> None:
    async with rig(tmp_path) as r, anyio.create_task_group() as tasks:
        inbox = r.bus.inbox(Address("chats"), INBOXES["chats"])
        calls: list[AskChats] = []
        got: list[Any] = []

        def hear(message: Message) -> None:
            if isinstance(message, AskChats):
                calls.append(message)

        async def list_chats() -> None:
            got.append(await ask(r, "GET", CHATS))

        tasks.start_soon(inbox.consume, hear)
        for restarted, status in ((False, 200), (True, 503)):
            tasks.start_soon(list_chats)
            await r.until(lambda: calls)
            r.tell(ChatsUp(restarted), ChatReply(calls.pop().call, b"[]"))
            await r.until(lambda: got)
            assert got.pop()[0] == status
        tasks.cancel_scope.cancel()
        inbox.close()


async def test_an_event_id_that_is_no_text_is_taken_as_one_that_is_not_known(tmp_path: Path) -> None:
    async with with_chats(tmp_path) as r:
        _, chat, _ = await ask(r, "POST", CHATS, json={})
        for path, first in ((f"{CHATS}/events", b"event: reset"), (f"{CHATS}/{chat['id']}/events", b"event: snapshot")):
            async with await anyio.connect_tcp(urlsplit(r.url).hostname, urlsplit(r.url).port) as stream:
                await stream.send(
                    f"GET {path} HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: ".encode() + b"\xff\r\n\r\n"
                )
                got = b""
                with anyio.fail_after(10):
                    while first not in got:
                        got += await stream.receive()
            assert got.startswith(b"HTTP/1.1 200")


async def test_a_number_of_thousands_of_digits_is_refused_as_any_other_that_is_too_great(tmp_path: Path) -> None:
    async with with_chats(tmp_path) as r:
        for path in (CHATS, f"{CHATS}/search"):
            status, told, _ = await ask(r, "GET", f"{path}?q=a&limit={'9' * 5000}")
            assert (status, "limit" in told["error"]) == (400, True)
