"""Shows Markdown while it streams in: what is written is never written again.

A line is shown as soon as it is clear what it is, by its first characters; lines of code are shown whole, in the
colours of their language, and a table once it is complete, or row by row after so many that its columns are known.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from rich.cells import cell_len

from mlxr.cli.run.code import CodeLines
from mlxr.cli.run.inline import InlineReader
from mlxr.cli.run.style import Palette, Styles
from mlxr.cli.run.wrap import Wrapper

_FENCE = re.compile(r"(\s*)(`{3,}|~{3,})\s*([^`\s]*)[^`]*")
_HEADING = re.compile(r"(#{1,6})\s+(?=\S)")
_QUOTE = re.compile(r"((?:>\s?)+)(?=[^\s>])")
_BULLET = re.compile(r"[-*+]\s+(?=\S)")
_NUMBER = re.compile(r"\d{1,9}[.)]\s+(?=\S)")
_RULE = re.compile(r"([-*_])(?:\s*\1){2,}\s*|={3,}")
_SEPARATOR = re.compile(r"\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?")
_UNDECIDED = re.compile(r"#{1,6}\s*|(>\s*)+|[-*+]\s*|[-*_=\s]+|\d{1,9}[.)]?\s*|`{1,2}|~{1,2}")
"""Beginnings of lines that may yet become one thing or another."""

HELD_ROWS = 12
"""Rows of a table that are held back for the widths of its columns."""
LONGEST_ROW = 1000
"""Characters of a line that may yet become a row."""

BULLETS = "•◦▪"
RULE_WIDTH = 40


class MarkdownWriter:
    """Takes an answer piece by piece, and writes it to ``write``."""

    def __init__(self, write: Callable[[str], object], palette: Palette, width: int | None) -> None:
        self._palette = palette
        self._width = width
        self._lines = Wrapper(write, palette, width)
        self._inline = InlineReader(self._lines.text, keep_code_marks=not palette.colours)
        self._partial = ""
        self._begun = False
        self._styles: Styles = ()
        self._fence: str | None = None
        self._code = CodeLines("")
        self._table: list[str] = []
        self._show_row: Callable[[str], None] | None = None

    def feed(self, text: str) -> None:
        *whole, last = text.split("\n")
        for line in whole:
            self._more(line)
            self._end_line()
        self._more(last)

    def end(self) -> None:
        """Shows what is left, and ends the line."""
        if self._partial or self._begun:
            self._end_line()
        self._show_table()
        self._lines.flush()
        if not self._lines.at_line_start:
            self._lines.newline()

    def _more(self, text: str) -> None:
        """More of the line that is coming in."""
        if self._begun:
            self._inline.feed(text, self._styles)
            return
        self._partial += text
        stripped = self._partial.lstrip()
        if self._fence is not None or not stripped or stripped.startswith(("```", "~~~")):
            return
        if stripped.startswith("|"):
            if len(stripped) > LONGEST_ROW:
                self._begin(self._partial)
            return
        if not _UNDECIDED.fullmatch(stripped):
            self._begin(self._partial)

    def _begin(self, line: str) -> None:
        """It is clear what the line is: its mark is shown, and what follows it streams."""
        self._show_table()
        self._begun, self._styles = True, ()
        indent = line[: len(line) - len(line.lstrip())].replace("\t", "    ")
        rest = line.lstrip()
        self._partial = ""
        prefix = ""
        styles: Styles = ()
        if heading := _HEADING.match(rest):
            rest, self._styles = rest[heading.end() :], ("bold", "heading")
        elif quote := _QUOTE.match(rest):
            rest, prefix, styles = rest[quote.end() :], "│ " * quote[1].count(">"), ("dim",)
        elif bullet := _BULLET.match(rest):
            rest, prefix = rest[bullet.end() :], f"{BULLETS[min(len(indent) // 2, 2)]} "
        elif number := _NUMBER.match(rest):
            rest, prefix = rest[number.end() :], f"{number[0].strip()} "
        repeated = prefix if styles else " " * cell_len(prefix)
        self._lines.indent = (indent + repeated, styles)
        self._lines.whole(indent)
        self._lines.whole(prefix, styles)
        self._inline.feed(rest, self._styles)

    def _end_line(self) -> None:
        if self._begun:
            self._inline.end(self._styles)
            self._finish()
            return
        line, self._partial = self._partial, ""
        stripped = line.strip()
        fence = _FENCE.fullmatch(line)
        if self._fence is not None:
            if fence and fence[2].startswith(self._fence) and not fence[3]:
                self._fence = None
                self._verbatim([(line, ("dim",))])
            else:
                self._verbatim(self._code.styled(line))
        elif fence:
            self._show_table()
            self._fence, self._code = fence[2], CodeLines(fence[3])
            self._verbatim([(line, ("dim",))])
        elif stripped.startswith("|"):
            self._take_row(line)
        elif _RULE.fullmatch(stripped):
            self._show_table()
            self._verbatim([("─" * min(self._width or RULE_WIDTH, RULE_WIDTH), ("dim",))])
        elif stripped:
            self._begin(line)
            self._inline.end(self._styles)
            self._finish()
        else:
            self._show_table()
            self._lines.newline()

    def _finish(self) -> None:
        self._begun = False
        self._lines.newline()
        self._lines.indent = ("", ())

    def _verbatim(self, runs: list[tuple[str, Styles]]) -> None:
        for text, styles in runs:
            self._lines.whole(text, styles)
        self._lines.newline()

    def _take_row(self, line: str) -> None:
        """Shows another row of a table whose columns are known, else holds it."""
        if self._show_row is not None:
            self._show_row(line)
            return
        self._table.append(line)
        if len(self._table) >= HELD_ROWS:
            self._show_table(ends=False)

    def _show_table(self, *, ends: bool = True) -> None:
        """Shows the rows that were held, in columns if they are a table that fits; ``ends``: no more will come."""
        rows, self._table = self._table, []
        widths = self._show_rows(rows) if rows else []
        if ends:
            self._show_row = None
        elif widths:
            right = _aligned_right(rows[1])
            self._show_row = lambda row: self._columns([self._cell(text) for text in _split(row)], widths, right, ())
        else:
            self._show_row = lambda row: self._raw([row])

    def _show_rows(self, rows: list[str]) -> list[int]:
        """Shows them; the widths of their columns, none where they are no table or too wide."""
        if len(rows) < 2 or not _SEPARATOR.fullmatch(rows[1].strip()):
            self._raw(rows)
            return []
        cells = [[self._cell(text) for text in _split(row)] for row in [rows[0], *rows[2:]]]
        columns = max(len(row) for row in cells)
        for row in cells:
            row += [[] for _ in range(columns - len(row))]
        widths = [max(_width(row[at]) for row in cells) for at in range(columns)]
        if self._width is not None and sum(widths) + 3 * (columns - 1) > self._width:
            self._raw(rows)
            return []
        right = _aligned_right(rows[1])
        for number, row in enumerate(cells):
            self._columns(row, widths, right, () if number else ("bold",))
            if not number:
                self._verbatim([("─┼─".join("─" * width for width in widths), ("dim",))])
        return widths

    def _columns(self, row: list[list[tuple[str, Styles]]], widths: list[int], right: set[int], styles: Styles) -> None:
        """Shows one row; ``right``: columns whose cells stand at the right. What is wider than its column pushes the
        others on."""
        runs: list[tuple[str, Styles]] = []
        for at, cell in enumerate(row):
            written, width = [(text, (*own, *styles)) for text, own in cell], widths[at] if at < len(widths) else 0
            blank: list[tuple[str, Styles]] = [(" " * (width - _width(cell)), ())]
            runs += [*blank, *written] if at in right else written
            if at < len(row) - 1:
                runs += [*([] if at in right else blank), (" │ ", ("dim",))]
        self._verbatim(runs)

    def _raw(self, rows: list[str]) -> None:
        for row in rows:
            self._verbatim([(row, ())])

    def _cell(self, text: str) -> list[tuple[str, Styles]]:
        runs: list[tuple[str, Styles]] = []
        reader = InlineReader(lambda *run: runs.append(run), keep_code_marks=not self._palette.colours)
        reader.feed(text)
        reader.end()
        return runs


def _split(row: str) -> list[str]:
    inner = row.strip().removeprefix("|").removesuffix("|")
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", inner)]


def _aligned_right(separator: str) -> set[int]:
    """Returns the columns that the line below a table's head says it of."""
    marks = enumerate(_split(separator))
    return {at for at, mark in marks if mark.endswith(":") and not mark.startswith(":")}


def _width(runs: list[tuple[str, Styles]]) -> int:
    return sum(cell_len(text) for text, _ in runs)
