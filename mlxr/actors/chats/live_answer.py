"""An answer on its way: what it has so far, what of that is still to be written, and what a follower has missed."""

from __future__ import annotations

import time
from typing import NamedTuple

from msgspec import structs

from mlxr.actors.chats.run import Piece, Run
from mlxr.api.chats.events import AnswerDelta, CallDelta
from mlxr.api.chats.views import Alternative, ChatCall, ChatLogprob, ChatTurn, ChatUsage, TextPart
from mlxr.runtime.messages.common import FinishReason, TextLogprob, Usage
from mlxr.runtime.messages.frontend import Delta
from mlxr.runtime.messages.token_ids import TokenIds

MOST_DELTAS = 16_384
"""Pieces that are kept for followers who come back; who missed more gets the message as a whole."""


class Mark(NamedTuple):
    """How much an answer had when it was written: its tokens, and what was pending."""

    tokens: int
    texts: int
    reasonings: int
    logprobs: int


class LiveAnswer:
    """Owns what one answer has. No clock but for durations; no I/O.

    Attributes:
        answer: its number at the frontend; 0 before it has one.
        chat: whose it is.
        run: how it is made.
        output: the ids of its tokens.
        finish: why its text ended; None before.
        stopping: somebody stopped it.
        tries: how often it was begun again since it last got a token.
        restates: its first piece says again what it had: text that was put out at its end as unfinished may go on.
        run_changed: ``run`` and ``turn`` are to be written.
    """

    def __init__(self, chat: str, turn: ChatTurn, run: Run, pieces: list[Piece]) -> None:
        self.answer = 0
        self.chat = chat
        self.run = run
        self.finish: FinishReason | None = None
        self.stopping = False
        self.tries = 0
        self._turn = turn
        self._text = [part.text for part in turn.content if isinstance(part, TextPart)]
        self._reasoning = [turn.reasoning] if turn.reasoning else []
        self._reasoning_seconds = turn.reasoning_seconds
        self._calls = list(turn.tool_calls)
        self._logprobs = list(turn.logprobs or [])
        self.output = run.output.list()
        usage = turn.usage or ChatUsage()
        self._ttft, self._load = usage.ttft, usage.load
        for piece in pieces:
            self._restore(piece)
        self._written = len(self.output)
        self._begun_with = len(self.output)
        self._deltas: list[AnswerDelta] = []
        self._pending_text: list[str] = []
        self._pending_reasoning: list[str] = []
        self._pending_logprobs: list[ChatLogprob] = []
        self.restates = bool(run.output)
        self.run_changed = False
        self._since = time.monotonic()
        self._first: float | None = None
        self._last = 0.0
        self._reasoning_since: float | None = None

    def _restore(self, piece: Piece) -> None:
        self.output += piece.output.list()
        self._text.append(piece.text)
        if piece.reasoning:
            self._reasoning.append(piece.reasoning)
        self._reasoning_seconds = piece.reasoning_seconds
        self._calls = list(piece.calls) or self._calls
        self._logprobs += piece.logprobs
        self._ttft, self._load = piece.ttft, piece.load

    @property
    def message(self) -> str:
        return self._turn.id

    @property
    def turn(self) -> ChatTurn:
        """The message less what pieces hold of it."""
        return self._turn

    @property
    def tokens(self) -> int:
        return len(self.output)

    @property
    def calls(self) -> list[ChatCall]:
        return self._calls

    def load(self, seconds: float) -> None:
        """Its prompt is queued, after its model took so long to load."""
        if self._load is None:
            self._load = round(seconds, 6)

    def settle(self, run: Run, turn: ChatTurn) -> None:
        """It is known how it is made."""
        self.run, self._turn, self.run_changed = run, turn, True

    def begin_again(self, tries: int) -> None:
        """Its request is lost; another one goes on from what there is."""
        self.tries, self.finish = tries, None
        self._begun_with = len(self.output)
        self._first = None

    def final_run(self) -> Run:
        """Returns what it is gone on with after its end."""
        return structs.replace(self.run, output=TokenIds.of(self.output))

    def take(self, delta: Delta) -> AnswerDelta | None:
        """Takes a piece in, and returns what followers are told of it; None where they are to be shown the whole."""
        if self.restates:
            self._restate(delta)
            return None
        now = time.monotonic()
        self.tries = 0
        start = len(self.output)
        self.output += delta.ids
        self._time(delta, now)
        calls = [CallDelta(index=c.index, id=c.id, name=c.name, arguments=c.arguments) for c in delta.tool_calls]
        for call in calls:
            self._take_call(call)
        logprobs = [_shown(logprob) for logprob in delta.logprobs]
        self._text.append(delta.text)
        self._pending_text.append(delta.text)
        self._reasoning.append(delta.reasoning)
        self._pending_reasoning.append(delta.reasoning)
        self._logprobs += logprobs
        self._pending_logprobs += logprobs
        self.finish = delta.finish or self.finish
        told = AnswerDelta(
            message=self.message,
            start=start,
            tokens=len(self.output),
            text=delta.text,
            reasoning=delta.reasoning,
            tool_calls=calls,
            logprobs=logprobs,
        )
        self._deltas.append(told)
        if len(self._deltas) > MOST_DELTAS:
            del self._deltas[: MOST_DELTAS // 2]
        return told

    def _restate(self, delta: Delta) -> None:
        """Has what it had from its own tokens, all of it still to be written."""
        self.restates, self.run_changed = False, True
        self.run = structs.replace(self.run, output=TokenIds())
        self._turn = structs.replace(self._turn, content=[], reasoning="", tool_calls=[], logprobs=None)
        self.output, self._written = list(delta.ids), 0
        self._text, self._pending_text = [delta.text], [delta.text]
        self._reasoning, self._pending_reasoning = [delta.reasoning], [delta.reasoning]
        self._pending_logprobs = list(self._logprobs)
        self._calls = []
        for call in delta.tool_calls:
            self._take_call(CallDelta(index=call.index, id=call.id, name=call.name, arguments=call.arguments))
        self._deltas.clear()

    def _time(self, delta: Delta, now: float) -> None:
        self._last = now
        if self._first is None:
            self._first = now
            if self._ttft is None:
                self._ttft = round(now - self._since, 6)
        if delta.reasoning:
            if self._reasoning_since is None:
                self._reasoning_since = now - (self._reasoning_seconds or 0.0)
            self._reasoning_seconds = round(now - self._reasoning_since, 3)

    def _take_call(self, call: CallDelta) -> None:
        while len(self._calls) <= call.index:
            self._calls.append(ChatCall(id=call.id or "", name=call.name or ""))
        known = self._calls[call.index]
        self._calls[call.index] = structs.replace(known, arguments=known.arguments + call.arguments)

    @property
    def dirty(self) -> bool:
        """Whether something is still to be written."""
        return self.run_changed or len(self.output) > self._written

    def unwritten(self) -> tuple[Mark, int, Piece | None]:
        """Returns what ``written`` is told afterwards, how many tokens were before, and what is to be written."""
        mark = Mark(
            len(self.output), len(self._pending_text), len(self._pending_reasoning), len(self._pending_logprobs)
        )
        if mark.tokens == self._written:
            return mark, self._written, None
        piece = Piece(
            output=TokenIds.of(self.output[self._written :]),
            text="".join(self._pending_text),
            reasoning="".join(self._pending_reasoning),
            reasoning_seconds=self._reasoning_seconds,
            calls=list(self._calls),
            logprobs=list(self._pending_logprobs),
            ttft=self._ttft,
            load=self._load,
        )
        return mark, self._written, piece

    def written(self, mark: Mark) -> None:
        """What there was at ``mark`` is written."""
        if mark.tokens == self._written:
            return
        self._written = mark.tokens
        del self._pending_text[: mark.texts], self._pending_reasoning[: mark.reasonings]
        del self._pending_logprobs[: mark.logprobs]

    def view(self) -> ChatTurn:
        """Returns the message as it is now."""
        text = "".join(self._text)
        self._text = [text]
        self._reasoning = ["".join(self._reasoning)]
        usage = self._turn.usage or ChatUsage()
        return structs.replace(
            self._turn,
            state="streaming" if self.output else "waiting",
            content=[TextPart(text=text)] if text else [],
            reasoning=self._reasoning[0],
            reasoning_seconds=self._reasoning_seconds,
            tool_calls=list(self._calls),
            logprobs=list(self._logprobs) or None,
            tokens=len(self.output),
            usage=structs.replace(usage, ttft=self._ttft, load=self._load, completion_tokens=len(self.output)),
        )

    def usage(self, told: Usage) -> ChatUsage:
        """Returns what it took in the end. ``told``: of its last request, which may have been one of several."""
        before = self._turn.usage or ChatUsage()
        made = len(self.output) - self._begun_with
        streamed = self._last - self._first if self._first is not None else 0.0
        return ChatUsage(
            prompt_tokens=told.prompt_tokens or len(self.run.prompt) or before.prompt_tokens,
            cached_tokens=told.cached_tokens,
            completion_tokens=len(self.output),
            reasoning_tokens=told.reasoning_tokens,
            drafted_tokens=told.drafted_tokens,
            accepted_tokens=told.accepted_tokens,
            ttft=self._ttft,
            load=self._load,
            seconds=round((before.seconds or 0.0) + time.monotonic() - self._since, 6),
            tokens_per_second=round((made - 1) / streamed, 3)
            if made > 1 and streamed > 0
            else before.tokens_per_second,
        )

    def since(self, tokens: int) -> AnswerDelta | None:
        """Returns all that came behind the first ``tokens`` as one piece; None where it can't be cut there."""
        missed = [delta for delta in self._deltas if delta.start >= tokens and delta.tokens > tokens]
        begin = missed[0].start if missed else len(self.output)
        if begin != tokens:
            return None
        return AnswerDelta(
            message=self.message,
            start=tokens,
            tokens=len(self.output),
            text="".join(delta.text for delta in missed),
            reasoning="".join(delta.reasoning for delta in missed),
            tool_calls=[call for delta in missed for call in delta.tool_calls],
            logprobs=[logprob for delta in missed for logprob in delta.logprobs],
        )


def _shown(logprob: TextLogprob) -> ChatLogprob:
    top = [Alternative(token=text, logprob=round(value, 5)) for text, value, _ in logprob.top]
    return ChatLogprob(token=logprob.token, logprob=round(logprob.logprob, 5), top=top)
