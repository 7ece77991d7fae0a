"""A limit on how much a template does."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

TEMPLATE = "<template>"
"""What Jinja calls the code that it makes of a template's text."""


class LineLimitError(Exception):
    """The template did more than it was allowed to."""


class LineLimit:
    """Counts lines of template code, and the processor time that they take. ``over``: they were more than ``most``, or
    took more than ``seconds``; from then on every line raises."""

    def __init__(self, most: int, seconds: float) -> None:
        self._left = most
        self._until = time.thread_time() + seconds
        self.over = False

    def counted(self, render: Callable[..., str]) -> Callable[..., str]:
        """Returns ``render`` with its lines counted."""

        def counting(*arguments: Any, **variables: Any) -> str:
            before = sys.gettrace()
            # Anew for each call: Python takes a trace away that has raised.
            sys.settrace(self._enter)
            try:
                return render(*arguments, **variables)
            finally:
                sys.settrace(before)

        return counting

    def _enter(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._line if frame.f_code.co_filename == TEMPLATE else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        self._left -= 1
        if self.over or self._left < 0 or time.thread_time() > self._until:
            self.over = True
            raise LineLimitError("it does not come to an end")
        return self._line
