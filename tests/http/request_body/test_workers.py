"""Work on large requests is done by turns, and keeps nobody waiting for all that another one sent."""

from __future__ import annotations

import asyncio
import threading
import time

import anyio

from mlxr.http.request_body.workers import HUGE, LARGE, BodyWorkers


async def test_a_huge_body_in_work_keeps_no_large_one_waiting() -> None:
    workers, going, go_on = BodyWorkers(), threading.Event(), threading.Event()

    def slow() -> str:
        going.set()
        return "slow" if go_on.wait(5) else "never told"

    task = asyncio.create_task(workers.run(HUGE + 1, "a", slow))
    await anyio.to_thread.run_sync(going.wait)
    assert await workers.run(LARGE + 1, "b", lambda: "quick") == "quick"
    go_on.set()
    assert await task == "slow"


async def test_a_client_with_many_bodies_waits_behind_others_who_have_one() -> None:
    workers = BodyWorkers()
    order: list[str] = []

    def work(client: str) -> None:
        order.append(client)
        time.sleep(0.005)

    await asyncio.gather(*(workers.run(LARGE + 1, client, work, client) for client in "aaaaaab"))
    assert order.index("b") <= 2
