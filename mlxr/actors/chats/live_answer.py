"""An answer on its way: what it has so far."""

from __future__ import annotations

from msgspec import structs

from mlxr.actors.chats.answer_times import AnswerTimes
from mlxr.actors.chats.pending_writes import Mark, PendingWrites
from mlxr.actors.chats.replay_buffer import ReplayBuffer
from mlxr.actors.chats.run import Piece, Run
from mlxr.api.chats.events import AnswerDelta, CallDelta
from mlxr.api.chats.views import Alternative, ChatCall, ChatLogprob, ChatTurn, ChatUsage, TextPart
from mlxr.runtime.messages.common import FinishReason, TextLogprob, Usage
from mlxr.runtime.messages.frontend import Delta
from mlxr.runtime.messages.token_ids import TokenIds


class LiveAnswer:
    """Owns what one answer has. No I/O.

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
        self._calls = list(turn.tool_calls)
        self._logprobs = list(turn.logprobs or [])
        self.output = run.output.list()
        self._times = AnswerTimes(turn)
        for piece in pieces:
            self._restore(piece)
        self._unwritten = PendingWrites(len(self.output))
        self._told = ReplayBuffer(turn.id)
        self._begun_with = len(self.output)
        self.restates = bool(run.output)
        self.run_changed = False

    def _restore(self, piece: Piece) -> None:
        self.output += piece.output.list()
        self._text.append(piece.text)
        if piece.reasoning:
            self._reasoning.append(piece.reasoning)
        self._calls = list(piece.calls) or self._calls
        self._logprobs += piece.logprobs
        self._times.restore(piece)

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
        self._times.loaded(seconds)

    def settle(self, run: Run, turn: ChatTurn) -> None:
        """It is known how it is made."""
        self.run, self._turn, self.run_changed = run, turn, True

    def begin_again(self, tries: int) -> None:
        """Its request is lost; another one goes on from what there is."""
        self.tries, self.finish = tries, None
        self._begun_with = len(self.output)
        self._times.begin_again()

    def final_run(self) -> Run:
        """Returns what it is gone on with after its end."""
        return structs.replace(self.run, output=TokenIds.of(self.output))

    def take(self, delta: Delta) -> AnswerDelta | None:
        """Takes a piece in, and returns what followers are told of it; None where they are to be shown the whole."""
        if self.restates:
            self._restate(delta)
            return None
        self.tries = 0
        start = len(self.output)
        self.output += delta.ids
        self._times.take(reasoning=bool(delta.reasoning))
        calls = self._take_calls(delta)
        logprobs = [_shown(logprob) for logprob in delta.logprobs]
        self._text.append(delta.text)
        self._reasoning.append(delta.reasoning)
        self._logprobs += logprobs
        self._unwritten.add(delta.text, delta.reasoning, logprobs)
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
        self._told.add(told)
        return told

    def _restate(self, delta: Delta) -> None:
        """Has what it had from its own tokens, all of it still to be written."""
        self.restates, self.run_changed = False, True
        self.run = structs.replace(self.run, output=TokenIds())
        self._turn = structs.replace(self._turn, content=[], reasoning="", tool_calls=[], logprobs=None)
        self.output, self._unwritten = list(delta.ids), PendingWrites(0)
        self._text, self._reasoning = [delta.text], [delta.reasoning]
        self._unwritten.add(delta.text, delta.reasoning, self._logprobs)
        self._calls = []
        self._take_calls(delta)
        self._told.clear()

    def _take_calls(self, delta: Delta) -> list[CallDelta]:
        """Adds to the calls what the piece has of them, and returns that."""
        calls = [CallDelta(index=c.index, id=c.id, name=c.name, arguments=c.arguments) for c in delta.tool_calls]
        for call in calls:
            while len(self._calls) <= call.index:
                self._calls.append(ChatCall(id=call.id or "", name=call.name or ""))
            known = self._calls[call.index]
            self._calls[call.index] = structs.replace(known, arguments=known.arguments + call.arguments)
        return calls

    @property
    def dirty(self) -> bool:
        """Whether something is still to be written."""
        return self.run_changed or len(self.output) > self._unwritten.start

    def unwritten(self) -> tuple[Mark, int, Piece | None]:
        """Returns what ``written`` is told afterwards, how many tokens were before, and what is to be written."""
        pending, times = self._unwritten, self._times
        mark = pending.mark(len(self.output))
        if mark.tokens == pending.start:
            return mark, pending.start, None
        piece = Piece(
            output=TokenIds.of(self.output[pending.start :]),
            text=pending.text,
            reasoning=pending.reasoning,
            reasoning_seconds=times.reasoning,
            calls=list(self._calls),
            logprobs=list(pending.logprobs),
            ttft=times.ttft,
            load=times.load,
        )
        return mark, pending.start, piece

    def written(self, mark: Mark) -> None:
        """What there was at ``mark`` is written; what was restated meanwhile is not."""
        mark.of.written(mark)

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
            reasoning_seconds=self._times.reasoning,
            tool_calls=list(self._calls),
            logprobs=list(self._logprobs) or None,
            tokens=len(self.output),
            usage=structs.replace(
                usage, ttft=self._times.ttft, load=self._times.load, completion_tokens=len(self.output)
            ),
        )

    def usage(self, told: Usage) -> ChatUsage:
        """Returns what it took in the end. ``told``: of its last request, which may have been one of several."""
        before = self._turn.usage or ChatUsage()
        made = len(self.output) - self._begun_with
        times = self._times
        return ChatUsage(
            prompt_tokens=told.prompt_tokens or len(self.run.prompt) or before.prompt_tokens,
            cached_tokens=told.cached_tokens,
            completion_tokens=len(self.output),
            reasoning_tokens=told.reasoning_tokens,
            drafted_tokens=told.drafted_tokens,
            accepted_tokens=told.accepted_tokens,
            ttft=times.ttft,
            load=times.load,
            seconds=round((before.seconds or 0.0) + times.total, 6),
            tokens_per_second=times.rate(made - 1) or before.tokens_per_second,
        )

    def since(self, tokens: int) -> AnswerDelta | None:
        """Returns all that came behind the first ``tokens`` as one piece; None where it can't be cut there."""
        return self._told.since(tokens, len(self.output))


def _shown(logprob: TextLogprob) -> ChatLogprob:
    top = [Alternative(token=text, logprob=round(value, 5)) for text, value, _ in logprob.top]
    return ChatLogprob(token=logprob.token, logprob=round(logprob.logprob, 5), top=top)
