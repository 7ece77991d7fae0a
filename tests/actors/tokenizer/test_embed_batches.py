"""Texts to embed that wait at once share a task of the sandbox, and neither an answer nor a fault."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from mlxr.actors.tokenizer.embed_batches import MOST_TEXTS, EmbedBatches
from mlxr.actors.tokenizer.incoming import Incoming
from mlxr.actors.tokenizer.sandbox_results import EncodedInput, TriedInput
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import Embed, TextPrompt
from mlxr.runtime.sandbox import SandboxKilled

TOO_LONG = ErrorInfo(ErrorCode.INVALID, "too long", "input")


def command(number: int, text: str, client: str | None = None) -> Incoming[Embed]:
    return Incoming.of(Embed(number, TextPrompt(text), client=client))


class Sandbox:
    """Encodes a text as its request's number, once ``open`` is set. ``bomb`` ends whatever task it is in; ``long`` is
    refused."""

    def __init__(self) -> None:
        self.tasks: list[list[int]] = []
        self.begun, self.open = asyncio.Event(), asyncio.Event()
        self.open.set()

    async def together(self, batch: Sequence[Incoming[Embed]]) -> list[TriedInput]:
        self.tasks.append([incoming.command.request for incoming in batch])
        self.begun.set()
        await self.open.wait()
        return [self._tried(incoming) for incoming in batch]

    async def alone(self, incoming: Incoming[Embed]) -> EncodedInput:
        self.tasks.append([incoming.command.request])
        self.begun.set()
        await self.open.wait()
        try:
            tried = self._tried(incoming)
        except SandboxKilled:
            raise RequestError(ErrorInfo(ErrorCode.INVALID, "a bomb")) from None
        if tried.encoded is None:
            raise RequestError(TOO_LONG)
        return tried.encoded

    def _tried(self, incoming: Incoming[Embed]) -> TriedInput:
        prompt = incoming.command.prompt
        assert isinstance(prompt, TextPrompt)
        if prompt.text == "bomb":
            raise SandboxKilled("time", "takes too long")
        if prompt.text == "long":
            return TriedInput(refused=TOO_LONG)
        return TriedInput(EncodedInput(TokenIds.of([incoming.command.request])))


async def encoded(batches: EmbedBatches, *commands: Incoming[Embed]) -> list[list[int] | str]:
    sized = [batches.encode(each, len(getattr(each.command.prompt, "text", ""))) for each in commands]
    results = await asyncio.gather(*sized, return_exceptions=True)
    return [result.tokens.list() if isinstance(result, EncodedInput) else str(result) for result in results]


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox()


@pytest.fixture
def batches(sandbox: Sandbox) -> EmbedBatches:
    return EmbedBatches(sandbox.together, sandbox.alone, 1, 100)


async def test_texts_that_wait_share_a_task_and_each_gets_its_own_ids(sandbox: Sandbox, batches: EmbedBatches) -> None:
    count = MOST_TEXTS + 10
    assert await encoded(batches, *(command(number, "a") for number in range(count))) == [[n] for n in range(count)]
    assert sandbox.tasks == [list(range(MOST_TEXTS)), list(range(MOST_TEXTS, count))]


async def test_a_task_holds_no_more_characters_than_it_may(sandbox: Sandbox, batches: EmbedBatches) -> None:
    await encoded(batches, *(command(number, "a" * 40) for number in range(5)))
    assert sandbox.tasks == [[0, 1], [2, 3], [4]]


async def test_one_that_is_refused_fails_alone(batches: EmbedBatches) -> None:
    assert await encoded(batches, command(1, "a"), command(2, "long"), command(3, "a")) == [[1], "too long", [3]]


async def test_one_that_ends_the_task_fails_alone(batches: EmbedBatches) -> None:
    assert await encoded(batches, command(1, "a"), command(2, "bomb"), command(3, "a")) == [[1], "a bomb", [3]]


async def test_one_whose_client_left_is_not_encoded(sandbox: Sandbox, batches: EmbedBatches) -> None:
    sandbox.open.clear()
    first = asyncio.ensure_future(batches.encode(command(1, "a"), 1))
    await sandbox.begun.wait()
    left, stays = (asyncio.ensure_future(batches.encode(command(number, "a"), 1)) for number in (2, 3))
    await asyncio.sleep(0)
    left.cancel()
    sandbox.open.set()
    assert [(await first).tokens.list(), (await stays).tokens.list()] == [[1], [3]]
    assert sandbox.tasks == [[1], [3]]


async def test_a_sandbox_that_can_not_start_fails_every_text_with_the_reason() -> None:
    async def together(batch: Sequence[Incoming[Embed]]) -> list[TriedInput]:
        raise OSError("too many open files")

    batches = EmbedBatches(together, Sandbox().alone, 1, 100)
    assert await encoded(batches, command(1, "a"), command(2, "a")) == ["too many open files"] * 2
    assert await encoded(batches, command(3, "a")) == [[3]]


async def test_one_whose_client_left_is_not_tried_alone_either(sandbox: Sandbox, batches: EmbedBatches) -> None:
    sandbox.open.clear()
    bomb, left, stays = (
        asyncio.ensure_future(batches.encode(command(number, text), 1))
        for number, text in enumerate(("bomb", "a", "a"))
    )
    await sandbox.begun.wait()
    left.cancel()
    sandbox.open.set()
    await asyncio.gather(bomb, left, stays, return_exceptions=True)
    assert sandbox.tasks == [[0, 1, 2], [0], [2]]


async def test_a_client_may_have_several_tasks_where_that_is_allowed(sandbox: Sandbox) -> None:
    batches = EmbedBatches(sandbox.together, sandbox.alone, 2, 100)
    sandbox.open.clear()
    several = asyncio.ensure_future(encoded(batches, *(command(number, "a" * 50) for number in range(6))))
    await sandbox.begun.wait()
    await asyncio.sleep(0)
    assert sandbox.tasks == [[0, 1], [2, 3]]
    sandbox.open.set()
    assert await several == [[number] for number in range(6)]


async def test_clients_share_no_task(sandbox: Sandbox, batches: EmbedBatches) -> None:
    await encoded(batches, *(command(number, "a", f"client {number % 2}") for number in range(6)))
    assert sorted(map(sorted, sandbox.tasks)) == [[0, 2, 4], [1, 3, 5]]
