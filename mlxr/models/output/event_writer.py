"""The events made of an output: text, reasoning and calls, with white space where it belongs."""

from __future__ import annotations

from mlxr.models.output.events import CallArguments, CallStart, Content, Event, Reasoning, append


class EventWriter:
    """Owns the events that nobody has taken yet.

    Attributes:
        markers: strings that must never be content.
        events: what was written since they were taken.
        calls: how many calls have begun.
        open_call: the last of them lacks its end.
        cut: the text ends where there was no room for more, so that what may begin a marker or a call is nothing.
        fresh: nothing was written yet.
        hold_space: white space waits for what follows it, so that none is left before a call.
    """

    def __init__(self) -> None:
        self.markers: tuple[str, ...] = ()
        self.events: list[Event] = []
        self.calls = 0
        self.open_call = False
        self.cut = False
        self.fresh = True
        self.hold_space = False
        self._space = ""
        self._trim = False

    def content(self, text: str) -> None:
        """Text for the user. With ``hold_space``, white space waits for what follows: none is left before a call."""
        if self._trim:
            text = text.lstrip()
            self._trim = not text
        if self.hold_space:
            text = self._space + text
            kept = text.rstrip()
            self._space = text[len(kept) :]
            text = kept
        if text:
            self.fresh = False
            append(self.events, Content(text))

    def leftover(self, text: str) -> None:
        """What was to be a call and is none: content, without the markers in it. One that was cut off is nothing."""
        if self.cut:
            return
        while any(marker in text for marker in self.markers):
            for marker in self.markers:
                text = text.replace(marker, "")
        self.content(text)

    def reasoning(self, text: str) -> None:
        """Text of a reasoning section, without white space at its ends."""
        if self._trim:
            text = text.lstrip()
            self._trim = not text
        text = self._space + text
        kept = text.rstrip()
        self._space = text[len(kept) :]
        if kept:
            append(self.events, Reasoning(kept))

    def boundary(self) -> None:
        """A section begins or ends: white space around the place is nobody's."""
        self._space = ""
        self._trim = True

    def flush(self) -> None:
        """The end of all text: white space that was held back is content after all."""
        if self._space:
            append(self.events, Content(self._space))
            self._space = ""

    def call(self, name: str) -> None:
        self.boundary()
        self.fresh = False
        append(self.events, CallStart(self.calls, name))
        self.calls += 1
        self.open_call = True

    def arguments(self, text: str) -> None:
        """A piece of the call's arguments. After the end of a text that was cut there is no more of them."""
        if text and not self.cut:
            append(self.events, CallArguments(self.calls - 1, text))

    def call_done(self) -> None:
        self.open_call = self.cut

    def whole_call(self, name: str, arguments: str) -> None:
        self.call(name)
        append(self.events, CallArguments(self.calls - 1, arguments))
        self.open_call = False
