"""How a verb is added to the command line: what it is for, and examples that teach it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from mlxr.cli.printing import make_console


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

    @property
    def examples(self) -> list[Example]:
        return examples_in(self.epilog)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        with _no_epilog(self) as epilog:
            super().format_help(ctx, formatter)
        print_examples(examples_in(epilog))


class VerbGroup(TyperGroup):
    """A command that has commands of its own; its help ends as that of a ``Verb``."""

    @property
    def examples(self) -> list[Example]:
        return examples_in(self.epilog)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        with _no_epilog(self) as epilog:
            super().format_help(ctx, formatter)
        print_examples(examples_in(epilog))


@contextmanager
def _no_epilog(command: Verb | VerbGroup) -> Iterator[str | None]:
    """Takes the examples away while Typer prints the rest, since it would fill them into lines."""
    epilog, command.epilog = command.epilog, None
    try:
        yield epilog
    finally:
        command.epilog = epilog


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
        longest = max(len(command) for command, _ in examples)
        fits = all(len(f"   $   # {does}") + longest < console.width for _, does in examples)
        for command, does in examples:
            gap = " " * (longest - len(command) if fits else 0)
            line = Text.assemble(("   $ ", "dim"), (command, "bold"), (f"{gap}  # {does}", "dim"))
            console.print(line, soft_wrap=True)
        console.print()


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
