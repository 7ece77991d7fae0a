"""A query and a document as one input: by the tokenizer's rules for pairs, or by the model's own prompt."""

from __future__ import annotations

from dataclasses import dataclass

from mlxr.models.chat.escaping import ControlMarkers, Escaper, choose_escape
from mlxr.models.tokenizers import Tokenizer
from mlxr.models.tokenizers.pairs import PairFrame
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, PairPrompt

QUERY, DOCUMENT = "{query}", "{document}"
"""Where the two stand in a model's prompt."""


@dataclass(frozen=True, slots=True)
class EncodedPair:
    """``segment_start``: as in ``Submit``. ``truncated``: something of the document was left out."""

    tokens: list[int]
    segment_start: int | None
    truncated: bool


class PairEncoder:
    """Encodes pairs for one model. ``prompt``: what a text model is asked, None for an encoder."""

    def __init__(self, tokenizer: Tokenizer, prompt: str | None) -> None:
        self._tokenizer = tokenizer
        self._prompt = prompt
        self._frame: PairFrame | None = None

    def encode(self, pair: PairPrompt, context: int, *, truncate: bool) -> EncodedPair:
        """Returns the token ids of a pair, at most ``context``. ``truncate`` leaves out the end of a document that does
        not fit. Raises ``RequestError`` for one that may not be cut, for a query that leaves it no room, and for a
        model that takes no pairs."""
        if self._prompt is not None:
            before, document, after, segmented = self._prompted(self._prompt, pair)
        else:
            before, document, after, segmented = self._framed(pair)
        room = context - len(before) - len(after)
        if room < 1:
            message = f"the query is too long: {len(before)} tokens with what is around it, of {context} that the model"
            raise RequestError(ErrorInfo(ErrorCode.CONTEXT_LENGTH, f"{message} takes; shorten the query", "query"))
        if len(document) > room and not truncate:
            message = f"a document is too long: {len(document)} tokens, and beside the query there is room for {room}"
            reason = f"{message}; shorten it, or let it be truncated"
            raise RequestError(ErrorInfo(ErrorCode.CONTEXT_LENGTH, reason, "documents"))
        kept = document[:room]
        start = len(before) if segmented else None
        return EncodedPair(before + kept + after, start, len(kept) < len(document))

    def _framed(self, pair: PairPrompt) -> tuple[list[int], list[int], list[int], bool]:
        frame = self._frame = self._frame or self._tokenizer.pair_frame()
        if frame is None:
            message = "the model's tokenizer has no rule for a pair of texts"
            raise RequestError(ErrorInfo(ErrorCode.UNSUPPORTED, message, "model"))
        query, document = (
            self._tokenizer.encode(text, add_special=False, parse_special=False) for text in (pair.query, pair.document)
        )
        return frame.before + query + frame.between, document, frame.after, frame.segmented

    def _prompted(self, prompt: str, pair: PairPrompt) -> tuple[list[int], list[int], list[int], bool]:
        """The texts are within others, so that their control tokens are only text."""
        markers = ControlMarkers(self._tokenizer.markers, [])
        conversation = ChatPrompt([ChatMessage("user", pair.query), ChatMessage("user", pair.document)])
        escape = Escaper(markers, choose_escape(markers, conversation, prompt))
        head, _, tail = prompt.partition(DOCUMENT)
        begin = head.replace(QUERY, escape.text(pair.query))
        encode = self._tokenizer.encode
        before = encode(begin, add_special=False, escape=escape.character)
        whole = encode(begin + escape.text(pair.document), add_special=False, escape=escape.character)
        # The document's first token may take the space before it along.
        shared = next(
            (i for i, pair_ in enumerate(zip(before, whole, strict=False)) if pair_[0] != pair_[1]), len(before)
        )
        return whole[:shared], whole[shared:], encode(tail, add_special=False), False
