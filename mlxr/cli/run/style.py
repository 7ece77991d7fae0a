"""How styled text reaches a terminal: SGR sequences, with colours that dark and light screens show."""

from __future__ import annotations

import os
from dataclasses import dataclass

from mlxr.cli.printing import is_terminal, make_console

_ATTRIBUTES = {"bold": "1", "dim": "2", "italic": "3", "underline": "4", "strike": "9"}
_COLOURS = {
    "heading": "35",
    "code": "36",
    "keyword": "35",
    "string": "32",
    "number": "36",
    "name": "34",
    "comment": "2",
    "prompt": "32",
}
_WITHOUT_COLOURS = {"heading": "4", "comment": "2"}
"""What stands for a colour where there are none."""

RESET = "\x1b[0m"

Styles = tuple[str, ...]
"""Names of styles that hold together."""


@dataclass(frozen=True, slots=True)
class Palette:
    """What a terminal can show.

    attributes: bold and the like.
    colours: colours, too.
    """

    attributes: bool = False
    colours: bool = False

    def paint(self, text: str, styles: Styles) -> str:
        """Returns ``text`` in those styles, as far as they can be shown."""
        if not self.attributes or not styles or not text:
            return text
        colours = _COLOURS if self.colours else _WITHOUT_COLOURS
        codes = [code for name in styles if (code := _ATTRIBUTES.get(name) or colours.get(name))]
        return f"\x1b[{';'.join(codes)}m{text}{RESET}" if codes else text


def palette_of(file: object, stderr: bool = False) -> Palette:
    """Returns what stdout (or ``stderr``) shows: nothing in a pipe or on a dumb terminal, unless ``FORCE_COLOR`` says
    so; no colours with ``NO_COLOR``."""
    console = make_console(stderr=stderr)
    shown = console.is_terminal and not console.is_dumb_terminal
    return Palette(shown, shown and not os.environ.get("NO_COLOR"))


def width_of(file: object) -> int | None:
    """Returns the cells of a line of stdout; None where lines are as long as they are."""
    console = make_console()
    return console.width if console.is_terminal and is_terminal(file) else None  # type: ignore[arg-type]
