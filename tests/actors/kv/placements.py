"""Pools of each kind, and rows for them."""

from __future__ import annotations

from mlxr.runtime.messages.common import Sampling
from mlxr.runtime.messages.kv import CacheKind, GroupPages, PlanRow, RowSetup
from mlxr.runtime.messages.token_ids import TokenIds

FULL = GroupPages(CacheKind.FULL, 100, 4)
WINDOW = GroupPages(CacheKind.WINDOW, 100, 4, window=8)
STATE = GroupPages(CacheKind.STATE, 10, 8)


def prefill(sequence: int, start: int, length: int) -> PlanRow:
    tokens = TokenIds.of(range(start, start + length))
    return PlanRow(sequence, start, length, tokens, setup=None if start else RowSetup(Sampling(), tokens, length))
