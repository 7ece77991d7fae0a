"""What a chat's ``/?`` shows fits the terminal it is shown on."""

from __future__ import annotations

import pytest

from mlxr.cli.run.slash_help import HELP, SET, SHORTCUTS, SHOW, fitted

TEXTS = [HELP, SET, SHOW, SHORTCUTS]


@pytest.mark.parametrize("width", [30, 40, 60, 80, 200])
@pytest.mark.parametrize("text", TEXTS)
def test_no_line_is_wider_than_the_terminal_and_no_word_is_broken(text: str, width: int) -> None:
    shown = fitted(text, width)
    assert max(map(len, shown.splitlines())) <= width
    assert shown.split() == text.split()


def test_what_a_command_does_goes_on_below_itself() -> None:
    text = "Available:\n  /set think [LEVEL]   Reason before answering: low, medium, high"
    assert fitted(text, 60).splitlines() == [
        "Available:",
        "  /set think [LEVEL]   Reason before answering: low, medium,",
        "                       high",
    ]


def test_on_a_narrow_terminal_it_stands_below_the_command() -> None:
    assert fitted("  /set think [LEVEL]   Reason before answering: low, medium, high", 30).splitlines() == [
        "  /set think [LEVEL]",
        "      Reason before answering:",
        "      low, medium, high",
    ]


def test_where_there_is_no_terminal_it_is_as_written() -> None:
    assert fitted(SET, None) == SET
