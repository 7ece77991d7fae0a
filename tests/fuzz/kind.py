"""What a kind of input is to the runner."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from mlxr.runtime.errors import MlxrError

OURS: tuple[type[Exception], ...] = (MlxrError,)


class Kind(ABC):
    """One kind of input. ``folder`` is the child's own, for files; ``__init__`` prepares the valid inputs that cases
    are mutations of.

    ``CASES``: how many belong to a whole run. ``BATCH``: how many one process reads. ``REFUSALS``: what reading may
    raise; anything else is a finding. ``SMALL_STACK``: read on a thread with the stack that sandboxes give, and without
    much address space; not for kinds that have sandboxes of their own. ``SERVED``: read by a server beside another
    client's stream, of which there is one at a time. ``ended``: how many cases sandboxes ended. ``gap``: the longest
    pause of that stream, in seconds.
    """

    SMALL_STACK: ClassVar[bool] = True
    SERVED: ClassVar[bool] = False
    ended = 0
    gap = 0.0

    CASES: ClassVar[int] = 20_000
    BATCH: ClassVar[int] = 2_000
    REFUSALS: ClassVar[tuple[type[Exception], ...]] = OURS

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def make(self, random: Random) -> bytes:
        """The next case; depends on ``random`` alone."""

    @abstractmethod
    def read(self, data: bytes) -> None:
        """Have mlxr read ``data``."""

    def each(self, *steps: Callable[[], Any]) -> None:
        """Do every step, though one before refuses; then raise the last refusal."""
        refusal: Exception | None = None
        for step in steps:
            try:
                step()
            except self.REFUSALS as error:
                refusal = error
        if refusal is not None:
            raise refusal

    def close(self) -> None:  # noqa: B027  (few have anything to let go of)
        """Let go of what ``__init__`` took."""
