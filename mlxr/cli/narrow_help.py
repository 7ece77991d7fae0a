"""A help for narrow terminals: no boxes, since their columns would cut names that are to be typed; what a name is for
stands below it, indented."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

NAME, ABOUT = "  ", "      "
"""What lines of a name, and of what it is for, begin with."""


def narrow_help(command: Any, context: Any, width: int, end: Sequence[str]) -> str:
    """Returns the help of a command in lines of ``width``, with the lines of ``end`` behind it."""
    usage = ["Usage:", context.command_path, *command.collect_usage_pieces(context)]
    lines = [*filled(" ".join(usage), width, hanging=ABOUT), "", *filled(command.help or "", width)]
    for title, entries in _panels(command, context).items():
        lines += ["", f"{title}:"]
        for name, about in entries:
            lines += [*filled(name, width, NAME, ABOUT), *filled(about, width, ABOUT)]
    heading = ["Examples:", ""] if end and end[0].startswith("   ") else []
    return "\n".join([*lines, "", *heading, *end, ""])


def reflowed(text: str) -> str:
    """Returns a docstring with each paragraph in one line."""
    return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip()))


def filled(text: str, width: int, initial: str = "", hanging: str = "") -> list[str]:
    """Returns the paragraphs of ``text`` in lines; words stay whole. ``initial``: what a paragraph's first line begins
    with, ``hanging`` the others; without that they begin alike."""
    lines: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines += [""] if lines else []
        lines += textwrap.wrap(
            " ".join(paragraph.split()),
            width,
            initial_indent=initial,
            subsequent_indent=hanging or initial,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return lines


def _panels(command: Any, context: Any) -> dict[str, list[tuple[str, str]]]:
    """Returns what belongs together, with names and what they are for, under its title."""
    found: dict[str, list[tuple[str, str]]] = {}
    for title, name, about in [*_parameters(command, context), *_commands(command, context)]:
        found.setdefault(title, []).append((name, about))
    return found


def _parameters(command: Any, context: Any) -> Iterator[tuple[str, str, str]]:
    for param in sorted(command.get_params(context), key=lambda param: param.param_type_name != "argument"):
        record = param.get_help_record(context)
        if record is not None and not getattr(param, "hidden", False):
            otherwise = "Arguments" if param.param_type_name == "argument" else "Options"
            yield getattr(param, "rich_help_panel", None) or otherwise, record[0], record[1]


def _commands(command: Any, context: Any) -> Iterator[tuple[str, str, str]]:
    for name, each in getattr(command, "commands", {}).items():
        if not each.hidden:
            yield (
                getattr(each, "rich_help_panel", None) or "Commands",
                name,
                reflowed(each.help or "").partition("\n")[0],
            )
