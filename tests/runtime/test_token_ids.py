"""Token ids in messages."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from mlxr.runtime.messages.token_ids import TokenIds

IDS = st.lists(st.integers(0, 2**31 - 1), max_size=20)


@given(ids=IDS, more=IDS, start=st.integers(0, 25), end=st.integers(0, 25))
def test_they_are_a_list_that_is_packed(ids: list[int], more: list[int], start: int, end: int) -> None:
    packed = TokenIds.of(ids)
    assert (len(packed), packed.list(), [*packed]) == (len(ids), ids, ids)
    assert packed[start:end].list() == ids[start:end]
    assert (packed + TokenIds.of(more)).list() == ids + more


def test_a_hop_takes_their_bytes_as_they_are() -> None:
    packed = TokenIds.of([1, 2, 70_000])
    raw = msgspec.msgpack.encode(packed)
    assert packed.packed in raw
    assert msgspec.msgpack.decode(raw, type=TokenIds) == packed
