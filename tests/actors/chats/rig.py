"""The actor of the chats over real ZeroMQ and a real SQLite file, with a frontend that answers as the test tells it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec

from mlxr.actors.chats.actor import ChatsActor
from mlxr.actors.chats.settings import ChatsSection, ChatsSettings
from mlxr.runtime.actor import Context
from mlxr.runtime.bus import Address, Bus
from mlxr.runtime.messages import INBOXES
from mlxr.runtime.messages.chats import (
    AnswerDeltas,
    AnswerEnded,
    AnswerStarted,
    AskChats,
    FollowChat,
    FrontendUp,
    LeaveChat,
)
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo, FinishReason, Message, Usage
from mlxr.runtime.messages.frontend import ChatEvents, ChatReply, Delta, RunAnswer, StopAnswer, ToolCallDelta
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.telemetry import Telemetry

CHATS, FRONTEND = Address("chats"), Address("frontend")
STOPPED = ErrorInfo(ErrorCode.CANCELLED, "the answer was stopped")
USAGE = Usage(prompt_tokens=9, completion_tokens=3, cached_tokens=4)
PROMPT = TokenIds.of(range(9))


class AskError(Exception):
    """What the chats refused, and why."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message)
        self.code = info.code


class Rig:
    """What a test holds. ``runs``: the answers that the chats have asked for. ``script``: what comes of each, where the
    test does not say it itself."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._calls = 0
        self._replies: dict[int, ChatReply] = {}
        self.events: dict[int, list[tuple[str, str, Any]]] = {}
        self.ended: dict[int, ErrorInfo | None] = {}
        self.runs: list[RunAnswer] = []
        self.stops: list[int] = []
        self.script: Callable[[Rig, RunAnswer], None] = lambda rig, run: rig.answer(run, "Hel", "lo")

    def hear(self, message: Message) -> None:
        match message:
            case ChatReply():
                self._replies[message.call] = message
            case ChatEvents():
                self.events.setdefault(message.call, []).extend(_parsed(bytes(message.data)))
                if message.last:
                    self.ended[message.call] = message.error
            case RunAnswer():
                self.runs.append(message)
                self.script(self, message)
            case StopAnswer():
                self.stops.append(message.answer)
                self.tell(AnswerEnded(message.answer, Usage(), STOPPED))

    def tell(self, *messages: Message) -> None:
        for message in messages:
            self._bus.tell(CHATS, message)

    async def ask(self, operation: str, body: Any = None, /, **path: str) -> Any:
        """What an operation gives; raises ``AskError``."""
        self._calls += 1
        call = self._calls
        raw = body if isinstance(body, bytes) else msgspec.json.encode({} if body is None else body)
        self.tell(AskChats(call, operation, path, raw, "somebody", False))
        await self.until(lambda: call in self._replies)
        reply = self._replies[call]
        if reply.error is not None:
            raise AskError(reply.error)
        if operation in ("export", "attachment"):
            return bytes(reply.body)
        return json.loads(reply.body)

    async def until(self, condition: Callable[[], object]) -> None:
        with anyio.fail_after(20):
            while not condition():  # noqa: ASYNC110  (conditions are on plain state)
                await anyio.sleep(0.002)

    def follow(self, chat: str = "", after: str = "") -> int:
        self._calls += 1
        self.events[self._calls] = []
        self.tell(FollowChat(self._calls, chat, after))
        return self._calls

    def leave(self, call: int) -> None:
        self.tell(LeaveChat(call))

    # What comes of answers.

    def start(self, run: RunAnswer, model: str = "tiny", digest: str = "d1") -> None:
        self.tell(AnswerStarted(run.answer, run.command, PROMPT, digest, run.model or model, 0.0))

    def say(self, run: RunAnswer, *texts: str, first: int = 100) -> None:
        """A token for each of ``texts``."""
        for index, text in enumerate(texts):
            self.tell(AnswerDeltas(run.answer, [Delta(1, 0, text, tokens=1, ids=[first + index])]))

    def end(self, run: RunAnswer, finish: FinishReason = FinishReason.STOP) -> None:
        self.tell(AnswerDeltas(run.answer, [Delta(1, 0, finish=finish)]), AnswerEnded(run.answer, USAGE))

    def answer(self, run: RunAnswer, *texts: str) -> None:
        self.start(run)
        self.say(run, *texts)
        self.end(run)

    def call_tools(self, run: RunAnswer, *names: str) -> None:
        """An answer that calls tools by those names."""
        self.start(run)
        for index, name in enumerate(names):
            piece = ToolCallDelta(index, f"call_{index}", name, "{}")
            self.tell(AnswerDeltas(run.answer, [Delta(1, 0, tool_calls=[piece], tokens=1, ids=[7 + index])]))
        self.end(run, FinishReason.TOOL_CALLS)

    # What tests often want.

    async def chat(self, **fields: Any) -> str:
        return str((await self.ask("create", fields))["id"])

    async def send(self, chat: str, text: str = "Hi", **fields: Any) -> Any:
        return await self.ask("send", {"content": [{"type": "text", "text": text}], **fields}, chat=chat)

    async def messages(self, chat: str) -> dict[str, Any]:
        return {each["id"]: each for each in (await self.ask("get", chat=chat))["messages"]}

    async def settled(self, chat: str) -> dict[str, Any]:
        """The messages once no answer is on its way."""
        with anyio.fail_after(20):
            while (await self.ask("get", chat=chat))["chat"]["running"]:  # noqa: ASYNC110  (it is asked for)
                await anyio.sleep(0.005)
        return await self.messages(chat)


def silent(rig: Rig, run: RunAnswer) -> None:
    """Answers nothing: the test says what comes."""


def _parsed(data: bytes) -> list[tuple[str, str, Any]]:
    """Events as name, id and data."""
    events: list[tuple[str, str, Any]] = []
    for block in data.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "data" in fields:
            events.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
    return events


@asynccontextmanager
async def rig(home: Path, *, frontend_up: bool = True, resume: bool = True, **section: Any) -> AsyncIterator[Rig]:
    """The actor with what is in ``home``, from its start to its end."""
    run = home / "run"
    run.mkdir(parents=True, exist_ok=True)
    bus = Bus(run, {CHATS, FRONTEND}.__contains__)
    settings = msgspec.json.encode(ChatsSettings(str(home), ChatsSection(**section), resume))
    chats, frontend = bus.inbox(CHATS, INBOXES["chats"]), bus.inbox(FRONTEND, INBOXES["frontend"])
    actor = ChatsActor(Context(CHATS, bus, Telemetry(), run, settings))
    held = Rig(bus)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(actor.run, chats)
            tasks.start_soon(frontend.consume, held.hear)
            if frontend_up:
                held.tell(FrontendUp())
            yield held
            tasks.cancel_scope.cancel()
    finally:
        chats.close()
        frontend.close()
        bus.close()
