"""One sequence on its way out: token ids become text, reasoning, tool calls and log-probabilities."""

from __future__ import annotations

import secrets

from mlxr.actors.tokenizer.detokenizer import NO_TOKENS, Detokenizer, StopStrings
from mlxr.models.output import CallArguments, CallStart, Content, Event, OutputParser, Reasoning
from mlxr.models.tokenizers import TokenTexts
from mlxr.runtime.messages.common import FinishReason, TextLogprob, TokenLogprob
from mlxr.runtime.messages.frontend import Delta, ToolCallDelta
from mlxr.runtime.messages.tokenizer import TokenRow

CALL_ID_BYTES = 12


class OutputStream:
    """Owns what one sequence has put out so far.

    Attributes:
        ended: it takes no more tokens.
        stopped: it ended here (a stop string, a call too many), and the scheduler is to be told.
        reasoning_tokens: tokens that brought reasoning.
        only_calls: the answer is held to tool calls; what looks like text is a call that was cut off.
        tracked: its deltas bring their tokens' ids.
    """

    def __init__(
        self,
        request: int,
        index: int,
        tokenizer: TokenTexts,
        stop_strings: list[str],
        parser: OutputParser,
        shown: frozenset[int] = NO_TOKENS,
        *,
        one_call: bool = False,
        only_calls: bool = False,
        tracked: bool = False,
    ) -> None:
        self.request = request
        self.index = index
        self.tokens: list[int] = []
        self.ended = False
        self.stopped = False
        self.reasoning_tokens = 0
        self._tokenizer = tokenizer
        self._detokenizer = Detokenizer(tokenizer, show=shown)
        self._stop_strings = StopStrings(stop_strings)
        self._parser = parser
        self._one_call = one_call
        self._only_calls = only_calls
        self._tracked = tracked
        self._untold: list[int] = []
        self._plain = not (only_calls or tracked)
        """Text is told as it is, and nothing beside it."""

    def resume(self, tokens: list[int]) -> Delta:
        """Goes on behind ``tokens``, which it had before. Returns what they say; nothing of it is told otherwise."""
        text, reasoning = "", ""
        calls: list[ToolCallDelta] = []
        for token in tokens:
            if (delta := self.take(TokenRow(0, [token]))) is not None:
                text, reasoning = text + delta.text, reasoning + delta.reasoning
                calls += delta.tool_calls
        self._untold.clear()
        return Delta(self.request, self.index, text, reasoning, calls, tokens=0, ids=tokens)

    def take(self, row: TokenRow) -> Delta | None:
        """Returns what ``row`` adds; None when nothing can be shown yet, or the sequence has ended already."""
        if self.ended:
            return None
        self.tokens.extend(row.tokens)
        if self._tracked:
            self._untold.extend(row.tokens)
        text = self._detokenizer.push(row.tokens)
        finish = row.finish
        if self._stop_strings.any:
            text = self._stop_strings.push(text)
        if self._stop_strings.matched is not None:
            finish = FinishReason.STOP
        elif finish is not None:
            text += self._stop_strings.push(self._detokenizer.finish()) + self._stop_strings.finish()
        events = self._parser.push(text) if text else []
        if finish is not None:
            events += self._parser.finish(cut=finish is FinishReason.LENGTH)
        if self._one_call and self._parser.calls > 1:
            events = [event for event in events if not _later_call(event)]
            finish = FinishReason.TOOL_CALLS
        simple = finish is None and len(events) == 1 and self._plain and not row.logprobs
        if simple and isinstance(event := events[0], Content):  # Nearly every token is one of these.
            return Delta(self.request, self.index, event.text, tokens=len(row.tokens))
        self.ended = finish is not None
        self.stopped = self.ended and row.finish is None
        return self._delta(row, events, finish)

    def skip(self, row: TokenRow) -> Delta | None:
        """Ends without the text of ``row``."""
        self.ended = row.finish is not None
        return Delta(self.request, self.index, finish=FinishReason.LENGTH) if self.ended else None

    def _delta(self, row: TokenRow, events: list[Event], finish: FinishReason | None) -> Delta | None:
        if not (events or finish or row.logprobs):
            return None
        logprobs = [text_logprob(self._tokenizer, logprob) for logprob in row.logprobs]
        content, reasoning = "", ""
        calls: list[ToolCallDelta] = []
        for event in events:
            match event:
                case Content(text):
                    content += "" if self._only_calls else text
                case Reasoning(text):
                    reasoning += text
                case CallStart(index, name):
                    calls.append(ToolCallDelta(index, f"call_{secrets.token_hex(CALL_ID_BYTES)}", name))
                case CallArguments(index, text):
                    calls.append(ToolCallDelta(index, arguments=text))
        ids, self._untold = self._untold, []
        if reasoning:
            self.reasoning_tokens += len(row.tokens)
        if finish is FinishReason.STOP and self._parser.calls and not self._parser.open_call:
            finish = FinishReason.TOOL_CALLS
        return Delta(
            request=self.request,
            index=self.index,
            text=content,
            reasoning=reasoning,
            tool_calls=calls,
            logprobs=logprobs,
            tokens=len(row.tokens),
            finish=finish,
            stop_string=self._stop_strings.matched,
            ids=ids,
        )


def _later_call(event: Event) -> bool:
    return isinstance(event, CallStart | CallArguments) and event.index > 0


def text_logprob(tokenizer: TokenTexts, logprob: TokenLogprob) -> TextLogprob:
    """Returns ``logprob`` with the tokens' text and bytes."""
    raw = tokenizer.token_bytes(logprob.token)
    top = [
        (other.decode("utf-8", "replace"), value, other)
        for other, value in ((tokenizer.token_bytes(token), value) for token, value in logprob.top)
    ]
    ids = [token for token, _ in logprob.top]
    return TextLogprob(logprob.token, raw.decode("utf-8", "replace"), logprob.logprob, raw, top, ids)
