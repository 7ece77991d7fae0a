"""What goes wrong in every way that the runner has to notice; no kind of input, and no part of a run."""

from __future__ import annotations

import os
from random import Random

from mlxr.runtime.errors import MlxrError
from tests.fuzz.kind import Kind

RARE = (b"divide", b"abort", b"take")


class Broken(Kind):
    def make(self, random: Random) -> bytes:
        if random.random() < 0.02:
            return b"spin"
        return random.choice(RARE) if random.random() < 0.3 else b"refuse"

    def read(self, data: bytes) -> None:
        match data:
            case b"divide":
                raise ZeroDivisionError
            case b"abort":
                os.abort()
            case b"take":
                del [b"\1" * (400 << 20)][0]
            case b"spin":
                while True:
                    pass
        raise MlxrError("refused, as it must be")
