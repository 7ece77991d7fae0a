"""Puts streamed text into lines of a terminal: a word is written once, and goes to the next line as a whole."""

from __future__ import annotations

import re
from collections.abc import Callable

from rich.cells import cell_len

from mlxr.cli.run.style import Palette, Styles

_PIECES = re.compile(r"[ \t]+|[^ \t]+")
_WIDE = re.compile(r"([\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6])")
"""Characters of scripts that are broken anywhere."""

TAB = "    "


class Wrapper:
    """Writes styled text to ``write``. Where there is a ``width``, a word waits until its end is known.

    indent: what lines begin with that a paragraph goes on in, with its styles.
    """

    def __init__(self, write: Callable[[str], object], palette: Palette, width: int | None) -> None:
        self._write = write
        self._palette = palette
        self._width = width
        self._column = 0
        self._word: list[tuple[str, Styles]] = []
        self._word_width = 0
        self._space = ""
        self.indent: tuple[str, Styles] = ("", ())

    @property
    def at_line_start(self) -> bool:
        return not (self._column or self._word or self._space)

    def text(self, text: str, styles: Styles = ()) -> None:
        """Adds to the line; ``text`` has no line break."""
        if self._width is None:
            self._put(text, styles)
            return
        for piece in _PIECES.findall(text):
            if piece[0] in " \t":
                self._end_word()
                self._space += piece.replace("\t", TAB)
                continue
            for part in filter(None, _WIDE.split(piece)):
                wide = _WIDE.fullmatch(part)
                if wide:
                    self._end_word()
                self._word.append((part, styles))
                self._word_width += cell_len(part)
                if wide:
                    self._end_word()

    def whole(self, text: str, styles: Styles = ()) -> None:
        """Adds ``text`` as it is, however long: code, which is to be copied, and prefixes of lines."""
        self._end_word()
        self._put(self._space + text, styles)
        self._space = ""

    def newline(self) -> None:
        self._end_word()
        self._space = ""
        self._write("\n")
        self._column = 0

    def flush(self) -> None:
        """Writes the word that may not be whole yet: nothing more comes for now."""
        self._end_word()

    def _end_word(self) -> None:
        if not self._word:
            return
        assert self._width is not None
        room = self._width - self._column - len(self._space)
        beginning = cell_len(self.indent[0])
        if self._word_width > room and self._column > beginning:
            self._write("\n")
            self._column = 0
            self._put(*self.indent)
        else:
            self._put(self._space, ())
        self._space = ""
        for text, styles in self._word:
            self._put(text, styles)
        self._word, self._word_width = [], 0

    def _put(self, text: str, styles: Styles) -> None:
        if not text:
            return
        self._write(self._palette.paint(text, styles))
        self._column += cell_len(text)
        if self._width is not None and self._column > self._width:
            self._column %= self._width
