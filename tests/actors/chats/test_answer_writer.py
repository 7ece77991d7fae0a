"""When answers are written, and what of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import anyio

from mlxr.actors.chats.answer_writer import AnswerWriter
from mlxr.actors.chats.live_answer import LiveAnswer
from mlxr.actors.chats.run import Piece, Run
from mlxr.api.chats.views import ChatTurn, TextPart
from mlxr.runtime.messages.frontend import Delta
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import Generate, TextPrompt


class Store:
    """Notes what it is given. ``answer`` restates what it had while its run is written for the first time."""

    def __init__(self, answer: LiveAnswer) -> None:
        self._answer = answer
        self.runs: list[list[int]] = []
        self.pieces: list[tuple[int, list[int]]] = []
        self.database = self

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield

    async def put_run(self, message: str, run: Run) -> None:
        self.runs.append(run.output.list())
        if self._answer.restates:
            self._answer.take(Delta(1, text="abc", ids=[7, 8, 9]))

    async def put_piece(self, message: str, start: int, piece: Piece) -> None:
        self.pieces.append((start, piece.output.list()))

    async def put_message(self, chat: str, turn: ChatTurn) -> None: ...

    async def chat(self, chat: str, *, deleted: bool) -> None: ...

    async def put_chat(self, chat: None) -> None: ...


async def test_a_run_that_changes_while_it_is_written_is_written_again_and_no_token_is_there_twice() -> None:
    turn = ChatTurn(id="a", role="assistant", created=0.0, content=[TextPart(text="ab")])
    run = Run(command=Generate(1, TextPrompt("Hi")), output=TokenIds.of([7, 8]))
    answer = LiveAnswer("chat", turn, run, [])
    answer.settle(run, turn)
    store = Store(answer)
    state: Any = SimpleNamespace(
        store=store, turn=anyio.Lock(), live={"a": answer}, unsaved={}, problem=None, announce=lambda chat, turn: None
    )
    writer = AnswerWriter(state)
    await writer.flush()
    await writer.flush()
    assert store.runs == [[7, 8], []]
    assert store.pieces == [(0, [7, 8, 9])]
