"""The pages of a model in the native module: what a pool's groups keep, and what they take."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.cache import NumberType
from mlxr.metal.cpu import _native
from mlxr.metal.pool import GroupSpec, Pool, PoolSpec
from mlxr.runtime.messages.kv import CacheKind

KINDS = (CacheKind.FULL, CacheKind.WINDOW, CacheKind.LATENT, CacheKind.STATE)
"""What a pool's pages may hold: keys, values and latents in half precision or as codes of 8 bits, states as float32
numbers."""


POPULATE_WRITE = 23
"""``MADV_POPULATE_WRITE``, of Linux 5.14 and later: takes memory as if each page had been written, and changes none."""


COLLAPSE = 25
"""``MADV_COLLAPSE``, of Linux 6.1 and later: makes one huge page of small ones, of files in memory, too, whatever the
system's settings say."""

HUGE_PAGE = 2 << 20

_AGAIN = (errno.EINTR, errno.EAGAIN)


def allocate(spec: PoolSpec, native: _native.Pool | None = None) -> _native.Pool:
    """``native``: an empty pool that is to have these groups; None for one of the process's own memory."""
    native = native or _native.Pool()
    for part in spec.groups:
        _add(native, part)
    return native


def _add(native: _native.Pool, part: GroupSpec) -> None:
    group, layers = part.group, list(part.group.layers)
    match group.kind:
        case CacheKind.STATE:
            native.add_states(layers=layers, pages=part.pages, numbers=group.state_size or 0)
        case CacheKind.LATENT:
            native.add_latents(
                layers=layers,
                pages=part.pages,
                page_size=part.page_size,
                numbers=group.kv_heads * group.head_dim,
                int8=group.keys is NumberType.INT8,
            )
        case CacheKind.FULL | CacheKind.WINDOW:
            native.add_keys_and_values(
                layers=layers,
                pages=part.pages,
                page_size=part.page_size,
                kv_heads=group.kv_heads,
                head_dim=group.head_dim,
                int8_keys=group.keys is NumberType.INT8,
                int8_values=group.values is NumberType.INT8,
            )


def page_bytes(pool: Pool, group: int) -> int:
    return sum(part.shape[1] for part in native_pool(pool).parts(group))


def read_pages(pool: Pool, group: int, pages: Sequence[int], content: NDArray[np.uint8]) -> None:
    at, index = 0, np.asarray(pages)
    for part in native_pool(pool).parts(group):
        content[:, at : at + part.shape[1]] = part[index]
        at += part.shape[1]


def write_pages(pool: Pool, group: int, pages: Sequence[int], content: NDArray[np.uint8]) -> None:
    at, index = 0, np.asarray(pages)
    for part in native_pool(pool).parts(group):
        part[index] = content[:, at : at + part.shape[1]]
        at += part.shape[1]


def touch_pages(pool: Pool, group: int, pages: Sequence[int], goes_on: Callable[[], bool]) -> None:
    if _madvise is None or not len(pages):
        return
    touch = _touch_huge if pool.of_file else _touch
    for begin, end in _addresses(reversed(native_pool(pool).parts(group)), pages):
        if not goes_on() or not touch(begin, end, goes_on):
            return  # Older systems can't, and there may be no more memory: whoever writes finds out.


def provide_pages(pool: Pool, group: int, pages: Sequence[int]) -> None:
    """As ``FilePools.provide``, in small pages: ``touch_pages`` makes huge ones of them."""
    for begin, end in _addresses(native_pool(pool).parts(group), pages):
        _provide(begin, end)


def require_huge(pool: Pool) -> None:
    """As ``FilePools.require_huge``."""
    begin = native_pool(pool).parts(0)[0].ctypes.data
    _provide(begin, begin + 1)
    if _madvise is None or (_madvise(begin, HUGE_PAGE, COLLAPSE) and ctypes.get_errno() == errno.EINVAL):
        raise OSError(errno.ENOSYS, "the system makes no huge pages of files in memory")


def _provide(begin: int, end: int) -> None:
    """Gives addresses their memory. Raises ``OSError``."""
    while number := _populate(begin, end):
        if number not in _AGAIN:
            # What would be SIGBUS for whoever wrote there.
            number = errno.ENOSPC if number == errno.EFAULT else number
            raise OSError(number, os.strerror(number))


def _touch(begin: int, end: int, goes_on: Callable[[], bool]) -> bool:
    """Gives addresses their memory; tells whether the system does so."""
    return not _populate(begin, end)


def _populate(begin: int, end: int) -> int:
    """Gives addresses their memory; returns why the system does not, its error's number, 0 where it does."""
    begin, end = begin // mmap.PAGESIZE * mmap.PAGESIZE, -(-end // mmap.PAGESIZE) * mmap.PAGESIZE
    if _madvise is None:
        return errno.ENOSYS
    return ctypes.get_errno() if _madvise(begin, end - begin, POPULATE_WRITE) else 0


def _touch_huge(begin: int, end: int, goes_on: Callable[[], bool]) -> bool:
    """The same of a file's: each huge page that has any of these addresses, of which the system makes none by itself. A
    part's last addresses may share one with another part's first, but not with what is no page."""
    assert _madvise is not None
    for at in range(begin // HUGE_PAGE * HUGE_PAGE, end, HUGE_PAGE):
        if not goes_on():
            return False
        # One is made only of what is there in part.
        if _madvise(at, mmap.PAGESIZE, POPULATE_WRITE):
            return False
        if _madvise(at, HUGE_PAGE, COLLAPSE) and _madvise(at, HUGE_PAGE, POPULATE_WRITE):
            return False
    return True


def _addresses(parts: Iterable[NDArray[np.uint8]], pages: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yields where pages begin and end in each part of a group, those that lie side by side as one."""
    runs = _runs(pages)
    for part in parts:
        for first, count in runs:
            begin = part.ctypes.data + first * part.shape[1]
            yield begin, begin + count * part.shape[1]


def _runs(pages: Sequence[int]) -> list[tuple[int, int]]:
    """Returns pages that lie side by side: where each run begins, and how many they are."""
    runs: list[tuple[int, int]] = []
    for page in sorted(pages):
        if runs and sum(runs[-1]) == page:
            runs[-1] = runs[-1][0], runs[-1][1] + 1
        else:
            runs.append((page, 1))
    return runs


def _advise() -> Callable[[int, int, int], int] | None:
    """Returns the system's ``madvise``; None where it can't give memory ahead."""
    if sys.platform != "linux":
        return None
    function = ctypes.CDLL(None, use_errno=True).madvise
    function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    found: Callable[[int, int, int], int] = function
    return found


_madvise = _advise()


def pages_of(pool: Pool | None, layer: int) -> _native.Pool | None:
    return None if pool is None else pool.layers[layer]


def native_pool(pool: Pool) -> _native.Pool:
    """Returns the one object that holds the pages of all layers."""
    native: _native.Pool = next(iter(pool.layers.values()))
    return native
