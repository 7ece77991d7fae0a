"""Reading forward through the header of a GGUF file, one checked value at a time.

Everything the file claims is checked against its size, and against what any model has, before it is believed: a damaged
file costs an error, not memory. All that is kept of a header takes twice its bytes, and 200 MB, at most.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import pairwise
from struct import Struct
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from mlxr.models.errors import AGAIN, ModelFileError
from mlxr.models.modelfile import ModelFile

MAX_NAME_BYTES = 65535
MAX_TEXT_BYTES = 16 << 20
"""Of all names and texts together, those in arrays not counted: Python takes up to four times as much for them."""
MAX_ITEMS = 1 << 23
"""Of all arrays together; the largest vocabularies have 2 ** 18 tokens, and twice as many merges."""
MAX_ARRAY_DEPTH = 4
MAX_NESTED = 1 << 14
"""Arrays within arrays."""
WINDOW_BYTES = 1 << 18
"""Read ahead."""

ByteOrder = Literal["<", ">"]
"""As ``struct`` and NumPy call them."""
LITTLE: ByteOrder = "<"
BIG: ByteOrder = ">"
U32 = {order: Struct(f"{order}I") for order in (LITTLE, BIG)}
U64 = {order: Struct(f"{order}Q") for order in (LITTLE, BIG)}

MANY = 1000
"""Strings, from which on they are looked for in a window at once."""

BOOL, STRING, ARRAY = 7, 8, 9
SCALARS: dict[int, np.dtype[Any]] = {
    0: np.dtype("u1"),
    1: np.dtype("i1"),
    2: np.dtype("u2"),
    3: np.dtype("i2"),
    4: np.dtype("u4"),
    5: np.dtype("i4"),
    6: np.dtype("f4"),
    BOOL: np.dtype("?"),
    10: np.dtype("u8"),
    11: np.dtype("i8"),
    12: np.dtype("f8"),
}
STRING_BYTES = 8
ARRAY_BYTES = 4 + 8
"""The least that a string and an array take."""


class Strings(Sequence[str]):
    """Strings as a GGUF file has them, decoded when they are asked for; bytes that are not UTF-8 become surrogate
    escapes. As Python objects a vocabulary takes 30 MB, and leaves the heap full of holes when it goes; empty strings
    would take seven times their bytes.

    ``ends``: where each string ends in ``data``, after a 0; a length precedes each.
    """

    __slots__ = ("_data", "_ends")

    def __init__(self, data: bytes, ends: array[int]) -> None:
        self._data = data
        self._ends = ends

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        at = range(len(self))[index]
        return self._data[self._ends[at] + STRING_BYTES : self._ends[at + 1]].decode("utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        return (raw.decode("utf-8", "surrogateescape") for raw in self.raw())

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Bytes of each string."""
        ends = np.array(self._ends, np.int64)
        return ends[1:] - ends[:-1] - STRING_BYTES

    def raw(self) -> Iterator[bytes]:
        """The strings as they stand in the file."""
        data = self._data
        return (data[start + STRING_BYTES : end] for start, end in pairwise(self._ends))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


class Cursor:
    """``at`` is the next byte, ``order`` that of a number's bytes. Every method raises ``ModelFileError`` where the
    file ends early or makes no sense."""

    def __init__(self, file: ModelFile) -> None:
        self.path = file.path
        self.size = file.size
        self.at = 0
        self.order: ByteOrder = LITTLE
        self._file = file
        self._window = b""
        self._window_start = 0
        self._text_left = MAX_TEXT_BYTES
        self._items_left = MAX_ITEMS
        self._nested_left = MAX_NESTED

    def value(self, key: str, kind: int) -> Any:
        if kind == STRING:
            return self.text_bytes(f"value of {key!r}").decode("utf-8", "replace")
        if kind == ARRAY:
            return self.array(key, 0)
        return self.numbers(key, kind, 1)[0].item()

    def array(self, key: str, depth: int) -> Any:
        if depth == MAX_ARRAY_DEPTH:
            raise self.error(f"nests arrays more than {MAX_ARRAY_DEPTH} deep in {key!r}")
        kind = self.u32(f"element type of {key!r}")
        if kind == STRING:
            return self.strings(key, self.items(key, STRING_BYTES))
        if kind == ARRAY:
            count = self.items(key, ARRAY_BYTES)
            self._nested_left -= count
            if self._nested_left < 0:
                raise self.error(f"has more than {MAX_NESTED} arrays within arrays, in {key!r}")
            return [self.array(key, depth + 1) for _ in range(count)]
        return self.numbers(key, kind, self.items(key, self._number(key, kind).itemsize))

    def strings(self, key: str, count: int) -> Strings:
        """The hot loop: vocabularies hold 262,144 of these."""
        if count >= MANY and (found := self._short_strings(count)) is not None:
            return found
        size, unpack, first, at = self.size, U64[self.order].unpack_from, self.at, self.at
        ends = array("I" if size - first < 1 << 32 else "Q", [0])
        window, base = self._window, self._window_start
        last = base + len(window) - STRING_BYTES
        for _ in range(count):
            if at > last:
                if at + STRING_BYTES > size:
                    raise self.error(f"ends within {key!r}", at)
                window, base = self._read_ahead(at), at
                last = base + len(window) - STRING_BYTES
            start = at + STRING_BYTES
            at = start + unpack(window, at - base)[0]
            if at > size:
                raise self.error(f"has a string in {key!r} that runs past its end", start - STRING_BYTES)
            ends.append(at - first)
        self.at = at
        return Strings(self._file.read(first, at - first), ends)

    def _short_strings(self, count: int) -> Strings | None:
        """Returns as many strings, of less than 64 KiB each; None where one is longer, or the file ends within them:
        then they have to be looked at one by one."""
        first, at = self.at, self.at
        if self.size - first >= 1 << 32:
            return None
        ends = array("I", [0])
        append = ends.append
        while len(ends) <= count:
            window = self._file.read(at, min(WINDOW_BYTES, self.size - at))
            if len(window) < STRING_BYTES:
                return None
            nexts, base, seen, start = _nexts(window, self.order), at - first, len(ends), 0
            try:
                for _ in range(count + 1 - seen):
                    start = nexts[start]
                    append(base + start)
            except IndexError:  # the next one's length lies beyond the window
                pass
            starts = np.array(ends[seen - 1 : -1], np.int64) - base
            if not len(starts) or _are_long(window, starts, self.order):
                return None
            at = first + ends[-1]
            if at > self.size:
                return None
        self.at = at
        return Strings(self._file.read(first, at - first), ends)

    def numbers(self, key: str, kind: int, count: int) -> NDArray[Any]:
        dtype = self._number(key, kind)
        raw = self.take(count * dtype.itemsize, f"value of {key!r}")
        if kind == BOOL:
            flags: NDArray[np.bool_] = np.frombuffer(raw, np.uint8) != 0
            return flags
        return np.frombuffer(raw, dtype.newbyteorder(self.order)).astype(dtype, copy=False)

    def _number(self, key: str, kind: int) -> np.dtype[Any]:
        dtype = SCALARS.get(kind)
        if dtype is None:
            raise self.error(f"gives {key!r} the unknown value type {kind}", self.at)
        return dtype

    def items(self, what: str, smallest: int) -> int:
        """Returns the length of an array, as ``count``; all arrays together have ``MAX_ITEMS``."""
        at = self.at
        count = self.count(what, smallest)
        self._items_left -= count
        if self._items_left < 0:
            raise self.error(f"has arrays of more than {MAX_ITEMS} items together, in {what!r}", at)
        return count

    def count(self, what: str, smallest: int, most: int | None = None) -> int:
        """Returns a count of things of at least ``smallest`` bytes each, refused when the rest of the file can't hold
        them, or where it is above ``most``."""
        at = self.at
        count = self.u64(f"{what} count")
        if count * smallest > self.size - self.at:
            raise self.error(f"claims {count} entries of {what!r}, more than its {self.size} bytes can hold", at)
        if most is not None and count > most:
            raise self.error(f"claims {count} entries of {what!r}; mlxr reads at most {most}", at)
        return count

    def name(self, what: str) -> str:
        at = self.at
        raw = self.text_bytes(what)
        if not raw or len(raw) > MAX_NAME_BYTES:
            raise self.error(f"has a {what} of {len(raw)} bytes; 1 to {MAX_NAME_BYTES} are possible", at)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise self.error(f"has a {what} that is not UTF-8: {raw[:40]!r}", at) from None

    def text_bytes(self, what: str) -> bytes:
        at = self.at
        length = self.u64(f"length of {what!r}")
        if length <= self.size - self.at:
            self._text_left -= length
        if self._text_left < 0:
            raise self.error(f"has more than {MAX_TEXT_BYTES} bytes of names and texts, up to its {what}", at)
        return self.take(length, what)

    def u32(self, what: str) -> int:
        return int(U32[self.order].unpack(self.take(4, what))[0])

    def u64(self, what: str) -> int:
        return int(U64[self.order].unpack(self.take(8, what))[0])

    def take(self, count: int, what: str) -> bytes:
        start, end = self.at, self.at + count
        if end > self.size:
            raise self.error(f"ends within {what}: {count} bytes wanted, {self.size - self.at} left", self.at)
        self.at = end
        if count > WINDOW_BYTES:
            return self._file.read(start, count)
        if start < self._window_start or end > self._window_start + len(self._window):
            self._read_ahead(start)
        return self._window[start - self._window_start : end - self._window_start]

    def error(self, reason: str, offset: int | None = None, way_out: str = AGAIN) -> ModelFileError:
        return ModelFileError(self.path, f"{reason}; {way_out}", self.at if offset is None else offset)

    def _read_ahead(self, start: int) -> bytes:
        self._window = self._file.read(start, min(WINDOW_BYTES, self.size - start))
        self._window_start = start
        return self._window


def _nexts(window: bytes, order: ByteOrder) -> array[int]:
    """Returns where the string behind the next would begin if the next began at each byte of ``window``, by the last
    two bytes of its length."""
    count = len(window) - STRING_BYTES + 1
    lengths, behind = np.empty(count, np.uint16), 0 if order == LITTLE else STRING_BYTES - 2
    for odd in range(2):
        part = lengths[odd::2]
        part[:] = np.frombuffer(window, f"{order}u2", len(part), odd + behind)
    nexts = array("I")
    nexts.frombytes((np.arange(STRING_BYTES, STRING_BYTES + count, dtype=np.uint32) + lengths).tobytes())
    return nexts


def _are_long(window: bytes, starts: NDArray[np.int64], order: ByteOrder) -> bool:
    """Whether the length of a string at one of ``starts`` has more than two bytes."""
    others = np.arange(2, STRING_BYTES) if order == LITTLE else np.arange(STRING_BYTES - 2)
    return bool(np.frombuffer(window, np.uint8)[starts[:, None] + others].any())
