"""What loads need, worked out once and kept in ``MLXR_HOME``: a start then waits for nobody who reads a model's headers
before its executor does."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from contextlib import suppress

import msgspec
from msgspec import Raw, Struct

import mlxr
from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.runtime.paths import Home
from mlxr.runtime.whole_files import write_whole

ARITHMETIC = "1"
"""What needs are worked out by: those of another are worked out anew."""

MOST_KEPT = 64


class KeptNeed(Struct, frozen=True):
    """
    Attributes:
        nbytes, optional: as in ``LoadNeed``.
        beside: bytes of the draft model that the load can't go without.
        footprint: the model's ``Footprint`` with the pages' types, in JSON.
    """

    nbytes: int
    optional: int
    beside: int
    footprint: Raw


class NeedsFile:
    """Reads and writes the file. Of a home that is read-only, or a damaged file, nothing is known. ``settings``: what
    executors of whatever model are told."""

    def __init__(self, home: Home, settings: ExecutorSettings) -> None:
        self._home, self._settings = home, settings

    def key(self, model: str) -> str:
        """Returns by what a need is found. ``model``: says all files that it is of, and their states."""
        held_for: Sequence[bytes] = (
            f"{mlxr.__version__} {ARITHMETIC} {platform.node()}".encode(),
            msgspec.json.encode(self._settings),
            self._machine(),
            model.encode(errors="surrogateescape"),
        )
        return hashlib.sha256(b"\0".join(held_for)).hexdigest()

    def find(self, key: str) -> KeptNeed | None:
        return self._read().get(key)

    def keep(self, key: str, need: KeptNeed) -> None:
        """Adds it, in the place of the oldest where there are many."""
        kept = self._read()
        for oldest in list(kept)[: max(0, len(kept) + 1 - MOST_KEPT)]:
            del kept[oldest]
        kept[key] = need
        with suppress(OSError):  # a home that is read-only, or a full disk: it is worked out again next time
            write_whole(self._home.needs, msgspec.json.encode(kept), 0o600)

    def _machine(self) -> bytes:
        """What is known of the machine, which decides how large things are."""
        try:
            return self._home.machine.read_bytes()
        except OSError:
            return b""

    def _read(self) -> dict[str, KeptNeed]:
        try:
            return msgspec.json.decode(self._home.needs.read_bytes(), type=dict[str, KeptNeed])
        except (OSError, msgspec.DecodeError):
            return {}
