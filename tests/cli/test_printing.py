"""What strangers named is printed so that a terminal does nothing of it."""

from __future__ import annotations

import io
import json
import os
import re
import termios

import pytest
from rich.console import Console

from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.progress import Progress
from mlxr.cli import catalogue
from mlxr.cli.printing import colored, print_pushed, terminal_width
from mlxr.cli.progress import PullBars
from tests.actors.registry.catalogue.test_entry import BLOB

EVIL = "a\x1b[2J\x9b31m\n[red]b[/red]\u202e"
"""Clears a screen, turns red, begins a line, and runs from right to left."""


def harmless(text: str) -> bool:
    return all(char == "\n" or char.isprintable() for char in text)


def test_names_in_lists_and_facts_stay_in_their_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = CatalogueEntry(EVIL, BLOB, 1.0, EVIL, [EVIL])
    monkeypatch.setattr(catalogue, "carried_out", lambda work: [made])
    for as_json in (False, True):
        catalogue.list_models(as_json)
        shown = capsys.readouterr().out
        assert harmless(shown)
        if as_json:
            assert json.loads(shown)[0]["name"] == EVIL
        else:
            assert len(shown.splitlines()) == 2


def test_progress_has_no_markup_but_its_own() -> None:
    out = io.StringIO()
    with PullBars(Console(file=out, force_terminal=True, width=200, color_system=None)) as bars:
        bars.report(Progress(EVIL))
    assert "[red]b[/red]" in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()
    assert "\x9b" not in out.getvalue()


def test_bars_and_stages_stand_in_the_order_they_came() -> None:
    out = io.StringIO()
    with PullBars(Console(file=out, force_terminal=True, width=100, color_system=None)) as bars:
        bars.report(Progress("pulling manifest"))
        for completed in (0, 5, 10):
            bars.report(Progress("pulling abc", total=10, completed=completed))
        bars.report(Progress("verifying sha256 digest"))
    shown = out.getvalue()
    assert shown.index("pulling manifest") < shown.index("pulling abc")
    assert shown.rindex("pulling abc") < shown.index("verifying")


def test_a_bar_of_what_was_here_already_has_no_rate() -> None:
    out = io.StringIO()
    with PullBars(Console(file=out, force_terminal=True, width=100, color_system=None)) as bars:
        bars.report(Progress("pulling abc", completed=10, total=10))
    assert "10/10" in out.getvalue()
    assert "?" not in re.sub(r"\x1b\[\?", "", out.getvalue())


def test_the_width_of_a_terminal_is_its_own_wherever_stdout_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (40, 133))
    with os.fdopen(theirs, "w") as terminal:
        assert terminal_width(terminal) == 133
        monkeypatch.setenv("COLUMNS", "60")
        assert terminal_width(terminal) == 60
    os.close(ours)


def test_bars_fit_narrow_terminals() -> None:
    for width in (30, 50, 100):
        out = io.StringIO()
        with PullBars(Console(file=out, force_terminal=True, width=width, color_system=None)) as bars:
            bars.report(Progress("pulling abc", total=10_000_000, completed=5_000_000))
        lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]", out.getvalue())]
        assert any("50%" in line or "5.0/10.0 MB" in line for line in lines)
        assert max(map(len, lines)) <= width


def test_forced_colours_make_no_bars_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with PullBars() as bars:
        bars.report(Progress("pulling manifest"))
        bars.report(Progress("pulling abc", total=10, completed=5))
    assert capsys.readouterr().err == ""


def test_what_is_counted_is_named_where_it_is_no_bytes() -> None:
    out = io.StringIO()
    with PullBars(Console(file=out, force_terminal=True, width=100, color_system=None), unit="tokens") as bars:
        bars.report(Progress("reading notes.txt", total=2048, completed=512))
    assert "512/2048 tokens" in out.getvalue()
    assert "bytes" not in out.getvalue()


def test_what_was_pushed_under_its_own_name_is_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    print_pushed("host/me/small:v1", "host/me/small:v1")
    print_pushed("small", "me/small")
    assert capsys.readouterr().out == "pushed host/me/small:v1\npushed small as me/small\n"


def test_no_color_leaves_lines_of_the_doctor_and_of_logs_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert colored("ok", "green") == "\x1b[32mok\x1b[0m"
    assert colored("ok", None) == "ok"
    monkeypatch.setenv("NO_COLOR", "1")
    assert colored("ok", "green") == "ok"
