"""A browser's side of chats, for tests: what it asks, and what it makes of events."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tests.server import Server

SECONDS = 240.0


class Tab:
    """Follows one chat as a page does: keeps its messages up to date by what events say, and the last event's id.

    doubled: what came twice or was left out, in words; a good server leaves it empty.
    """

    def __init__(self, server: Server, chat: str, after: str = "", before: Tab | None = None) -> None:
        self.id = after
        self.messages: dict[str, dict[str, Any]] = {**before.messages} if before else {}
        self.chat: dict[str, Any] = {}
        self.names: list[str] = []
        self.doubled: list[str] = []
        self.progress: list[dict[str, Any]] = []
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)
        headers = {"Last-Event-ID": after} if after else {}
        self._connection.connect()
        self._socket = self._connection.sock
        self._connection.request("GET", f"/api/ui/chats/{chat}/events", headers=headers)
        self._response = self._connection.getresponse()
        assert self._response.status == 200, self._response.read()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """As when a tab closes."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(SECONDS)
        self._response.close()
        self._connection.close()

    def wait(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < deadline, (self.names[-20:], self.messages)
            time.sleep(0.002)

    def text(self, message: str) -> str:
        return "".join(part["text"] for part in self.messages[message]["content"])

    def tokens(self, message: str) -> int:
        return int(self.messages.get(message, {}).get("tokens", 0))

    def ended(self, message: str) -> bool:
        return self.messages.get(message, {}).get("state") not in (None, "waiting", "streaming")

    def _read(self) -> None:
        event: dict[str, str] = {}
        try:
            for raw in self._response:
                line = raw.decode().rstrip("\n")
                if line:
                    name, _, value = line.partition(": ")
                    event[name] = value
                elif "data" in event:
                    self._take(event.get("event", ""), json.loads(event["data"]))
                    self.id = event.get("id", self.id)
                    event = {}
        except (OSError, ValueError, http.client.HTTPException):
            return

    def _take(self, name: str, data: Any) -> None:
        self.names.append(name)
        match name:
            case "snapshot":
                self.messages = {message["id"]: message for message in data["messages"]}
                self.chat = data["chat"]
            case "message":
                self.messages[data["id"]] = data
            case "chat":
                self.chat = data
            case "delta":
                self._append(data)
            case "progress":
                self.progress.append(data)
            case "messages_removed":
                for id in data["messages"]:
                    self.messages.pop(id, None)

    def _append(self, delta: dict[str, Any]) -> None:
        message = {**self.messages[delta["message"]]}
        if message["tokens"] != delta["start"]:
            self.doubled.append(f"{message['tokens']} tokens, and a delta behind {delta['start']}")
        message["tokens"] = delta["tokens"]
        message["state"] = "streaming"
        if text := delta.get("text"):
            before = message["content"][0]["text"] if message["content"] else ""
            message["content"] = [{"type": "text", "text": before + text}]
        message["reasoning"] += delta.get("reasoning", "")
        self.messages[delta["message"]] = message


class Tabs:
    """Opens tabs, and closes all of them in the end."""

    def __init__(self) -> None:
        self._open: list[Tab] = []

    def __call__(self, server: Server, chat: str, before: Tab | None = None) -> Tab:
        """A new tab, or one that comes back after ``before``."""
        tab = Tab(server, chat, before.id if before is not None else "", before)
        self._open.append(tab)
        return tab

    def close(self) -> None:
        for tab in self._open:
            tab.close()


@contextmanager
def opening_tabs() -> Iterator[Tabs]:
    tabs = Tabs()
    try:
        yield tabs
    finally:
        tabs.close()


def new_chat(server: Server, **fields: Any) -> str:
    status, chat = server.request("/api/ui/chats", {"model": "smollm2", **fields})
    assert status == 200, chat
    return str(chat["id"])


def send(server: Server, chat: str, text: str, **fields: Any) -> Any:
    """What sending says: ``message`` and ``answers``."""
    body = {"content": [{"type": "text", "text": text}], **fields}
    status, sent = server.request(f"/api/ui/chats/{chat}/messages", body)
    assert status == 200, sent
    return sent


def detail(server: Server, chat: str) -> dict[str, Any]:
    status, shown = server.request(f"/api/ui/chats/{chat}")
    assert status == 200, shown
    return dict(shown)


def message_of(server: Server, chat: str, message: str) -> dict[str, Any]:
    (found,) = [each for each in detail(server, chat)["messages"] if each["id"] == message]
    return dict(found)


def text_of(message: dict[str, Any]) -> str:
    return "".join(part["text"] for part in message["content"])


def settled(server: Server, chat: str, message: str) -> dict[str, Any]:
    """The message once its answer has ended."""
    deadline = time.monotonic() + SECONDS
    while (found := message_of(server, chat, message))["state"] in ("waiting", "streaming"):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found
