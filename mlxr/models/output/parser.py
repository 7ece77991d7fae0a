"""The parser of one answer: text in, events out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlxr.models.output.events import Content, Event
from mlxr.models.output.incremental_reader import Parse, Reader
from mlxr.models.tokenizers import Tokenizer


class OutputParser:
    """Turns an answer's text into events as it comes.

    Attributes:
        markers: names of control tokens that the parser reads, which the detokenizer must therefore show.
        calls: how many tool calls have begun.
        open_call: whether the last of them is incomplete.
    """

    def __init__(self, read: Callable[[Reader], Parse[None]], markers: Sequence[str]) -> None:
        self.markers = tuple(markers)
        self._reader = Reader()
        self._steps = read(self._reader)
        self._ended = False

    @property
    def calls(self) -> int:
        return self._reader.calls

    @property
    def open_call(self) -> bool:
        return self._reader.open_call

    def push(self, text: str) -> list[Event]:
        """Returns the events that ``text`` makes certain."""
        self._reader.push(text)
        return self._advance()

    def finish(self, *, cut: bool = False) -> list[Event]:
        """Returns what was held back, at the end of the answer. ``cut``: it ends for want of room."""
        self._reader.end(cut=cut)
        return self._advance()

    def _advance(self) -> list[Event]:
        if not self._ended:
            try:
                next(self._steps)
            except StopIteration:
                self._ended = True
        events, self._reader.events = self._reader.events, []
        return events


class PlainParser(OutputParser):
    """For answers in which nothing is to be found: all text is content."""

    def __init__(self) -> None:
        super().__init__(lambda reader: iter(()), ())  # type: ignore[arg-type,return-value]

    def push(self, text: str) -> list[Event]:
        return [Content(text)] if text else []

    def finish(self, *, cut: bool = False) -> list[Event]:
        return []


def shown_tokens(parser: OutputParser, tokenizer: Tokenizer) -> frozenset[int]:
    """Returns the ids of the control tokens that ``parser`` reads, for ``Detokenizer(show=...)``."""
    found = (tokenizer.token_id(marker) for marker in parser.markers)
    return frozenset(token for token in found if token is not None) & tokenizer.special.control
