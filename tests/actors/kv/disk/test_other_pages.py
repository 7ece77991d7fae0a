"""Pages that another engine left on disk explain misses, and are never used."""

from __future__ import annotations

import pytest

from mlxr.actors.kv.disk.other_pages import OtherPages, difference
from mlxr.actors.kv.prefix import PrefixChain, chain_root
from mlxr.runtime.messages.kv import OtherPagesFound
from mlxr.runtime.messages.scheduler import MissKind, PrefixMiss
from mlxr.runtime.messages.token_ids import TokenIds

OWN = ["digest", "cpu", "avx2", "mlxr 1.0", "mlx 0.30", "full 32"]
PROMPT = TokenIds.of(range(100))


def left_by(contents: list[str], tokens: TokenIds = PROMPT, block: int = 8) -> OtherPagesFound:
    chain = PrefixChain(tokens, block, chain_root(*contents))
    return OtherPagesFound(0, contents, block, [chain.at(end) for end in range(block, len(tokens) + 1, block)])


@pytest.mark.parametrize(
    ("place", "kind"),
    [(0, MissKind.MODEL), (1, MissKind.BACKEND), (2, MissKind.BACKEND), (3, MissKind.VERSION), (4, MissKind.VERSION)],
)
def test_the_first_difference_is_told(place: int, kind: MissKind) -> None:
    other = [*OWN[:place], "another", *OWN[place + 1 :]]
    assert difference(OWN, other) is kind
    others = OtherPages(OWN)
    others.found(left_by(other))
    assert others.miss(PROMPT, "", 0) == PrefixMiss(kind, 96, 100)


def test_pages_of_another_type_or_size_differ_in_their_layout() -> None:
    assert difference(OWN, [*OWN[:5], "full int8 32"]) is MissKind.LAYOUT
    others = OtherPages(OWN)
    others.found(left_by([*OWN[:5], "full 16"], block=16))
    assert others.miss(PROMPT, "", 0) == PrefixMiss(MissKind.LAYOUT, 96, 100)


def test_nothing_is_told_where_as_much_was_found_or_nothing_begins_alike() -> None:
    others = OtherPages(OWN)
    assert others.miss(PROMPT, "", 0) is None
    others.found(left_by(["another", *OWN[1:]]))
    assert others.miss(PROMPT, "", 96) is None
    assert others.miss(TokenIds.of(range(1, 100)), "", 0) is None
    assert others.miss(PROMPT, "an adapter", 0) is None
    longer = OtherPagesFound(0, [*OWN[:3], "mlxr 0.9", *OWN[4:]], 8, [])
    others.found(longer)
    assert others.miss(PROMPT, "", 8) == PrefixMiss(MissKind.MODEL, 96, 100)
