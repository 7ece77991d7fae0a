"""Answers: how they begin, what comes of them, how they end, and how they go on after a death."""

from __future__ import annotations

import logging
from collections.abc import Callable

import anyio
from msgspec import structs

from mlxr.actors.chats.answer_writer import AnswerWriter
from mlxr.actors.chats.live_answer import LiveAnswer
from mlxr.actors.chats.run import Piece, Run
from mlxr.actors.chats.state import ChatState
from mlxr.actors.chats.titles import Titles
from mlxr.api.chats.events import AnswerWaits, Stage
from mlxr.api.chats.views import AnswerParameters, ChatTurn, State
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.chats import AnswerDeltas, AnswerEnded, AnswerPrefill, AnswerStarted
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo, FinishReason, Message
from mlxr.runtime.messages.frontend import Delta, RunAnswer, StopAnswer
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import Resumed

log = logging.getLogger("mlxr.chats")

MOST_TRIES = 5
"""How often in a row an answer is begun again that fails for reasons which pass."""
LONGEST_WAIT = 5.0

PASSING = frozenset({ErrorCode.ENGINE_FAILED, ErrorCode.QUEUE_FULL, ErrorCode.LOADING, ErrorCode.UNAVAILABLE})
"""Failures that pass where they say after how long."""


class Answers:
    """Owns the numbers of answers. ``tell`` sends to the frontend; ``spawn`` starts a task of the actor."""

    def __init__(
        self,
        state: ChatState,
        writer: AnswerWriter,
        titles: Titles,
        tell: Callable[[Message], None],
        spawn: Callable[..., None],
        first: int,
    ) -> None:
        self._state = state
        self._writer = writer
        self._titles = titles
        self._tell = tell
        self._spawn = spawn
        self._last = first
        self._by_number: dict[int, LiveAnswer] = {}
        self._ended: dict[str, anyio.Event] = {}

    # Beginning.

    def begin(self, chat: str, turn: ChatTurn, run: Run, pieces: list[Piece] | None = None) -> None:
        """Has an answer made, or gone on with. Its message and run are written already."""
        answer = LiveAnswer(chat, turn, run, pieces or [])
        self._state.live[turn.id] = answer
        self._ended[turn.id] = anyio.Event()
        self._send(answer)

    def _send(self, answer: LiveAnswer) -> None:
        self._last += 1
        self._by_number.pop(answer.answer, None)
        answer.answer = self._last
        self._by_number[answer.answer] = answer
        run, command = answer.run, answer.run.command
        if answer.output:
            resumed = Resumed(run.prompt, TokenIds.of(answer.output), restate=answer.restates)
            command = structs.replace(command, resumed=resumed)
        self._tell(
            RunAnswer(
                answer.answer,
                run.model,
                command,
                run.given,
                run.settled,
                run.digest,
                run.client,
                run.remote,
                run.keep_alive,
            )
        )

    async def resume(self) -> None:
        """Goes on with all answers that a server left unfinished. Call within ``turn``."""
        state = self._state
        for chat_id, turn in await state.store.open_messages():
            if turn.id in state.live:
                continue
            try:
                chat = await state.store.chat(chat_id, deleted=True)
                run, pieces = await state.store.run(turn.id), await state.store.pieces(turn.id)
            except RequestError as error:
                # One that is damaged keeps no other from going on.
                log.error("an answer does not go on: %s", error)
                continue
            if run is None or chat.deleted is not None:
                async with state.store.database.transaction():
                    stopped = structs.replace(turn, state="stopped", finish_reason="cancelled")
                    await state.store.put_message(chat_id, stopped)
                continue
            state.knows(chat)
            self.begin(chat_id, turn, run, pieces)

    def restart(self) -> None:
        """Begins all answers again where they are, since the frontend knows of none."""
        for answer in list(self._state.live.values()):
            self._again(answer, answer.tries)

    def _again(self, answer: LiveAnswer, tries: int) -> None:
        self._tell(StopAnswer(answer.answer))
        answer.begin_again(tries)
        self._send(answer)

    # What comes of them.

    def on_started(self, message: AnswerStarted) -> None:
        if (answer := self._by_number.get(message.answer)) is None:
            return
        run, turn = answer.run, answer.turn
        answer.load(message.load_seconds)
        self._tell_wait(answer, "queued", 0, len(message.prompt))
        if run.settled:
            return
        parameters = turn.parameters or AnswerParameters()
        turn = structs.replace(
            turn,
            model=message.model,
            parameters=structs.replace(parameters, seed=message.command.sampling.seed),
        )
        run = structs.replace(
            run,
            command=message.command,
            settled=True,
            prompt=message.prompt,
            digest=message.digest,
            model=message.model,
        )
        answer.settle(run, turn)
        self._spawn(self._writer.flush)

    def on_deltas(self, message: AnswerDeltas) -> None:
        if (answer := self._by_number.get(message.answer)) is None:
            return
        for delta in message.items:
            self._take(answer, delta)

    def _take(self, answer: LiveAnswer, delta: Delta) -> None:
        state, chat = self._state, answer.chat
        told = answer.take(delta)
        if told is None:
            state.followers.tell(chat, "message", answer.view(), state.position(chat))
        else:
            state.followers.tell_delta(chat, answer, told, state.position(chat))

    def on_prefill(self, message: AnswerPrefill) -> None:
        """So much of a prompt is read; of one whose model is not loaded yet nothing is known."""
        if (answer := self._by_number.get(message.answer)) is not None:
            self._tell_wait(answer, "prefill" if message.total else "loading", message.done, message.total)

    def _tell_wait(self, answer: LiveAnswer, stage: Stage, done: int = 0, total: int = 0) -> None:
        waits = AnswerWaits(message=answer.message, stage=stage, done=done, total=total)
        self._state.followers.tell(answer.chat, "progress", waits)

    # Ending.

    async def stop(self, messages: list[str]) -> None:
        """Aborts answers; returns once they have ended. Not to be called within ``turn``."""
        waits = [self._ended[message] for message in messages if message in self._state.live]
        for message in messages:
            if (answer := self._state.live.get(message)) is not None:
                answer.stopping = True
                self._tell(StopAnswer(answer.answer))
        with anyio.move_on_after(LONGEST_WAIT):
            for ended in waits:
                await ended.wait()

    def drop(self, message: str) -> None:
        """Aborts an answer whose message is being deleted; what of it is not written never is."""
        self._state.unsaved.pop(message, None)
        if (answer := self._state.live.pop(message, None)) is not None:
            self._by_number.pop(answer.answer, None)
            self._ended.pop(message).set()
            self._tell(StopAnswer(answer.answer))

    def drop_all(self, chat: str) -> None:
        """The same for all answers of a chat."""
        unsaved = [message for message, (of, _, _) in self._state.unsaved.items() if of == chat]
        for message in [*unsaved, *(answer.message for answer in self._state.live_of(chat))]:
            self.drop(message)

    def on_ended(self, message: AnswerEnded) -> None:
        if message.answer in self._by_number:
            self._spawn(self._end, message)

    async def _end(self, message: AnswerEnded) -> None:
        answer = self._by_number.get(message.answer)
        if answer is None:
            return
        error = message.error
        if error is not None and error.code is ErrorCode.SHUTTING_DOWN:
            # It goes on when the server is back.
            await self._writer.flush()
            return
        if error is not None and _passes(error) and not answer.stopping and answer.tries < MOST_TRIES:
            await anyio.sleep(min(error.retry_after or 0.0, LONGEST_WAIT) * (answer.tries > 0))
            if self._by_number.get(message.answer) is answer and not answer.stopping:
                self._again(answer, answer.tries + 1)
                return
        async with self._state.turn:
            if self._by_number.get(message.answer) is answer:
                await self._finish(answer, message)

    async def _finish(self, answer: LiveAnswer, message: AnswerEnded) -> None:
        state, turn = self._state, answer.view()
        kind = _state_of(answer, message.error)
        keeps = kind in ("cut", "stopped", "failed")
        failure = message.error.message if kind == "failed" and message.error is not None else None
        finish = answer.finish.value if answer.finish is not None else None
        turn = structs.replace(
            turn,
            state=kind,
            usage=answer.usage(message.usage),
            finish_reason="cancelled" if kind == "stopped" else None if kind == "failed" else finish,
            error=failure,
            continuable=keeps and answer.run.settled,
        )
        run = answer.final_run() if keeps else None
        del state.live[answer.message], self._by_number[answer.answer]
        await self._writer.save(answer.chat, turn, run)
        self._ended.pop(answer.message).set()
        if kind in ("done", "cut"):
            await self._titles.after(answer.chat, turn)


def _passes(error: ErrorInfo) -> bool:
    return error.code in PASSING and error.retry_after is not None


def _state_of(answer: LiveAnswer, error: ErrorInfo | None) -> State:
    """Returns how an answer ended."""
    if answer.stopping or (error is not None and error.code is ErrorCode.CANCELLED):
        return "stopped"
    if error is not None:
        return "failed"
    if answer.finish is FinishReason.LENGTH:
        return "cut"
    return "tools" if answer.finish is FinishReason.TOOL_CALLS and answer.calls else "done"
