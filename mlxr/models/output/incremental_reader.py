"""Text that arrives in pieces, read as if it were all there.

What reads an output is a generator that pulls from a ``Reader`` and yields whenever it needs more text than has come.
So it can be written from top to bottom, and what it makes of an output can't depend on how that was cut into pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

from mlxr.models.output.event_writer import EventWriter
from mlxr.models.output.json_scanner import JsonScanner
from mlxr.models.output.markers import Markers

T = TypeVar("T")
Parse = Generator[None, None, T]
Sink = Callable[[str], None]


def ignore(text: str) -> None:
    """The sink for text that nothing is made of."""


class Reader(EventWriter):
    """Input text, and the events made of it. ``mark`` keeps text from being forgotten, for syntaxes that may have to
    think again."""

    def __init__(self) -> None:
        super().__init__()
        self._text = ""
        self._at = 0
        self._final = False
        self._mark: int | None = None

    def push(self, text: str) -> None:
        start = self._at if self._mark is None else self._mark
        if start:
            self._text = self._text[start:]
            self._at -= start
            self._mark = None if self._mark is None else 0
        self._text += text

    def end(self, *, cut: bool = False) -> None:
        self._final, self.cut = True, cut

    def mark(self) -> None:
        """Remembers this place for ``rewind`` and ``since_mark``."""
        self._mark = self._at

    def since_mark(self) -> str:
        """Returns all text from the mark on."""
        return self._text[self._at if self._mark is None else self._mark :]

    def cut_within(self, *strings: str) -> bool:
        """Tells whether the text was cut where it may be the beginning of one of ``strings``, seen from the mark."""
        text = self.since_mark().lstrip()
        return self.cut and bool(text) and any(string.startswith(text) for string in strings)

    def unmark(self) -> None:
        self._mark = None

    def call(self, name: str) -> None:
        """A call begins, so that nothing will be read again."""
        super().call(name)
        self._mark = None

    def rewind(self) -> None:
        """Back to the mark."""
        self._at = self._at if self._mark is None else self._mark
        self._mark = None

    def more(self) -> Parse[bool]:
        """Waits for text beyond what there is; False at the end of all text."""
        have = len(self._text) - self._at
        while len(self._text) - self._at <= have:
            if self._final:
                return False
            yield
        return True

    def peek(self, count: int) -> Parse[str]:
        """Reads the next ``count`` characters, fewer at the end."""
        while len(self._text) - self._at < count and (yield from self.more()):
            pass
        return self._text[self._at : self._at + count]

    def skip(self, count: int) -> None:
        self._at += count

    def drop_rest(self) -> Parse[None]:
        """Takes all text that is still to come, and make nothing of it."""
        yield from self.until(Markers(()), ignore)

    def skip_space(self) -> Parse[str]:
        """Takes white space; the character after it, empty at the end."""
        while True:
            char = yield from self.peek(1)
            if not char.isspace():
                return char
            self._at += 1

    def accept(self, *strings: str) -> Parse[str]:
        """Takes the one of ``strings`` that comes next; empty for none. The longer ones go first."""
        for string in strings:
            count = 1
            while (piece := (yield from self.peek(count))) == string[:count] and count < len(string):
                count += 1
            if piece == string:
                self._at += len(string)
                return string
            if self.cut and string.startswith(self._text[self._at :]):
                self._at = len(self._text)
        return ""

    def until(self, markers: Markers, sink: Sink) -> Parse[str]:
        """Passes text to ``sink`` up to the first marker, which is taken; its string, or empty at the end."""
        while True:
            text, at = self._text, self._at
            place, found = -1, ""
            if any(text.find(first, at) >= 0 for first in markers.firsts):
                place, found = markers.find(text, at)
                stop = place if found else len(text) if self._final and not self.cut else markers.undecided(text, at)
            else:
                stop = len(text)
            if stop > at:
                self._at = stop
                sink(text[at:stop])
            if found:
                self._at = place + len(found)
                return found
            if not (yield from self.more()):
                if self._at < len(self._text) and not self.cut:
                    continue
                self._at = len(self._text)
                return ""

    def collect(self, markers: Markers) -> Parse[tuple[str, str]]:
        """Reads the text up to the first marker, and the marker, which is taken."""
        pieces: list[str] = []
        marker = yield from self.until(markers, pieces.append)
        return "".join(pieces), marker

    def json(self, sink: Sink) -> Parse[JsonScanner]:
        """Passes one JSON value to ``sink`` as it comes. The scanner tells whether it came whole."""
        scanner = JsonScanner()
        while True:
            self._at, text = scanner.feed(self._text, self._at)
            if text:
                sink(text)
            if scanner.done or scanner.failed:
                return scanner
            if not (yield from self.more()):
                sink(scanner.finish())
                return scanner

    def json_text(self) -> Parse[str]:
        """Reads one whole JSON value; empty where there is none."""
        pieces: list[str] = []
        scanner = yield from self.json(pieces.append)
        return "".join(pieces) if scanner.done else ""
