"""The disk below the pool: what goes there, what comes back, and that no text depends on it."""

from __future__ import annotations

import random

import pytest

from mlxr.actors.scheduler.settings import Limits
from mlxr.runtime.messages.common import sequence_id
from mlxr.runtime.messages.executor import RestorePages, StorePages
from mlxr.runtime.messages.kv import Admit, CacheKind, GroupPages, SegmentsFound
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import RequestFailed
from tests.actors.kv.disk.simulation import Disk, DiskEngine, page_bytes
from tests.actors.simulated_device import expected

LIMITS = Limits(token_budget=16, prefill_chunk=8, max_sequences=4, max_waiting=200)
FULL = GroupPages(CacheKind.FULL, 24, 4)
MIXES = {
    "full": [FULL],
    "window": [FULL, GroupPages(CacheKind.WINDOW, 24, 4, window=8)],
    "states": [FULL, GroupPages(CacheKind.STATE, 10, 16)],
    "all": [FULL, GroupPages(CacheKind.WINDOW, 24, 4, window=8), GroupPages(CacheKind.STATE, 10, 16)],
}


def engine_of(mix: str = "full", disk: Disk | None = None, seed: int = 0) -> DiskEngine:
    rng = random.Random(seed)
    return DiskEngine(LIMITS, MIXES[mix], disk or Disk(), rng.randrange, rng)


def answer(engine: DiskEngine, request: int, prompt: list[int], tokens: int = 6, n: int = 1) -> list[int]:
    """Asks, waits, and checks the answer."""
    engine.submit(request, prompt, tokens, n=n)
    engine.settle()
    return checked(engine, request, prompt, tokens)


def checked(engine: DiskEngine, request: int, prompt: list[int], tokens: int) -> list[int]:
    (ended,) = engine.ended[request]
    assert not isinstance(ended, RequestFailed), ended
    output = engine.output.get(sequence_id(request, 0), [])
    assert output == expected(prompt, 7, tokens)
    return output


def prompt_of(kind: int, length: int) -> list[int]:
    return [1 + (kind * 7919 + index * (31 + kind)) % 96 for index in range(length)]


def test_a_next_turn_is_read_from_disk_after_everything_was_killed() -> None:
    engine = engine_of()
    prompt = prompt_of(1, 40)
    prompt += [*answer(engine, 1, prompt), 5, 6, 7]
    engine.restart()
    answer(engine, 2, prompt)
    assert engine.restored == (40 + 6) // 4 * 4 - 4 * ((40 + 6) % 4 == 0)


def test_a_kv_manager_that_was_restarted_learns_again_what_lies_on_disk() -> None:
    engine = engine_of()
    prompt = prompt_of(1, 40)
    prompt += [*answer(engine, 1, prompt), 5, 6, 7]
    engine.lose_kv()
    answer(engine, 2, prompt)
    assert engine.restored > 0
    written = engine.written
    answer(engine, 3, prompt_of(2, 40))
    assert engine.written > written


@pytest.mark.parametrize("mix", MIXES)
def test_every_kind_of_pages_comes_back(mix: str) -> None:
    engine = engine_of(mix)
    prompt = prompt_of(2, 37)
    prompt += answer(engine, 1, prompt)
    # What is not computed of an answer is its last token.
    prompt += [9, 10]
    engine.restart()
    answer(engine, 2, prompt)
    assert engine.restored >= 36


def test_pages_that_have_left_the_pool_are_read_from_disk() -> None:
    engine = engine_of()
    prompts = {kind: prompt_of(kind, 30) for kind in range(6)}  # 24 pages hold two and a half of them
    for turn in range(3):
        for kind, prompt in prompts.items():
            prompt += [*answer(engine, turn * 10 + kind, prompt), kind + 1]
    assert engine.restored > 6 * 30


def test_what_is_on_its_way_to_the_disk_is_found_though_it_has_left_the_pool() -> None:
    engine = engine_of()
    prompt = prompt_of(3, 40)
    prompt += [*answer(engine, 1, prompt), 4]
    held = [*engine.writing] or [*engine.disk.files]
    assert held
    # As if the disk had taken none of it yet.
    engine.writing |= engine.disk.files
    engine.disk.files.clear()
    for request in range(2, 6):
        answer(engine, request, prompt_of(request + 10, 60))
    before = engine.restored
    answer(engine, 6, prompt)
    assert engine.restored > before


def test_what_nobody_came_back_for_is_written_once_and_never_again() -> None:
    engine = engine_of()
    prompt = prompt_of(4, 32)
    answer(engine, 1, prompt)
    pages = (32 + 6 - 1) // 4
    assert engine.written == pages * page_bytes(FULL)
    answer(engine, 2, prompt)
    assert engine.written == pages * page_bytes(FULL)


def test_a_prompt_that_is_cancelled_before_its_answer_begins_is_not_written() -> None:
    engine = engine_of()
    engine.submit(1, prompt_of(5, 60), 6)
    for _ in range(8):
        engine.move()
    assert not engine.output
    engine.cancel(1)
    engine.settle()
    assert engine.written == 0


def test_what_was_used_again_is_written_though_no_turn_has_ended() -> None:
    engine = engine_of()
    shared = prompt_of(6, 40)
    engine.submit(1, [*shared, 1, 2, 3], 1000)
    while not engine.output:
        engine.move()
    engine.submit(2, [*shared, 4, 5, 6], 1000)
    while sequence_id(2, 0) not in engine.output:
        engine.move()
    while not engine.written:
        assert engine.move()
    engine.cancel(1)
    engine.cancel(2)
    engine.settle()


def test_sequences_that_wait_for_the_same_pages_read_them_once() -> None:
    engine = engine_of()
    shared = prompt_of(7, 40)
    answer(engine, 1, shared)
    engine.restart()
    for request in (2, 3, 4):
        engine.submit(request, [*shared, request], 4)
    engine.settle()
    for request in (2, 3, 4):
        checked(engine, request, [*shared, request], 4)
    assert engine.restored == 40


def test_who_has_gone_while_pages_were_read_leaves_nothing_behind() -> None:
    engine = engine_of()
    prompt = prompt_of(8, 40)
    answer(engine, 1, prompt)
    engine.restart()
    engine.submit(2, [*prompt, 1], 4)
    while not engine.work:
        assert engine.move()
    engine.cancel(2)
    engine.settle()
    assert engine.placement is not None
    assert engine.placement.held == 0
    answer(engine, 3, [*prompt, 1])


def test_pages_wait_for_the_disk_only_as_long_as_nobody_needs_them() -> None:
    engine = engine_of()
    # All of the pool is queued for a disk that takes nothing.
    engine.tier.commands = list  # type: ignore[method-assign]
    for request in range(1, 5):
        answer(engine, request, prompt_of(8 + request, 84))


def test_a_sequence_that_fills_the_pool_takes_pages_from_what_is_read_for_another() -> None:
    engine = engine_of()
    prompt = prompt_of(9, 40)
    answer(engine, 1, prompt)
    engine.restart()
    engine.submit(2, prompt_of(10, 40), 50)
    while sequence_id(2, 0) not in engine.output:
        engine.move()
    engine.hangs = True
    engine.submit(3, [*prompt, 1], 4)
    engine.settle()
    checked(engine, 2, prompt_of(10, 40), 50)
    engine.hangs = False
    engine.settle()
    checked(engine, 3, [*prompt, 1], 4)


def test_a_conversation_larger_than_the_quota_is_kept_from_its_beginning() -> None:
    engine = engine_of(disk=Disk(quota=8 * page_bytes(FULL)))
    prompt = prompt_of(12, 60)
    prompt += answer(engine, 1, prompt)
    engine.restart()
    answer(engine, 2, prompt)
    assert engine.restored == 6 * 4


@pytest.mark.parametrize("mix", MIXES)
def test_what_was_used_last_is_read_before_anybody_asks(mix: str) -> None:
    engine = engine_of(mix)
    prompt = prompt_of(1, 36)
    prompt += [*answer(engine, 1, prompt), 5, 6, 7]
    engine.restart()
    engine.settle()
    engine.prefetch()
    engine.settle()
    assert engine.placement is not None
    assert engine.placement.held == 0
    prefixes = engine.placement.prefixes
    assert prefixes.longest(prefixes.chain(TokenIds.of(prompt), ""), len(prompt) - 1) >= 32
    engine.hangs = True
    answer(engine, 2, prompt)
    assert engine.restored == 0
    assert all(isinstance(work, StorePages) for work in engine.work)


def test_whoever_comes_while_pages_are_prefetched_gets_the_disk() -> None:
    engine = engine_of()
    first, second = prompt_of(1, 40), prompt_of(2, 40)
    first += [*answer(engine, 1, first), 5, 6, 7]
    second += [*answer(engine, 2, second), 5, 6, 7]
    engine.restart()
    engine.settle()
    engine.hangs = True
    engine.prefetch()
    engine.submit(3, first, 6)
    for _ in range(50):
        engine.move()
    asked = [work for work in engine.work if isinstance(work, RestorePages)]
    assert len(asked) <= 2 + 8  # two of those that nobody has asked for
    engine.hangs = False
    engine.settle()
    checked(engine, 3, first, 6)
    assert engine.placement is not None
    assert engine.placement.held == 0


def test_what_others_have_deleted_is_not_read_and_is_written_again() -> None:
    engine = engine_of()
    prompt = prompt_of(4, 32)
    answer(engine, 1, prompt)
    written = engine.written
    engine._tell(SegmentsFound(engine.epoch, [], gone=list(engine.disk.files)))
    engine.disk.files.clear()
    engine.settle()
    answer(engine, 2, prompt)
    assert (engine.written, engine.restored) == (2 * written, 0)


def test_what_was_prefetched_is_free_at_once_for_whoever_comes_though_the_disk_hangs() -> None:
    engine = engine_of()
    answer(engine, 1, prompt_of(1, 40))
    engine.restart()
    engine.settle()
    engine.prefetch()
    restored = engine.tier.counters.read_bytes, len(engine.tier._restores._restores[0].held)  # type: ignore[union-attr]
    assert restored == (0, 0)
    while not engine.tier._restores._restores[0].held:  # type: ignore[union-attr]
        assert engine.move()
    engine.hangs = True
    engine.tier.wait(Admit(2, TokenIds.of(prompt_of(2, 8)), 1, reuse=False))
    assert engine.placement is not None
    assert engine.placement.held <= 2 * 2  # the two chunks of two pages that are read at this moment


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("seed", range(12))
def test_no_text_depends_on_the_disk_whatever_happens_to_it(mix: str, seed: int) -> None:
    rng = random.Random(seed)
    disk = Disk(quota=page_bytes(FULL) * rng.choice([1, 5, 40, 1000]), chance=rng.choice([0.0, 0.05, 0.3]))
    engine = engine_of(mix, disk, seed)
    engine.prefetches = rng.choice([0.0, 0.02])
    prompts = [prompt_of(rng.randrange(3), rng.randrange(3, 40)) for _ in range(5)]
    submitted: dict[int, tuple[list[int], int]] = {}
    for request in range(1, 60):
        conversation = rng.randrange(len(prompts))
        prompt = prompts[conversation]
        if len(prompt) > 70:
            prompt = prompts[conversation] = prompt_of(rng.randrange(3), rng.randrange(3, 40))
        tokens = rng.randrange(1, 9)
        engine.submit(request, list(prompt), tokens, n=rng.choice([1, 1, 1, 2]))
        for _ in range(rng.randrange(80)):
            engine.move()
        match rng.randrange(12):
            case 0:
                engine.restart()
            case 1:
                engine.lose_kv()
            case 2:
                engine.cancel(request)
            case 3 if disk.files:
                del disk.files[rng.choice(list(disk.files))]
            case _:
                if rng.random() < 0.7:
                    engine.settle()
                    if request in engine.ended and not isinstance(engine.ended[request][0], RequestFailed):
                        prompts[conversation] = prompt + expected(prompt, 7, tokens) + [rng.randrange(1, 97)]
        submitted[request] = list(prompt), tokens
    engine.settle()
    finished = 0
    for request, (prompt, tokens) in submitted.items():
        for ended in engine.ended.get(request, []):
            if not isinstance(ended, RequestFailed):
                assert engine.output.get(sequence_id(request, 0), []) == expected(prompt, 7, tokens)
                finished += 1
    assert finished > 20
    assert engine.placement is not None
    assert engine.placement.held == 0
