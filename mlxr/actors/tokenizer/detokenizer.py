"""Token ids of one sequence to text, as they come: whole characters only, and nothing of a stop string."""

from __future__ import annotations

from codecs import utf_8_decode
from collections.abc import Iterable, Sequence

from mlxr.models.tokenizers import TokenTexts

NO_TOKENS: frozenset[int] = frozenset()


class Detokenizer:
    """Joined, what ``push`` and ``finish`` return is what decoding all tokens at once gives.

    Control tokens are left out, but for those in ``show``, whose names the output parser reads. ``at_start``: the
    tokens are a whole text rather than the continuation of one, so that SentencePiece's dummy space goes.
    """

    __slots__ = ("_begun", "_hidden", "_strip", "_token_bytes")

    def __init__(self, tokenizer: TokenTexts, *, show: frozenset[int] = NO_TOKENS, at_start: bool = False) -> None:
        self._token_bytes = tokenizer.token_bytes
        self._hidden = tokenizer.special.control - show if show else tokenizer.special.control
        self._begun = b""
        """The bytes of an unfinished character."""
        self._strip = at_start and tokenizer.strips_space

    def push(self, tokens: Iterable[int]) -> str:
        """Returns the text that ``tokens`` complete; bytes of an unfinished character wait for the next call."""
        hidden, token_bytes = self._hidden, self._token_bytes
        raw = b"".join([token_bytes(token) for token in tokens if token not in hidden])
        if self._strip and raw:
            raw = raw.removeprefix(b" ")
            self._strip = False
        # The codec's own incremental decoder is Python, and costs a token as much as all else here.
        if self._begun:
            raw = self._begun + raw
        text, used = utf_8_decode(raw, "replace", False)
        self._begun = raw[used:]
        return text

    def finish(self) -> str:
        """Returns U+FFFD for a character that never became whole, else nothing."""
        text, _ = utf_8_decode(self._begun, "replace", True)
        self._begun = b""
        return text


class StopStrings:
    """Passes text on until one of ``stop_strings`` appears, which it swallows with all that follows.

    Text that may still turn out to begin a stop string is held back. The stop that is complete first wins; of several
    complete at the same place, the longest. ``matched`` is the stop string met, None so far. ``any``: there are stop
    strings at all; otherwise nothing here need be called.
    """

    __slots__ = ("_held", "_stops", "_window", "any", "matched")

    def __init__(self, stop_strings: Sequence[str]) -> None:
        self._stops = tuple(stop for stop in stop_strings if stop)
        self._window = max(map(len, self._stops), default=0) - 1
        self._held = ""
        self.any = bool(self._stops)
        self.matched: str | None = None

    def push(self, text: str) -> str:
        """Returns the text that is safe to send on."""
        if self.matched is not None:
            return ""
        if not self._stops:
            return text
        text = self._held + text
        found = [(start + len(stop), start, stop) for stop in self._stops if (start := text.find(stop)) >= 0]
        if found:
            _, start, self.matched = min(found)
            self._held = ""
            return text[:start]
        held = self._undecided(text)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def finish(self) -> str:
        """Returns what was held back, at the end of the sequence."""
        held, self._held = self._held, ""
        return held

    def _undecided(self, text: str) -> int:
        """Length of the longest end of ``text`` that begins a stop string."""
        for length in range(min(self._window, len(text)), 0, -1):
            end = text[-length:]
            if any(stop.startswith(end) for stop in self._stops):
                return length
        return 0
