"""What commands print: tables and JSON on stdout, remarks on stderr.

Whatever a stranger may have written (names, texts of files, what a server says) goes through ``printable``. Tables fit
the terminal's width; a pipe gets them whole and plain. ``NO_COLOR``, ``FORCE_COLOR`` and ``TERM=dumb`` are heeded.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from mlxr.runtime.exit_status import say
from mlxr.runtime.printable import printable, printable_json, printable_message

if TYPE_CHECKING:
    from rich.console import Console

GAP = "  "
LEAST_ROOM = 32
"""Cells beside a name in which a longer text is readable; with fewer it stands below the name."""


class Column(NamedTuple):
    """A column of a table.

    head: its title.
    right: whether its cells are numbers, which stand at the right.
    rank: columns of higher ranks are left out first where the terminal is too narrow; 0 stays.
    """

    head: str
    right: bool = False
    rank: int = 1


def print_json(value: object) -> None:
    """Prints one value over several lines."""
    print(printable_json(json.dumps(value, indent=2, ensure_ascii=False)))


def print_json_line(value: object) -> None:
    """Prints one value in one line, at once: an event of many."""
    print(printable_json(json.dumps(value, ensure_ascii=False)), flush=True)


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[str]], file: TextIO | None = None) -> None:
    """Prints the heads, and a line a row; without the columns that a narrow terminal has no room for."""
    out = file or sys.stdout
    cells = [[printable(cell) for cell in row] for row in rows]
    width = terminal_width(out)
    for line in table_lines(columns, cells, width):
        print(line, file=out)


def table_lines(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Returns the lines of a table, at most ``width`` cells wide where that can be had; None: as wide as it is."""
    from rich.cells import cell_len, set_cell_size

    table = [[column.head for column in columns], *rows]
    widths = [max(cell_len(row[at]) for row in table) for at in range(len(columns))]
    shown = list(range(len(columns)))

    def total() -> int:
        return sum(widths[at] for at in shown) + len(GAP) * (len(shown) - 1)

    while width is not None and total() > width and any(columns[at].rank for at in shown):
        # Of those of the highest rank the last one goes.
        shown.remove(max(shown, key=lambda at: (columns[at].rank, at)))
    lines: list[str] = []
    for row in table:
        padded = [
            " " * (widths[at] - cell_len(row[at])) + row[at]
            if columns[at].right
            else set_cell_size(row[at], widths[at])
            for at in shown
        ]
        lines.append(GAP.join(padded).rstrip())
    return lines


def print_facts(facts: Iterable[tuple[str, str]], indent: str = "") -> None:
    """Prints names with what they have; those that have nothing are left out. Longer texts go on below themselves."""
    shown = [(printable(name), printable(value, keep="\n")) for name, value in facts if value]
    for line in fact_lines(shown, terminal_width(sys.stdout), indent):
        print(line)


def fact_lines(facts: Sequence[tuple[str, str]], width: int | None, indent: str = "") -> list[str]:
    """Returns the lines of names with what they have, as ``hung`` has them."""
    from rich.cells import cell_len, set_cell_size

    names = max((cell_len(name) for name, _ in facts), default=0)
    lines: list[str] = []
    for name, value in facts:
        lines += hung(f"{indent}{set_cell_size(name, names)}{GAP}", value, width, f"{indent}{GAP}")
    return lines


def hung(beginning: str, text: str, width: int | None, indent: str = GAP) -> list[str]:
    """Returns the lines of ``text`` behind ``beginning``, of ``width`` cells where words allow that; None: as long as
    they are. What does not fit is broken between words where it began, or goes below, behind ``indent``, where that
    leaves more room."""
    from rich.cells import cell_len

    room = None if width is None else width - cell_len(beginning)
    lines: list[str] = []
    if room is not None and cell_len(text) > room:
        longest = max(map(cell_len, text.split()), default=0)
        if room < LEAST_ROOM or longest > room:
            lines += [beginning.rstrip()] if beginning.strip() else []
            beginning = indent
    for line in text.split("\n"):
        for part in _broken(line, None if width is None else width - cell_len(beginning)):
            lines.append(f"{beginning}{part}".rstrip())
            beginning = " " * cell_len(beginning)
    return lines


def _broken(text: str, width: int | None) -> list[str]:
    """Returns ``text`` in lines of at most ``width`` cells, but for longer words, which are to be copied."""
    from rich.cells import cell_len

    if width is None or cell_len(text) <= width:
        return [text]
    lines: list[str] = []
    for word in text.split():
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def print_part(name: str, text: str, as_json: bool) -> None:
    """Prints one part of a model as it is, a text of any length."""
    if as_json:
        print_json({name: text})
        return
    text = text if not text or text.endswith("\n") else f"{text}\n"
    print(printable(text, keep="\n\t") if sys.stdout.isatty() else text, end="")


def remark(text: str) -> None:
    """Says something beside the result, on stderr, as one line of ours; a terminal breaks that between words."""
    say(printable_message(text), terminal_width(sys.stderr) or 0)


class Remarks(logging.Handler):
    """Says as remarks what is logged while a command works on the catalogue itself."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        remark(record.getMessage())


def print_pushed(name: str, target: str) -> None:
    """Prints that a registry has a model now."""
    print(printable(f"pushed {name}" if name == target else f"pushed {name} as {target}"))


def colored(text: str, color: str | None) -> str:
    """Returns ``text`` in a colour that ``typer.echo`` shows on terminals; as it is where none are wanted."""
    import typer

    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return text if plain or color is None else typer.style(text, fg=color)


def terminal_width(file: TextIO) -> int | None:
    """Returns how many cells a line of that terminal has; None for what is no terminal."""
    if not is_terminal(file):
        return None
    try:
        there = os.get_terminal_size(file.fileno()).columns
    except (OSError, ValueError):  # one that has no size, or no file
        there = 0
    # ``COLUMNS`` first, as everywhere; else it looks at stdout alone, which may be a file.
    wanted = os.environ.get("COLUMNS", "")
    return there if there and not wanted.isdigit() else shutil.get_terminal_size().columns


def is_terminal(file: TextIO) -> bool:
    try:
        return file.isatty()
    except ValueError:  # closed
        return False


def progress_is_shown() -> bool:
    """Tells whether bars and spinners can move: on a terminal that can go back in its line."""
    return is_terminal(sys.stderr) and os.environ.get("TERM", "") not in ("dumb", "unknown")


def make_console(stderr: bool = False, **settings: Any) -> Console:
    """Returns rich's view of stdout or stderr. rich itself heeds ``NO_COLOR``, ``FORCE_COLOR`` and ``TERM=dumb``; like
    programs that follow no-color.org, we take an empty ``NO_COLOR`` for none."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, **settings)


def readable_age(seconds: float) -> str:
    """Returns a time span as people say it: "2 hours"."""
    for unit, length in (("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count = int(seconds // length)
        if count >= (2 if unit == "week" else 1):
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "moments"
