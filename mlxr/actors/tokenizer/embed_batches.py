"""Short texts to embed that wait at once, encoded by one task of the sandbox: a request may have hundreds of them, and
a task costs more than such a text does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from mlxr.actors.tokenizer.incoming import Incoming
from mlxr.actors.tokenizer.sandbox_results import EncodedInput, TriedInput
from mlxr.runtime.messages.tokenizer import Embed
from mlxr.runtime.sandbox import SandboxKilled

MOST_TEXTS = 64
"""In one task. The first texts of many are on the device while the next are encoded."""


@dataclass(eq=False, slots=True)
class _Waiting:
    incoming: Incoming[Embed]
    size: int
    encoded: asyncio.Future[EncodedInput] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class EmbedBatches:
    """Owns the texts that wait, those of each client by themselves. ``together`` encodes several commands and may raise
    ``SandboxKilled``; ``alone`` encodes one, and raises ``RequestError`` where that fails. A client's texts are in at
    most ``tasks`` at once, those of one task have at most ``most_characters``."""

    def __init__(
        self,
        together: Callable[[Sequence[Incoming[Embed]]], Awaitable[Sequence[TriedInput]]],
        alone: Callable[[Incoming[Embed]], Awaitable[EncodedInput]],
        tasks: int,
        most_characters: int,
    ) -> None:
        self._together, self._alone = together, alone
        self._tasks, self._most_characters = tasks, most_characters
        self._waiting: dict[str | None, list[_Waiting]] = {}
        self._running: dict[str | None, set[asyncio.Task[None]]] = {}

    async def encode(self, incoming: Incoming[Embed], size: int) -> EncodedInput:
        """Returns the token ids of a text of ``size`` characters. Raises ``RequestError``."""
        client, waiting = incoming.command.client, _Waiting(incoming, size)
        self._waiting.setdefault(client, []).append(waiting)
        running = self._running.setdefault(client, set())
        if len(running) < self._tasks:
            running.add(asyncio.ensure_future(self._run(client)))
        return await waiting.encoded

    async def _run(self, client: str | None) -> None:
        """Encodes what ``client`` has waiting, until nothing is."""
        try:
            while texts := self._next(client):
                await self._encode(texts)
        finally:
            running = self._running[client]
            running.discard(cast("asyncio.Task[None]", asyncio.current_task()))
            if not running:
                del self._running[client], self._waiting[client]

    def _next(self, client: str | None) -> list[_Waiting]:
        waiting = [text for text in self._waiting[client] if not text.encoded.done()]
        count, characters = 0, 0
        while count < min(len(waiting), MOST_TEXTS):
            characters += waiting[count].size
            if count and characters > self._most_characters:
                break
            count += 1
        self._waiting[client] = waiting[count:]
        return waiting[:count]

    async def _encode(self, texts: Sequence[_Waiting]) -> None:
        if len(texts) > 1:
            try:
                tried = await self._together([text.incoming for text in texts])
            except SandboxKilled:
                pass  # by one of them, which is found out
            except Exception as error:
                for text in texts:
                    _settle(text, error)
                return
            else:
                for text, result in zip(texts, tried, strict=True):
                    _settle(text, result.outcome())
                return
        for text in texts:
            if text.encoded.done():
                continue
            try:
                _settle(text, await self._alone(text.incoming))
            except Exception as error:
                _settle(text, error)


def _settle(text: _Waiting, result: EncodedInput | Exception) -> None:
    if text.encoded.done():
        return
    if isinstance(result, Exception):
        text.encoded.set_exception(result)
    else:
        text.encoded.set_result(result)
