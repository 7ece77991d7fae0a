"""What one cache group keeps of each sequence: its block table, and which pages a step needs, writes to and gives back.

A page that others can find, or hold too, is never written to: its holder takes a copy. That alone makes forks share,
and it makes a state group's snapshots. Its table has one entry, the state after all tokens so far; once that is
published it is a snapshot, and the sequence's next row has it copied to another page and goes on there.

Rejected tokens of a draft need nothing where pages hold something of each token: later ones are written over them. A
state that has taken them in is of no use any more, so a row with a draft leaves the one before it as it is, and works
on a copy.
"""

from __future__ import annotations

from mlxr.actors.kv.recent_prompts import EvictionLog
from mlxr.actors.kv.states import States
from mlxr.actors.kv.token_pages import TokenPages
from mlxr.runtime.messages.kv import CacheKind, GroupPages

Group = TokenPages | States


def group_of(index: int, spec: GroupPages, evictions: EvictionLog) -> Group:
    """``evictions``: where it notes what it evicts."""
    return States(index, spec, evictions) if spec.kind is CacheKind.STATE else TokenPages(index, spec, evictions)
