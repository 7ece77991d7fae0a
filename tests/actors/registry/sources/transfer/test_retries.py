from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from mlxr.actors.registry.sources.transfer.http_client import retry_after
from mlxr.actors.registry.sources.transfer.limits import TransferLimits
from mlxr.actors.registry.sources.transfer.retries import Interrupted, Retries, wait_before
from mlxr.runtime.errors import PullError

LIMITS = TransferLimits(attempts=3, first_wait=0.001, longest_wait=0.002, progress_bytes=10)


def test_waits_double_up_to_the_longest() -> None:
    limits = TransferLimits(first_wait=1.0, longest_wait=4.0)
    waits = [wait_before(attempt, None, limits) for attempt in (1, 2, 3, 9)]
    for wait, expected in zip(waits, (1.0, 2.0, 4.0, 4.0), strict=True):
        assert wait is not None
        assert 0.75 * expected <= wait <= 1.25 * expected


def test_a_server_is_waited_for_as_long_as_it_asks() -> None:
    assert wait_before(1, 17.0, TransferLimits()) == 17.0
    assert wait_before(1, 5000.0, TransferLimits()) is None


async def test_tries_that_get_nowhere_end() -> None:
    retries = Retries(LIMITS, "x.gguf")
    for _ in range(2):
        await retries.again(Interrupted("it broke"))
    with pytest.raises(PullError, match=r"can't fetch x\.gguf: it broke; pull again, which goes on"):
        await retries.again(Interrupted("it broke"))


async def test_tries_that_bring_something_go_on() -> None:
    retries = Retries(LIMITS, "x.gguf")
    for _ in range(20):
        retries.progressed(10)
        await retries.again(Interrupted("it broke"))


async def test_tries_that_bring_next_to_nothing_end() -> None:
    retries = Retries(LIMITS, "x.gguf")
    for _ in range(2):
        retries.progressed(1)
        await retries.again(Interrupted("it broke"))
    retries.progressed(1)
    with pytest.raises(PullError):
        await retries.again(Interrupted("it broke"))


async def test_a_server_that_asks_for_too_long_a_wait_is_named_with_the_time() -> None:
    with pytest.raises(PullError, match=r"429; pull again in 5000 s"):
        await Retries(LIMITS, "x.gguf").again(Interrupted("it answers 429", 5000.0))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "9" * 400}, None),
        ({"RateLimit": '"resolvers";r=0;t=85'}, 85.0),
        ({}, None),
    ],
)
def test_what_a_server_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_a_date_to_come_back_at() -> None:
    after = retry_after({"Retry-After": formatdate(time.time() + 60, usegmt=True)})
    assert after is not None
    assert 50 < after <= 61
    assert retry_after({"Retry-After": formatdate(0, usegmt=True)}) == 0.0
