"""Reads emphasis, code and links of a line of Markdown while it streams in.

What may be the beginning of a pair (``**``) waits for its other half, for no more than ``LONGEST`` characters and the
rest of its line; then it is what it looks like. So no character is ever lost, and nothing that was written is changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mlxr.cli.run.style import Styles

LONGEST = 120

Write = Callable[[str, Styles], object]

_SPECIAL = re.compile(r"[*_`~\[\\]")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_CODE = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_LINK = re.compile(r"\[([^\[\]\n]+)\]\(([^()\s]+)(?:\s+\"[^\"]*\")?\)")
_PAIRS = [
    (re.compile(r"(\*\*\*)(?=[^\s*])(.+?)(?<=[^\s*])\*\*\*"), ("bold", "italic")),
    (re.compile(r"(\*\*)(?=[^\s*])(.+?)(?<=[^\s])\*\*(?!\*)"), ("bold",)),
    (re.compile(r"(\*)(?=[^\s*])([^*]+?)(?<=[^\s*])\*(?!\*)"), ("italic",)),
    (re.compile(r"(__)(?=[^\s_])(.+?)(?<=[^\s_])__(?!\w)"), ("bold",)),
    (re.compile(r"(_)(?=[^\s_])([^_]+?)(?<=[^\s_])_(?!\w)"), ("italic",)),
    (re.compile(r"(~~)(?=[^\s~])(.+?)(?<=[^\s~])~~"), ("strike",)),
]
_OPENERS = re.compile(r"(\*{1,3}|_{1,2}|~~|`+)(?=[^\s*_~`])|\[(?=[^\]\s])")
_UNDECIDED = re.compile(r"[*_~`\\]+$|\[$|~$")


class InlineReader:
    """Gives the text of a line, without its marks, to ``write``. ``keep_code_marks``: where no colour shows code."""

    def __init__(self, write: Write, keep_code_marks: bool = False) -> None:
        self._write = write
        self._keep_code_marks = keep_code_marks
        self._held = ""
        self._before = ""

    def feed(self, text: str, styles: Styles = ()) -> None:
        """Takes more of the line, in ``styles`` of the whole of it."""
        self._held += text
        self._read(styles, final=False)

    def end(self, styles: Styles = ()) -> None:
        """The line is over: what waited comes out."""
        self._read(styles, final=True)
        self._before = ""

    def _read(self, styles: Styles, final: bool) -> None:
        while self._held:
            special = _SPECIAL.search(self._held)
            if special is None:
                self._out(self._held, styles, len(self._held))
                return
            if special.start():
                self._out(self._held[: special.start()], styles, special.start())
                continue
            taken = self._pair(styles, final)
            if taken:
                continue
            if not final and self._may_go_on():
                return
            # A run of marks is one thing: half of it would be read as another.
            run = re.match(r"(\*+|_+|`+|~+|\[|\\)", self._held)
            assert run is not None
            self._out(run[0], styles, run.end())

    def _pair(self, styles: Styles, final: bool) -> bool:
        """Takes a whole construct from the beginning of what is held, if there is one."""
        held = self._held
        if escaped := _ESCAPED.match(held):
            self._out(escaped[1], styles, escaped.end())
            return True
        if code := _CODE.match(held):
            if code.end() == len(held) and not final:
                return False
            text = code[2].strip() or code[2]
            mark = code[1] if self._keep_code_marks else ""
            self._out(f"{mark}{text}{mark}", (*styles, "code"), code.end())
            return True
        if link := _LINK.match(held):
            self._nested(link[1], (*styles, "underline"))
            if link[1] != link[2]:
                self._write(f" ({link[2]})", (*styles, "dim"))
            self._taken(link.end())
            return True
        if held[0] == "_" and self._before.isalnum():
            return False
        for pattern, names in _PAIRS:
            found = pattern.match(held)
            if found and (final or found.end() < len(held)):
                self._nested(found[2], (*styles, *names))
                self._taken(found.end())
                return True
        return False

    def _may_go_on(self) -> bool:
        held = self._held
        if len(held) > LONGEST:
            return False
        if held[0] == "_" and self._before.isalnum():
            return False
        return bool(_OPENERS.match(held) or _UNDECIDED.fullmatch(held))

    def _nested(self, text: str, styles: Styles) -> None:
        reader = InlineReader(self._write, self._keep_code_marks)
        reader.feed(text, styles)
        reader.end(styles)

    def _out(self, text: str, styles: Styles, count: int) -> None:
        self._write(text, styles)
        self._taken(count)

    def _taken(self, count: int) -> None:
        self._before = self._held[count - 1 : count]
        self._held = self._held[count:]
