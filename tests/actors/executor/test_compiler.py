"""Constraints compiled off the device's thread."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator

import pytest

from mlxr.actors.executor.compiler import CompiledCache, Compiler
from mlxr.actors.executor.constraints import ConstraintTable
from mlxr.actors.executor.sequences import Sequence
from mlxr.models.constraints import ConstraintError, Matcher, Vocabulary
from mlxr.runtime.messages.common import Constraint, ConstraintKind, ReasoningSection, Sampling
from tests.models.constraints.vocabulary import ByteTokenizer, allowed

VOCABULARY = Vocabulary(ByteTokenizer(), 257)


@pytest.fixture
def compiler() -> Iterator[Compiler]:
    made = Compiler(lambda: VOCABULARY)
    made.start()
    yield made
    made.stop()


def regex(source: str) -> Constraint:
    return Constraint(ConstraintKind.REGEX, source)


def test_matchers_of_one_constraint_are_compiled_once_and_go_their_own_ways(compiler: Compiler) -> None:
    first, second = compiler.matcher(regex("ab")), compiler.matcher(regex("ab"))
    assert compiler.compile(regex("ab")).result() is compiler.compile(regex("ab")).result()
    assert first.consume(ord("a"))
    assert allowed(second, VOCABULARY) == [ord("a")]
    assert allowed(first, VOCABULARY) == [ord("b")]


def test_what_is_known_is_answered_at_once(compiler: Compiler) -> None:
    compiler.compile(regex("a")).result(30)
    assert compiler.compile(regex("a")).done()


def test_a_constraint_that_does_not_compile_says_why_and_the_next_one_does(compiler: Compiler) -> None:
    made = compiler.compile(regex("(")).result(30)
    assert isinstance(made, ConstraintError)
    with pytest.raises(ConstraintError, match="unclosed"):
        compiler.matcher(regex("("))
    assert isinstance(compiler.compile(regex("a")).result(30), Matcher)


def test_a_vocabulary_that_cannot_be_had_is_what_is_wrong_with_every_constraint() -> None:
    def broken() -> Vocabulary:
        raise OSError("no such file")

    compiler = Compiler(broken)
    compiler.start()
    for source in ("a", "b"):
        with pytest.raises(ConstraintError, match="it can't be compiled"):
            compiler.matcher(regex(source))
    compiler.stop()


def test_an_engine_that_ends_before_it_rests_makes_no_vocabulary() -> None:
    made: list[Vocabulary] = []

    def vocabulary() -> Vocabulary:
        made.append(VOCABULARY)
        return VOCABULARY

    compiler, before = Compiler(vocabulary, resting=lambda: False), set(threading.enumerate())
    compiler.start()
    (thread,) = set(threading.enumerate()) - before
    compiler.stop()
    thread.join()
    assert not made


def test_nothing_is_compiled_on_the_thread_that_asks() -> None:
    threads: list[str] = []

    def vocabulary() -> Vocabulary:
        threads.append(threading.current_thread().name)
        return VOCABULARY

    compiler = Compiler(vocabulary)
    compiler.start()
    compiler.matcher(regex("a"))
    compiler.stop()
    assert threads == ["constraints"]
    assert threading.stack_size() == 0


def test_compiling_gives_way_to_the_threads_that_compute() -> None:
    niceness: list[int] = []

    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id() if sys.platform == "linux" else 0)

    def vocabulary() -> Vocabulary:
        niceness.append(priority())
        return VOCABULARY

    own = priority()
    compiler = Compiler(vocabulary)
    compiler.start()
    compiler.matcher(regex("a"))
    compiler.stop()
    assert niceness == [min(19, own + 10) if sys.platform == "linux" else own]
    assert priority() == own


def test_what_was_not_used_for_longest_is_dropped_by_count_and_by_length() -> None:
    kept = CompiledCache(most=2, most_bytes=100)
    made = Matcher(VOCABULARY, regex("a"))
    for source in ("a", "b"):
        kept.put(regex(source), made)
    assert kept.get(regex("a")) is made
    kept.put(regex("c"), made)
    assert [source for source in "abc" if kept.get(regex(source))] == ["a", "c"]
    kept.put(regex("d" * 200), made)
    assert len(kept) == 1


def test_a_sequence_that_is_computed_again_goes_on_where_its_output_stands(compiler: Compiler) -> None:
    table = ConstraintTable(compiler, 257)
    sequence = Sequence(1, Sampling(), [5, 6, ord("a"), ord("b")], 2, regex("abc"), True)
    table.open(sequence)
    assert table.consume(sequence, ord("c")) == (None, True)


def test_a_matcher_that_was_used_makes_copies_that_stand_at_the_beginning() -> None:
    matcher = Matcher(VOCABULARY, Constraint(ConstraintKind.REGEX, "ab", reasoning=ReasoningSection("!")))
    for token in b"x!a":
        assert matcher.consume(token)
    copied = matcher.copy()
    assert copied.allows(ord("z"))
    assert not matcher.allows(ord("z"))
    for token in b"!ab":
        assert copied.consume(token)
    assert copied.stopped
    assert not matcher.stopped


def test_the_vocabulary_is_made_once_the_engine_rests_before_any_constraint_comes() -> None:
    looked, rests, made = threading.Semaphore(0), threading.Event(), threading.Event()

    def resting() -> bool:
        looked.release()
        return rests.is_set()

    def vocabulary() -> Vocabulary:
        made.set()
        return VOCABULARY

    compiler = Compiler(vocabulary, resting=resting)
    compiler.start()
    assert looked.acquire(timeout=60)
    assert looked.acquire(timeout=60)
    assert not made.is_set()
    rests.set()
    assert made.wait(60)
    compiler.stop()


def test_a_constraint_does_not_wait_until_the_engine_rests() -> None:
    compiler = Compiler(lambda: VOCABULARY, resting=lambda: False)
    compiler.start()
    assert isinstance(compiler.compile(regex("a")).result(60), Matcher)
    compiler.stop()
