"""The tokenizer with what is before and behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from mlxr.actors.scheduler.actor import SchedulerActor
from mlxr.actors.scheduler.settings import Limits
from mlxr.actors.tokenizer.actor import TokenizerActor
from mlxr.actors.tokenizer.settings import TokenizerSettings
from mlxr.runtime.actor import Context
from mlxr.runtime.bus import Address, Bus
from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.messages import INBOXES
from mlxr.runtime.messages.common import ErrorCode, FinishReason, Message, Usage, sequence_id
from mlxr.runtime.messages.frontend import Failed, Finished, Started
from mlxr.runtime.messages.tokenizer import Generate, PromptPart, RequestDone, TextPrompt, TokenRow, Tokens
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.sandbox import Sandbox
from mlxr.runtime.telemetry import Telemetry
from tests.actors.tokenizer.rig import tokenizer
from tests.models import model_path

TOKENIZER, SCHEDULER = Address.of("tokenizer", "e"), Address.of("scheduler", "e")


async def test_a_request_has_started_only_once_the_queue_has_taken_it(tmp_path: Path) -> None:
    """Until then it can be refused with a status of its own."""
    bus = Bus(tmp_path, lambda address: True)
    kinds = ("frontend", "registry", "supervisor")
    silent = [Address(kind) for kind in kinds] + [Address.of(kind, "e") for kind in ("kv", "executor")]
    inboxes = {address: bus.inbox(address, INBOXES[address.kind]) for address in (*silent, TOKENIZER, SCHEDULER)}
    spec = EngineSpec("smollm2", "", str(model_path("smollm2")), ModelInfo("gguf", "llama", context_length=8192))
    settings = {TOKENIZER: TokenizerSettings(spec), SCHEDULER: Limits(max_waiting=1)}
    actors = [
        kind(Context(address, bus, Telemetry(), tmp_path, msgspec.json.encode(settings[address])))
        for kind, address in ((TokenizerActor, TOKENIZER), (SchedulerActor, SCHEDULER))
    ]
    heard: list[Message] = []
    refused = anyio.Event()

    def hear(message: Message) -> None:
        if isinstance(message, Started | Failed):
            heard.append(message)
        if isinstance(message, Started):
            bus.tell(TOKENIZER, Generate(2, TextPrompt("Hello")))
        if isinstance(message, Failed):
            refused.set()

    async with anyio.create_task_group() as tasks:
        for actor in actors:
            tasks.start_soon(actor.run, inboxes[actor.address])
        tasks.start_soon(inboxes[Address("frontend")].consume, hear)
        bus.tell(TOKENIZER, Generate(1, TextPrompt("Hello")))
        with anyio.fail_after(30):
            await refused.wait()
        tasks.cancel_scope.cancel()
    for inbox in inboxes.values():
        inbox.close()
    bus.close()
    first, second = heard
    assert isinstance(first, Started)
    assert isinstance(second, Failed)
    assert (first.request, second.request, second.error.code) == (1, 2, ErrorCode.QUEUE_FULL)


async def test_a_prompt_goes_on_in_the_bytes_that_it_came_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is encoded twice on its way to the device: as text by the frontend, as token ids by the sandbox."""
    taken: list[bytes] = []
    run = Sandbox.run

    async def noting(self: Sandbox, function: str, *arguments: Any, **options: Any) -> Any:
        taken.extend(bytes(argument) for argument in arguments if isinstance(argument, msgspec.Raw))
        return await run(self, function, *arguments, **options)

    monkeypatch.setattr(Sandbox, "run", noting)
    part = PromptPart(1, TextPrompt("Once upon "))
    command = Generate(1, TextPrompt("a time"), parts=1, return_tokens=True)
    async with tokenizer(tmp_path) as rig:
        rig.tell(part)
        rig.tell(command)
        submit = await rig.outcome(1)
        assert taken == [msgspec.msgpack.encode(command), msgspec.msgpack.encode(part)]
        rig.tell(Tokens(1, [TokenRow(sequence_id(1, 0), [9, 7], finish=FinishReason.LENGTH)]))
        rig.tell(RequestDone(1, Usage()))
        finished = await rig.first(lambda said: isinstance(said, Finished))
    assert finished.tokens == [*submit.tokens, 9, 7]


async def test_ids_go_back_only_to_those_who_asked_for_them(tmp_path: Path) -> None:
    async with tokenizer(tmp_path) as rig:
        rig.tell(Generate(1, TextPrompt("Once upon a time")))
        await rig.outcome(1)
        rig.tell(Tokens(1, [TokenRow(sequence_id(1, 0), [9], finish=FinishReason.LENGTH)]))
        rig.tell(RequestDone(1, Usage()))
        assert (await rig.first(lambda said: isinstance(said, Finished))).tokens == []
