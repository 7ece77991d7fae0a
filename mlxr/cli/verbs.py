"""How a verb is added to the command line: what it is for, and examples that teach it."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from mlxr.cli.narrow_help import filled, narrow_help, reflowed
from mlxr.cli.printing import make_console, terminal_width

NARROW = 80
"""Columns below which a help has no boxes (``narrow_help``)."""


class Task(StrEnum):
    """What people want to do; ``mlxr help`` lists verbs under these."""

    CHAT = "Chat and serve"
    MODELS = "Get and keep models"
    MAKE = "Make models"
    WATCH = "Measure and watch"
    SETUP = "Set up"


class Example(NamedTuple):
    """A command line, and what it does in a few words."""

    command: str
    does: str


class Verb(TyperCommand):
    """A command whose help ends with examples: a line each, fit to be pasted into a shell. They stand in ``epilog``."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.help = reflowed(self.help or "")

    @property
    def examples(self) -> list[Example]:
        return examples_in(self.epilog)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        if (width := shutil.get_terminal_size().columns) < NARROW:
            formatter.write(narrow_help(self, ctx, width, example_lines(self.examples, width)))
            return
        with _own_layout(self) as examples:
            super().format_help(ctx, formatter)
        print_examples(examples)


class VerbGroup(TyperGroup):
    """A command that has commands of its own; its help ends as that of a ``Verb``."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.help = reflowed(self.help or "")

    @property
    def examples(self) -> list[Example]:
        return examples_in(self.epilog)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        if (width := shutil.get_terminal_size().columns) < NARROW:
            formatter.write(narrow_help(self, ctx, width, example_lines(self.examples, width)))
            return
        with _own_layout(self) as examples:
            super().format_help(ctx, formatter)
        print_examples(examples)


class Everything(VerbGroup):
    """The whole command: its help ends with a text, and no examples."""

    @property
    def examples(self) -> list[Example]:
        return []

    def format_help(self, ctx: Any, formatter: Any) -> None:
        if (width := shutil.get_terminal_size().columns) < NARROW:
            formatter.write(narrow_help(self, ctx, width, filled(self.epilog or "", width)))
        else:
            TyperGroup.format_help(self, ctx, formatter)


@contextmanager
def _own_layout(command: Verb | VerbGroup) -> Iterator[list[Example]]:
    """Has Typer print the help without its examples, which it would fill into lines."""
    before, command.epilog = command.epilog, None
    try:
        yield examples_in(before)
    finally:
        command.epilog = before


def epilog_of(examples: Sequence[tuple[str, str]]) -> str:
    """Returns the examples as they stand in ``epilog``: a line each, with a tab behind the command."""
    return "\n".join("\t".join(example) for example in examples)


def examples_in(epilog: str | None) -> list[Example]:
    """Returns what ``epilog_of`` was given."""
    return [Example(*line.split("\t")) for line in (epilog or "").splitlines()]


def print_examples(examples: Sequence[Example]) -> None:
    """Prints them below a help."""
    if examples:
        # What only a help needs.
        from rich.text import Text

        console = make_console()
        console.print(" Examples:\n")
        for line in example_lines(examples, terminal_width(sys.stdout)):
            command, _, does = line.partition("  # ") if line.startswith("   $ ") else (line, "", "")
            styled = Text(command, "bold" if command.startswith(("   $ ", CONTINUED)) else "dim")
            styled.append(f"  # {does}" if does else "", "not bold dim")
            console.print(styled, soft_wrap=True)
        console.print()


CONTINUED = " " * 9
"""What a command goes on behind in its next line."""


def example_lines(examples: Sequence[Example], width: int | None) -> list[str]:
    """Returns the examples: a line each where a terminal of ``width`` has room for that (None: it has), else what one
    does above its command, which goes on in a next line by a backslash."""
    if not examples:
        return []
    one_line = [f"   $ {command}  # {does}" for command, does in examples]
    if width is not None and max(map(len, one_line)) > width:
        return [line for example in examples for line in _broken(example, width)]
    longest = max(len(command) for command, _ in examples)
    aligned = [f"   $ {command:<{longest}}  # {does}" for command, does in examples]
    return aligned if max(map(len, aligned)) <= (width or shutil.get_terminal_size().columns) else one_line


def _broken(example: Example, width: int) -> list[str]:
    about = textwrap.wrap(
        example.does, width, initial_indent="   # ", subsequent_indent="   # ", break_on_hyphens=False
    )
    lines = ["   $"]
    # A quoted text stays in its line.
    for word in re.findall(r"(?:'[^']*'|\"[^\"]*\"|\S)+", example.command):
        if len(lines[-1]) + len(word) + 3 > width and len(lines[-1]) > len(CONTINUED):
            lines[-1] += " \\"
            lines.append(f"{CONTINUED}{word}")
        else:
            lines[-1] += f" {word}"
    return [*about, *lines]


def add_verb(
    app: typer.Typer,
    name: str,
    function: Callable[..., Any],
    task: Task,
    examples: Sequence[tuple[str, str]],
    *,
    aliases: Sequence[str] = (),
    **settings: Any,
) -> None:
    """Adds ``mlxr NAME`` to ``app``. The function's docstring is its help, and two to four ``examples`` end that.

    aliases: further names, which are not listed.
    settings: what ``Typer.command`` takes besides. A command with commands of its own is added by ``add_typer``, as a
        Typer of ``cls=VerbGroup`` and ``epilog=epilog_of(examples)``.
    """
    settings = {"cls": Verb, "epilog": epilog_of(examples), **settings}
    app.command(name, rich_help_panel=task.value, **settings)(function)
    for alias in aliases:
        app.command(alias, hidden=True, **settings)(function)
