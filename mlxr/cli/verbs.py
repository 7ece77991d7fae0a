"""How a verb is added to the command line: what it is for, and examples that teach it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand

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
    """A command whose help ends with examples: a line each, fit to be pasted into a shell. They stand in ``epilog``, a
    line each, with a tab behind the command."""

    @property
    def examples(self) -> list[Example]:
        return [Example(*line.split("\t")) for line in (self.epilog or "").splitlines()]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        examples, self.epilog = self.epilog, None
        try:
            super().format_help(ctx, formatter)
        finally:
            self.epilog = examples
        # What only a help needs.
        from rich.text import Text

        console = make_console()
        console.print(" Examples:\n")
        longest = max(len(command) for command, _ in self.examples)
        fits = all(len(f"   $   # {does}") + longest < console.width for _, does in self.examples)
        for command, does in self.examples:
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
    settings: what ``Typer.command`` takes besides.
    """
    epilog = "\n".join("\t".join(example) for example in examples)
    settings = {"cls": Verb, "epilog": epilog, **settings}
    app.command(name, rich_help_panel=task.value, **settings)(function)
    for alias in aliases:
        app.command(alias, hidden=True, **settings)(function)
