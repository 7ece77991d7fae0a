"""The actor base: one inbox, one typed decoder, one handler per message type, and ``tell``.

An actor owns its state alone and is driven by messages alone. Handlers are plain functions that run to their end;
what takes long goes into ``spawn`` (a task of the actor) or a worker thread. A handler that raises crashes its
actor, and the supervisor decides.
"""

from __future__ import annotations

import asyncio
import typing
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import anyio
import anyio.abc
import msgspec
from msgspec import Struct

from mlxr.runtime.bus import Address, Bus, Inbox
from mlxr.runtime.messages import INBOXES, ROUTES
from mlxr.runtime.messages.common import Message
from mlxr.runtime.sandbox import Nursery
from mlxr.runtime.telemetry import Telemetry

Handler = Callable[..., None]
F = TypeVar("F", bound=Handler)

_ALLOWED = frozenset(ROUTES)


class Context(Struct, frozen=True):
    """What an actor is made of: its address, its place on the bus, its settings (JSON), which incarnation it is, and
    what its sandboxes' zygotes are forked from, if there is anything."""

    address: Address
    bus: Bus
    telemetry: Telemetry
    run_directory: Path
    settings: bytes = b"{}"
    epoch: int = 0
    nursery: Nursery | None = None

    @property
    def engine(self) -> str:
        return self.address.engine


def on(*messages: type[Message]) -> Callable[[F], F]:
    """Marks a method as the handler of one message type, or of several that are treated alike."""

    def mark(method: F) -> F:
        method.__dict__["handles"] = messages
        return method

    return mark


class Sender:
    """The sending half of an actor, for its own thread or for a device thread that it runs."""

    def __init__(self, kind: str, bus: Bus) -> None:
        self._kind = kind
        self._bus = bus

    def tell(self, address: Address, message: Message) -> None:
        """Sends; raises ``TypeError`` for a message the map of routes does not know."""
        if (self._kind, type(message), address.kind) not in _ALLOWED:
            name = type(message).__name__
            raise TypeError(f"{self._kind} does not send {name} to {address.kind}; see messages.ROUTES")
        self._bus.tell(address, message)

    def close(self) -> None:
        """Closes a bus made for this sender alone (``Bus.thread_copy``)."""
        self._bus.close()


class Actor:
    """Base of all actors. A subclass names its ``kind`` and has an ``@on`` method for each type its inbox accepts, or
    reads the inbox itself (``receive``)."""

    kind: ClassVar[str] = ""
    _handlers: ClassVar[dict[type[Message], Handler]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.kind:
            return
        cls._handlers = {
            message: attribute
            for base in reversed(cls.__mro__)
            for attribute in vars(base).values()
            if callable(attribute)
            for message in getattr(attribute, "__dict__", {}).get("handles", ())
        }
        accepted = _members(INBOXES[cls.kind])
        if cls.receive is Actor.receive and accepted != set(cls._handlers):
            wrong = ", ".join(sorted(t.__name__ for t in accepted ^ set(cls._handlers)))
            raise TypeError(f"{cls.__name__} must handle exactly what its inbox accepts; look at {wrong}")

    def __init__(self, context: Context) -> None:
        self.context = context
        self.address = context.address
        self.telemetry = context.telemetry
        self._sender = Sender(self.kind, context.bus)
        self._tasks: anyio.abc.TaskGroup | None = None

    def peer(self, kind: str) -> Address:
        """Returns the actor of that kind in this actor's engine."""
        return Address.of(kind, self.address.engine)

    def tell(self, address: Address, message: Message) -> None:
        """Sends; raises ``TypeError`` for a message the map of routes does not know."""
        self._sender.tell(address, message)

    def spawn(self, task: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        """Runs ``task`` beside the inbox until the actor ends; what it raises crashes the actor."""
        assert self._tasks is not None, "spawn is for running actors"
        self._tasks.start_soon(task, *arguments)

    def call_behind(self, turns: int, call: Callable[[], None]) -> None:
        """Runs ``call`` when the loop has gone round ``turns`` times, behind what it is busy with; what it raises
        crashes the actor. A task that waited so long would cost ten times as much."""
        asyncio.get_running_loop().call_soon(self._turn, turns, call)

    async def run(self, inbox: Inbox[Any], started: Callable[[], None] = lambda: None) -> None:
        """Serves ``inbox`` until cancelled; raises what a handler or task raised. ``started``: is called once ``start``
        has returned."""
        try:
            async with anyio.create_task_group() as self._tasks:
                await self.start()
                started()
                await self.receive(inbox)
        except BaseExceptionGroup as group:
            raise _first(group) from group
        finally:
            with anyio.CancelScope(shield=True):
                await self.stop()

    async def receive(self, inbox: Inbox[Any]) -> None:
        """Handles what arrives until cancelled."""
        await inbox.consume(self._dispatch)

    async def start(self) -> None:
        """Called before the first message."""

    async def stop(self) -> None:
        """Called after the last message, however the actor ends."""

    def _turn(self, turns: int, call: Callable[[], None]) -> None:
        if turns > 1:
            self.call_behind(turns - 1, call)
        elif self._tasks is not None and not self._tasks.cancel_scope.cancel_called:
            try:
                call()
            except Exception as error:
                self.spawn(_raise, error)

    def _dispatch(self, message: Message) -> None:
        self._handlers[type(message)](self, message)


def decode_settings(context: Context, type: type[Any]) -> Any:
    """Returns the actor's settings as ``type``."""
    return msgspec.json.decode(context.settings, type=type)


def _members(union: Any) -> set[type[Message]]:
    return set(typing.get_args(union)) or {union}


async def _raise(error: Exception) -> None:
    raise error


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Returns the first real failure within a task group's exceptions."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
