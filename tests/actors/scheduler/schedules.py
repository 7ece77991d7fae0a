"""Random schedules of what may happen to a simulated engine, and what must hold after any of them."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from mlxr.actors.scheduler.submission import choice_sampling
from mlxr.runtime.messages.common import Adapter, FinishReason, Sampling, sequence_id
from mlxr.runtime.messages.kv import CacheKind, GroupPages
from mlxr.runtime.messages.scheduler import StopSequence
from mlxr.runtime.messages.tokenizer import RequestFailed
from tests.actors.scheduler.rig import ADAPTERS, SMALL, prompt_of
from tests.actors.simulated_device import Device, LateDevice, Make, Memory, Runs, beginning, expected, no_drafts
from tests.actors.simulation import Engine

MIXES = [
    "full",
    "full+window",
    "full+state",
    "window",
    "window+state",
    "state",
    "coarse+window+latent",
    "window+full+state",
]
"""Cache groups of models."""

events = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), st.integers(1, 30), st.integers(1, 12), st.integers(1, 3)),
        st.tuples(st.just("cancel"), st.integers(1, 20), st.just(0), st.just(0)),
        st.tuples(st.just("stop"), st.integers(1, 20), st.just(0), st.just(0)),
        st.tuples(st.just("move"), st.integers(1, 25), st.just(0), st.just(0)),
        st.tuples(st.just("crash"), st.just(0), st.just(0), st.just(0)),
        st.tuples(st.just("lose_kv"), st.just(0), st.just(0), st.just(0)),
        st.tuples(st.just("limit"), st.integers(0, 100), st.just(0), st.just(0)),
    ),
    max_size=40,
)


def mixed(mix: str, pages: int, page_size: int) -> list[GroupPages]:
    """A pool for a model of such groups, each with hardly more pages than a sequence needs."""
    window = GroupPages(CacheKind.WINDOW, 0, page_size, window=6)
    least = window.most_kept + -(-SMALL.token_budget // page_size) + 1
    parts = {
        "full": GroupPages(CacheKind.FULL, pages, page_size),
        "latent": GroupPages(CacheKind.LATENT, pages, page_size),
        "coarse": GroupPages(CacheKind.FULL, pages, 2 * page_size),
        "window": msgspec.structs.replace(
            window, pages=min(pages, least) if {"full", "coarse"} & {*mix.split("+")} else least
        ),
        "state": GroupPages(CacheKind.STATE, 4, 2 * page_size),
    }
    return [parts[part] for part in mix.split("+")]


def device_of(groups: list[GroupPages], *, late: bool, make: Make = no_drafts) -> Runs:
    device = Device([Memory(group) for group in groups], make)
    return LateDevice(device) if late else device


def adapters_of(request: int) -> list[Adapter]:
    return ADAPTERS[request % len(ADAPTERS)]


def run_schedule(engine: Engine, schedule: list[tuple[str, int, int, int]]) -> None:
    """Lets the events of ``schedule`` happen; all that is left then comes to its end, every page is free, and every
    request has ended once, with the tokens that the model gives."""
    submitted: dict[int, tuple[list[int], int, int]] = {}
    quiet: set[int] = set()
    for kind, a, b, c in schedule:
        match kind:
            case "submit":
                request = len(submitted) + 1
                # Prompts repeat, so that pages are shared, forked and copied.
                submitted[request] = (prompt_of(a, a % 3), b, c)
                engine.submit(request, *submitted[request], adapters=adapters_of(request))
            case "cancel" if a in submitted and a not in engine.ended:
                engine.cancel(a)
                quiet.add(a)
            case "stop" if a in submitted and a not in engine.ended and engine.output.get(sequence_id(a, 0)):
                done = engine.scheduler.stop(
                    StopSequence(sequence_id(a, 0), len(engine.output[sequence_id(a, 0)])), 0.0
                )
                if done is not None:
                    engine.ended.setdefault(a, []).append(done)
                quiet.add(sequence_id(a, 0) << 20)
                engine.pump()
            case "move":
                for _ in range(a):
                    engine.move()
            case "crash":
                engine.crash()
            case "lose_kv":
                engine.lose_kv()
            case "limit":
                engine.limit(a * sum(group.pages * group.page_bytes for group in engine.groups) // 100)
    engine.settle()
    assert engine.placement is not None
    assert engine.placement.held == 0
    assert engine.scheduler.running == engine.scheduler.waiting == engine.scheduler.in_flight == 0
    for request, (prompt, max_tokens, n) in submitted.items():
        outcomes = engine.ended.get(request, [])
        assert len(outcomes) == (0 if request in quiet and not outcomes else 1)
        if not outcomes or isinstance(outcomes[0], RequestFailed) or request in quiet:
            continue
        for index in range(n):
            id = sequence_id(request, index)

            own = choice_sampling(Sampling(seed=7), index).seed
            wanted = expected(prompt, own, max_tokens, beginning(adapters_of(request)))
            got = engine.output.get(id, [])
            if engine.finish.get(id) is FinishReason.LENGTH and len(got) < len(wanted):
                assert got == wanted[: len(got)]  # It was alone and outgrew the pool.
            elif id << 20 in quiet:
                assert got == wanted[: len(got)]
            else:
                assert got == wanted
