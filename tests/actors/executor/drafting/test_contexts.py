"""Every page of a draft model has one owner."""

from __future__ import annotations

from mlxr.actors.executor.drafting.contexts import Contexts


def test_a_sequence_that_ends_twice_leaves_no_page_without_an_owner() -> None:
    contexts = Contexts(8, 4, 0)
    for _ in range(3):
        assert contexts.reserve(contexts.of(1, [1, 2, 3], 3), 12, {1})
        contexts.forget(1)
    assert contexts.free == 5
    assert contexts.reserve(contexts.of(2, [9], 1), 32, {2})
