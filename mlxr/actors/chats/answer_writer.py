"""When answers are written: what came of each, a few times a second, and what is left of one at its end."""

from __future__ import annotations

import logging
import time

import anyio
from msgspec import structs

from mlxr.actors.chats.live_answer import LiveAnswer
from mlxr.actors.chats.run import Run
from mlxr.actors.chats.state import ChatState
from mlxr.api.chats.views import ChatTurn
from mlxr.runtime.errors import RequestError

log = logging.getLogger("mlxr.chats")

FLUSH_SECONDS = 0.25
"""How often what came is written. What a killed server has not written, it makes again, token by token the same."""


class AnswerWriter:
    """Writes what the state's answers have. What can't be written stays in memory for the next time, and followers are
    told of it."""

    def __init__(self, state: ChatState) -> None:
        self._state = state

    async def keep_flushing(self) -> None:
        while True:
            await anyio.sleep(FLUSH_SECONDS)
            state = self._state
            if state.unsaved or any(answer.dirty for answer in state.live.values()):
                await self.flush()

    async def flush(self) -> None:
        """Writes what came since the last time. Not to be called within ``turn``."""
        state = self._state
        async with state.turn:
            try:
                for message, (chat, turn, run) in list(state.unsaved.items()):
                    await self._save(chat, turn, run)
                    del state.unsaved[message]
                for answer in list(state.live.values()):
                    if answer.dirty:
                        await self._write(answer)
                state.problem = None
            except RequestError as error:
                self._note_problem(error)

    async def save(self, chat: str, turn: ChatTurn, run: Run | None) -> None:
        """Writes the message of an answer that has ended. ``run`` is None where the answer can't be resumed. Call
        within ``turn``."""
        try:
            await self._save(chat, turn, run)
        except RequestError as error:
            self._note_problem(error)
            self._state.unsaved[turn.id] = (chat, turn, run)
            self._state.announce_unsaved(chat, turn)

    def _note_problem(self, error: RequestError) -> None:
        if self._state.problem is None:
            log.error("answers can't be written and stay in memory: %s", error)
        self._state.problem = f"{error}; answers go on and are written once they can be"

    async def _write(self, answer: LiveAnswer) -> None:
        store, (mark, start, piece) = self._state.store, answer.unwritten()
        settled, run, turn = answer.run_changed, answer.run, answer.turn
        async with store.database.transaction():
            if settled:
                await store.put_run(answer.message, run)
                await store.put_message(answer.chat, turn)
                chat = await store.put_chat(await store.chat(answer.chat, deleted=True))
            if piece is not None:
                await store.put_piece(answer.message, start, piece)
        answer.written(mark)
        if settled:
            answer.run_changed = answer.run is not run  # It may have restated what it had meanwhile.
            self._state.announce(chat, answer.view())

    async def _save(self, chat_id: str, turn: ChatTurn, run: Run | None) -> None:
        store = self._state.store
        async with store.database.transaction():
            await store.put_message(chat_id, turn)
            await store.remove_pieces(turn.id)
            await (store.put_run(turn.id, run) if run is not None else store.remove_run(turn.id))
            chat = structs.replace(await store.chat(chat_id, deleted=True), updated=time.time())
            chat = await store.put_chat(chat)
        self._state.announce(chat, turn)
