"""Content addresses of prefixes."""

from __future__ import annotations

from mlxr.actors.kv.prefix import PrefixChain, TurnEnds, chain_root
from mlxr.runtime.messages.token_ids import TokenIds

ROOT = chain_root("a model")


def chain(tokens: list[int], root: bytes = ROOT) -> PrefixChain:
    return PrefixChain(TokenIds.of(tokens), 2, root)


def test_an_address_stands_for_the_whole_prefix() -> None:
    one = chain([1, 2, 3, 4, 5])
    assert chain([1, 2, 3, 9]).at(2) == one.at(2)
    assert chain([1, 2, 3, 9]).at(4) != one.at(4)
    assert chain([9, 2, 3, 4]).at(4) != one.at(4)


def test_an_address_stands_for_all_that_pages_depend_on_beside_tokens() -> None:
    tokens = [1, 2, 3, 4]
    addresses = {chain(tokens, chain_root(*parts)).at(4) for parts in (["a", "b"], ["ab"], ["a", "c"], ["a"])}
    assert len(addresses) == 4


def test_a_prefix_that_ends_within_a_block_has_an_address_of_its_own() -> None:
    one = chain([1, 2, 3, 4])
    assert len({one.at(end) for end in range(5)}) == 5
    assert chain([1, 2, 3, 9]).at(3) == one.at(3)


def test_what_one_branch_goes_on_with_changes_no_address_of_the_other() -> None:
    trunk = chain([1, 2, 3])
    branch = trunk.branch()
    trunk.tokens, branch.tokens = TokenIds.of([1, 2, 3, 4]), TokenIds.of([1, 2, 3, 5])
    assert trunk.at(4) == chain([1, 2, 3, 4]).at(4)
    assert branch.at(4) == chain([1, 2, 3, 5]).at(4)


def test_ends_of_turns_are_known_by_the_block_before_them_the_longest_first() -> None:
    ends = TurnEnds(most=2)
    for address, length in ((b"a", 1), (b"a", 3), (b"b", 2), (b"a", 1)):
        ends.note(address, length)
    assert (ends.behind(b"a"), ends.behind(b"b")) == ([3, 1], [2])
    ends.note(b"c", 1)
    assert (ends.behind(b"a"), ends.behind(b"b")) == ([3, 1], [])
