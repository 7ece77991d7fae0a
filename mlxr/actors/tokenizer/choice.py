"""One sequence on its way out: token ids become text, reasoning, tool calls and log-probabilities."""

from __future__ import annotations

from mlxr.actors.tokenizer.detokenizer import Detokenizer, StopStrings
from mlxr.models.tokenizers import Tokenizer
from mlxr.runtime.messages.common import FinishReason, TextLogprob, TokenLogprob
from mlxr.runtime.messages.frontend import Delta
from mlxr.runtime.messages.tokenizer import TokenRow


class Choice:
    """The state of one sequence's output. ``stopped``: a stop string ended it before the scheduler did."""

    def __init__(self, request: int, index: int, tokenizer: Tokenizer, stops: list[str]) -> None:
        self.request = request
        self.index = index
        self.tokens: list[int] = []
        self.ended = False
        self.stopped = False
        self._tokenizer = tokenizer
        self._detokenizer = Detokenizer(tokenizer)
        self._stops = StopStrings(stops)

    def take(self, row: TokenRow) -> Delta | None:
        """What ``row`` adds; None when nothing can be shown yet, or the sequence has ended already."""
        if self.ended:
            return None
        self.tokens.extend(row.tokens)
        text = self._stops.push(self._detokenizer.push(row.tokens))
        finish = row.finish
        if self._stops.matched is not None:
            finish = FinishReason.STOP
            self.stopped = row.finish is None
        elif finish is not None:
            text += self._stops.push(self._detokenizer.finish()) + self._stops.finish()
        logprobs = [text_logprob(self._tokenizer, logprob) for logprob in row.logprobs]
        self.ended = finish is not None
        if not (text or finish or logprobs):
            return None
        return Delta(
            request=self.request,
            index=self.index,
            text=text,
            logprobs=logprobs,
            tokens=len(row.tokens),
            finish=finish,
            token_ids=row.tokens,
            stop=self._stops.matched,
        )


def text_logprob(tokenizer: Tokenizer, logprob: TokenLogprob) -> TextLogprob:
    """``logprob`` with the tokens' text and bytes."""
    raw = tokenizer.token_bytes(logprob.token)
    top = [
        (other.decode("utf-8", "replace"), value, other)
        for other, value in ((tokenizer.token_bytes(token), value) for token, value in logprob.top)
    ]
    return TextLogprob(raw.decode("utf-8", "replace"), logprob.logprob, raw, top, logprob.token)
