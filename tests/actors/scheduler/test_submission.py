"""What may come into the queue."""

from __future__ import annotations

from mlxr.actors.scheduler.core import Scheduler
from mlxr.actors.scheduler.settings import Limits
from mlxr.runtime.messages.common import ErrorCode
from mlxr.runtime.messages.scheduler import Submit
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import RequestFailed
from tests.actors.scheduler.rig import SMALL, prompt_of
from tests.actors.simulation import Engine


def test_a_full_queue_refuses_with_a_time_to_come_back() -> None:
    engine = Engine(Limits(max_sequences=1, max_waiting=2), pages=40, page_size=4)
    for request in range(1, 6):
        engine.submit(request, prompt_of(4, request), 4)
    refused = [e for events in engine.ended.values() for e in events if isinstance(e, RequestFailed)]
    assert refused
    assert all(e.error.code is ErrorCode.QUEUE_FULL and e.error.retry_after for e in refused)
    engine.settle()
    assert sorted(engine.ended) == [1, 2, 3, 4, 5]


def test_a_full_queue_keeps_nobody_out_but_who_filled_it() -> None:
    scheduler = Scheduler(Limits(max_waiting=16))

    def refused(request: int, client: str) -> bool:
        failed = scheduler.submit(Submit(request, TokenIds.of(prompt_of(2)), max_tokens=5, client=client))
        assert failed is None or failed.error.code is ErrorCode.QUEUE_FULL
        return failed is not None

    assert [refused(n, "a") for n in range(18)] == [False] * 16 + [True] * 2
    assert [refused(100 + n, "b") for n in range(4)] == [False, False, True, True]
    others = [refused(200 + n, str(n)) for n in range(40)]
    assert not others[0]
    assert others[-1]
    assert scheduler.waiting <= 32


def test_a_prompt_larger_than_the_pool_is_refused_naming_both_lengths() -> None:
    engine = Engine(SMALL, pages=4, page_size=4)
    engine.submit(1, prompt_of(40), 4)
    failed = engine.ended[1][0]
    assert isinstance(failed, RequestFailed)
    assert "40" in failed.error.message
    assert "16" in failed.error.message
