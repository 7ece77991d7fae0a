"""Which engines run, written to the run directory: a restarted registry goes on with them and stops none."""

from __future__ import annotations

import logging
import math
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from mlxr.actors.registry.lifecycle.engine import Engine
from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.messages.registry import EngineUp

log = logging.getLogger("mlxr.registry")

_FILE = "engines.json"


class _Line(Struct, frozen=True):
    """One engine. ``keep_alive``: None for ever, as JSON has no infinity."""

    name: str
    spec: EngineSpec
    models: list[str]
    keep_alive: float | None
    pinned: bool
    tokenizer: bool
    up: EngineUp | None
    needs: int = 0
    memory: int = 0
    tokenizer_process: int = 0
    pages: int = 0


class EngineStateFile:
    """The file; rewritten only when it would change."""

    def __init__(self, run_directory: Path) -> None:
        self._path = run_directory / _FILE
        self._written = b""

    def write(self, engines: list[Engine]) -> None:
        lines = [
            _Line(
                e.name,
                e.spec,
                list(e.active),
                e.keep_alive if math.isfinite(e.keep_alive) else None,
                e.pinned,
                e.tokenizer,
                e.up,
                e.needs,
                e.memory,
                e.tokenizer_process,
                e.pages,
            )
            for e in engines
            if e.detached_at is None
        ]
        data = msgspec.json.encode(lines)
        if data == self._written:
            return
        fresh = self._path.with_suffix(".new")
        try:
            fresh.write_bytes(data)
            os.replace(fresh, self._path)
        except OSError as error:
            # A full disk is no reason to stop serving.
            log.warning("can't note which engines run in %s: %s", self._path, error)
        self._written = data

    def read(self, now: float) -> list[Engine]:
        """Returns the engines of an earlier registry, as of ``now``."""
        try:
            lines = msgspec.json.decode(self._path.read_bytes(), type=list[_Line])
        except FileNotFoundError:
            return []
        except (OSError, msgspec.DecodeError) as error:
            log.warning("can't read which engines run from %s: %s", self._path, error)
            return []
        return [_engine(line, now) for line in lines]


def _engine(line: _Line, now: float) -> Engine:
    return Engine(
        line.name,
        line.spec,
        math.inf if line.keep_alive is None else line.keep_alive,
        now,
        line.needs,
        line.pinned,
        active=dict.fromkeys(line.models, 0),
        started=True,
        memory=line.memory,
        pages=line.pages,
        up=line.up,
        tokenizer=line.tokenizer,
        tokenizer_process=line.tokenizer_process,
        was_ready=line.up is not None and line.tokenizer,
    )
