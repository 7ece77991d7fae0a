"""A tokenizer on its own, and all that it says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec

from mlxr.actors.tokenizer.actor import TokenizerActor
from mlxr.actors.tokenizer.settings import TokenizerSettings
from mlxr.runtime.actor import Context
from mlxr.runtime.bus import Address, Bus
from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.messages import INBOXES
from mlxr.runtime.messages.common import ErrorCode
from mlxr.runtime.messages.frontend import Failed, Tokenized
from mlxr.runtime.messages.scheduler import Submit
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, Generate
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.telemetry import Telemetry
from tests.models import model_path

TOKENIZER = Address.of("tokenizer", "e")
HELLO = [ChatMessage("user", "Hello")]
TRIES = 20
"""How often requests are sent again in all, where the machine is too busy for them."""


class Rig:
    """A tokenizer on its own, and all that it says."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._told: dict[int | None, Any] = {}
        self._tries = TRIES
        self.said: list[Any] = []

    def tell(self, message: Any) -> None:
        self._told[getattr(message, "request", None)] = message
        self._bus.tell(TOKENIZER, message)

    async def outcome(self, request: int) -> Any:
        """What became of ``request``: submitted, failed, or answered. Where the machine was too busy for it, it is sent
        again, as its sender is told to."""
        while True:
            outcome = await self.first(
                lambda said: isinstance(said, Submit | Failed | Tokenized) and said.request == request
            )
            if not (isinstance(outcome, Failed) and outcome.error.code is ErrorCode.QUEUE_FULL and self._tries):
                return outcome
            self._tries -= 1
            self.said.remove(outcome)
            self.tell(self._told[request])

    async def first(self, condition: Any) -> Any:
        for _ in range(24_000):
            if found := [said for said in self.said if condition(said)]:
                return found[0]
            await anyio.sleep(0.01)
        raise AssertionError(f"the tokenizer did not say it, but {self.said}")

    async def works(self) -> bool:
        """Whether an ordinary request gets through."""
        self.tell(Generate(10_000, ChatPrompt(HELLO)))
        return isinstance(await self.outcome(10_000), Submit)


@asynccontextmanager
async def tokenizer(folder: Path, path: Path | None = None, spec: EngineSpec | None = None) -> AsyncIterator[Rig]:
    bus = Bus(folder, lambda address: True)
    addresses = [
        Address("frontend"),
        Address("registry"),
        *(Address.of(kind, "e") for kind in ("scheduler", "executor")),
    ]
    inboxes = {address: bus.inbox(address, INBOXES[address.kind]) for address in (*addresses, TOKENIZER)}
    usual = ModelInfo("gguf", "llama", context_length=8192)
    spec = spec or EngineSpec("smollm2", "", str(path or model_path("smollm2")), usual)
    settings = msgspec.json.encode(TokenizerSettings(spec))
    actor = TokenizerActor(Context(TOKENIZER, bus, Telemetry(), folder, settings))
    rig = Rig(bus)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(actor.run, inboxes[TOKENIZER])
        for address in addresses:
            tasks.start_soon(inboxes[address].consume, rig.said.append)
        yield rig
        tasks.cancel_scope.cancel()
    for inbox in inboxes.values():
        inbox.close()
    bus.close()
