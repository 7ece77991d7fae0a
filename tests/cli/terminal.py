"""The installed command on a terminal of its own, and the screen that a person would see."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pyte

from tests.cli.commands import COMMAND, environment

SECONDS = 120.0


class Terminal:
    """A program on a pty, and its screen with what has scrolled off above it."""

    def __init__(self, process: pexpect.spawn, columns: int, lines: int) -> None:
        self.process = process
        self.written = ""
        self.screen = pyte.HistoryScreen(columns, lines, history=5000, ratio=0.5)
        self._stream = pyte.Stream(self.screen)

    def text(self) -> str:
        """All lines, those above the screen too, without the space at their ends."""
        above = ["".join(line[at].data for at in range(self.screen.columns)) for line in self.screen.history.top]
        return "\n".join(line.rstrip() for line in [*above, *self.screen.display]).rstrip()

    def type(self, text: str) -> None:
        self.process.send(text)

    def say(self, text: str) -> None:
        """Types a line and presses Enter."""
        self.type(text + "\r")

    def wait_for(self, pattern: str, seconds: float = SECONDS) -> str:
        """Reads until ``pattern`` stands on the screen, and returns all that is there."""
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.text(), re.MULTILINE):
            assert time.monotonic() < deadline, f"{pattern!r} never came:\n{self.text()}\n{self.written[-2000:]!r}"
            self._read()
        return self.text()

    def wait_idle(self, prompts: int) -> str:
        """Reads until the prompt has come for so many messages, and returns all that is there."""
        deadline = time.monotonic() + SECONDS
        while len(re.findall(r"^>>>", self.text(), re.MULTILINE)) < prompts:
            assert time.monotonic() < deadline, f"no prompt came:\n{self.text()}"
            self._read()
        return self.text()

    def wait_end(self) -> int:
        """Reads until the program has ended; its exit status."""
        deadline = time.monotonic() + SECONDS
        while self._read():
            assert time.monotonic() < deadline, f"it never ended:\n{self.text()}"
        self.process.wait()
        return int(self.process.exitstatus if self.process.exitstatus is not None else 128 + self.process.signalstatus)

    def _read(self) -> bool:
        try:
            text = self.process.read_nonblocking(4096, timeout=0.2)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.written += text
        # Whoever draws on a terminal may ask it where its cursor is.
        if "\x1b[6n" in text:
            self.process.send(f"\x1b[{self.screen.cursor.y + 1};{self.screen.cursor.x + 1}R")
        self._stream.feed(text)
        return True


@contextmanager
def on_terminal(
    home: Path, *arguments: str, columns: int = 80, lines: int = 40, **variables: str
) -> Iterator[Terminal]:
    """``mlxr ARGUMENTS`` on a terminal."""
    environ = environment(home, **{"TERM": "xterm-256color", **variables})
    process = pexpect.spawn(
        str(COMMAND),
        list(arguments),
        env=environ,
        encoding="utf-8",
        dimensions=(lines, columns),
        codec_errors="replace",
    )
    try:
        yield Terminal(process, columns, lines)
    finally:
        process.close(force=True)
