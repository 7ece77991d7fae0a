from __future__ import annotations

import io
import itertools
import json
import logging
import threading
import unicodedata

import anyio.to_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxr.runtime.logs import MARK, LineFormatter, LineHandler, TelemetryHandler, progress
from mlxr.runtime.printable import printable, printable_json
from mlxr.runtime.telemetry import Telemetry

EVIL = "a\nERROR forged\r\x1b[31mred\x1b]0;title\x07\x00\x7f\x9b2J\u202egnp.exe\u2028\ud800\x08é 😀 漢"


def logged(write: object) -> str:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(LineFormatter("%(levelname)s %(message)s"))
    record = logging.LogRecord("mlxr", logging.ERROR, "", 0, "%s said %.90r and %s", (EVIL, EVIL, EVIL), None)
    if isinstance(write, BaseException):
        record.exc_info = (type(write), write, write.__traceback__)
    handler.emit(record)
    return out.getvalue()


def plain(text: str) -> bool:
    return all(char == "\n" or unicodedata.category(char)[0] not in "C" for char in text)


def test_a_record_is_one_line_that_gives_a_terminal_no_orders() -> None:
    text = logged(None)
    assert text.count("\n") == 1
    assert plain(text)
    assert "\\nERROR forged" in text
    assert "é 😀 漢" in text


@pytest.mark.parametrize("error", [ValueError(EVIL), ExceptionGroup(EVIL, [KeyError(EVIL)])])
def test_an_exceptions_text_begins_no_line_of_its_own(error: Exception) -> None:
    try:
        try:
            raise RuntimeError(EVIL)
        except RuntimeError as cause:
            raise error from cause
    except Exception as raised:
        text = logged(raised)
    first, *rest = text.splitlines()
    assert first.startswith("ERROR ")
    assert len(rest) > 5
    assert all(line.startswith(MARK) for line in rest)
    assert plain(text)


@given(st.text())
def test_what_prints_is_left_and_what_does_not_is_told(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) >= len(text)
    if text.isprintable():
        assert shown == text


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5))
def test_json_stays_the_same_value(value: object) -> None:
    for indent in (None, 2):
        shown = printable_json(json.dumps(value, ensure_ascii=False, indent=indent))
        assert json.loads(shown) == value
        assert shown.replace("\n", "").isprintable()


class Screen(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def told(screen: Screen, *entries: tuple[str, float | None], seconds: float = 1.0) -> str:
    """What is on ``screen`` after records with a progress or none, ``seconds`` apart."""
    times = iter(itertools.count(100.0, seconds))
    handler = LineHandler(screen, lambda: next(times))
    handler.setFormatter(LineFormatter("%(message)s"))
    for text, fraction in entries:
        record = logging.LogRecord("mlxr", logging.INFO, "", 0, text, (), None)
        if fraction is not None:
            vars(record).update(progress(fraction))
        handler.emit(record)
    return screen.getvalue()


def test_progress_on_a_terminal_is_one_line_that_other_records_go_above_of() -> None:
    text = told(Screen(True), ("pulling", 0.0), ("pulling", 0.5), ("listening", None), ("pulling", 1.0), ("done", None))
    shown = [line.rpartition("\r\x1b[K")[2] for line in text.split("\n")]
    assert shown == ["listening", "done", ""]
    assert "pulling  [###############...............]" in text


def test_progress_elsewhere_is_a_line_every_few_seconds() -> None:
    entries = [("pulling", part / 100) for part in range(100)]
    lines = told(Screen(False), *entries, seconds=0.2).splitlines()
    assert len(lines) == 100 * 0.2 / 5
    assert set(lines) == {"pulling"}


def test_a_long_message_or_exception_is_shown_by_its_ends() -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(LineFormatter("%(message)s"))
    error = ValueError("x" * 10_000_000)
    handler.emit(
        logging.LogRecord("mlxr", logging.ERROR, "", 0, "pulling %s", ("y" * 10_000_000,), (type(error), error, None))
    )
    text = out.getvalue()
    assert text.startswith("pulling yyy")
    assert "ValueError: xxx" in text
    assert len(text) < 50_000


class Kept:
    """A sink that remembers, and which thread told it."""

    def __init__(self) -> None:
        self.told: list[tuple[int, dict[str, object]]] = []

    def wants(self, topic: str) -> bool:
        return topic == "logs"

    def publish(self, topic: str, body: bytes) -> None:
        self.told.append((threading.get_ident(), json.loads(body)))


async def test_lines_of_every_thread_are_told_on_the_loops_own_without_secrets() -> None:
    sink = Kept()
    handler = TelemetryHandler(Telemetry(sink), hide=["my-own-key"])
    record = logging.LogRecord("mlxr.x", logging.ERROR, "", 0, "Bearer abcdefghijkl and my-own-key", (), None)
    handler.emit(record)
    await anyio.to_thread.run_sync(handler.emit, record)
    assert len(sink.told) == 2
    assert {thread for thread, _ in sink.told} == {threading.get_ident()}
    for _, line in sink.told:
        assert (line["level"], line["logger"], line["message"]) == ("error", "mlxr.x", "Bearer *** and ***")
        assert line["t"] == round(record.created, 6)
