"""Shows the pieces of an answer: reasoning dimmed, text as Markdown or as it is."""

from __future__ import annotations

import re
import sys
from typing import TextIO

from mlxr.cli.run.markdown import MarkdownWriter
from mlxr.cli.run.settings import ChatSettings
from mlxr.cli.run.style import palette_of, width_of
from mlxr.cli.run.wrap import Wrapper

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What would give orders to a terminal; tabs and line breaks stay."""

THINKING, THOUGHT = "Thinking...", "...done thinking."


class PlainWriter:
    """Writes text as it is, in lines that are broken between words where there is a width."""

    def __init__(self, lines: Wrapper, styles: tuple[str, ...] = ()) -> None:
        self._lines = lines
        self._styles = styles

    def feed(self, text: str) -> None:
        *whole, last = text.split("\n")
        for line in whole:
            self._lines.text(line, self._styles)
            self._lines.newline()
        self._lines.text(last, self._styles)

    def end(self) -> None:
        self._lines.flush()
        if not self._lines.at_line_start:
            self._lines.newline()


class AnswerWriter:
    """Writes one answer to ``out``: for people on a terminal, as it is in a pipe."""

    def __init__(self, settings: ChatSettings, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._palette = palette_of(self._out)
        self._width = width_of(self._out) if settings.wordwrap else None
        self._show_thinking = settings.show_thinking
        self._markdown = settings.markdown and self._palette.attributes and not settings.format
        self._terminal = self._palette.attributes or self._width is not None
        self._thinking: PlainWriter | None = None
        self._text: MarkdownWriter | PlainWriter | None = None

    def piece(self, kind: str, text: str) -> None:
        if self._terminal:
            text = _CONTROLS.sub("", text)
        if kind == "thinking":
            self._write_reasoning(text)
        else:
            self._say(text)
        self._out.flush()

    def end(self) -> None:
        """Shows what was held back, and ends the line."""
        self._end_thinking()
        if self._text is not None:
            self._text.end()
        self._out.flush()

    def _write_reasoning(self, text: str) -> None:
        if not self._show_thinking:
            return
        if self._thinking is None:
            self._out.write(self._palette.paint(THINKING, ("dim",)) + "\n")
            self._thinking = PlainWriter(Wrapper(self._out.write, self._palette, self._width), ("dim",))
        self._thinking.feed(text)

    def _say(self, text: str) -> None:
        self._end_thinking()
        if self._text is None:
            self._text = (
                MarkdownWriter(self._out.write, self._palette, self._width)
                if self._markdown
                else PlainWriter(Wrapper(self._out.write, self._palette, self._width))
            )
        self._text.feed(text)

    def _end_thinking(self) -> None:
        if self._thinking is not None:
            self._thinking.end()
            self._thinking = None
            self._out.write(self._palette.paint(THOUGHT, ("dim",)) + "\n\n")
