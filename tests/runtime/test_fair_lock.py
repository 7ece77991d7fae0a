from __future__ import annotations

import asyncio

from mlxr.runtime.fair_lock import FairLock


async def test_clients_take_turns_whatever_one_of_them_has_waiting() -> None:
    lock = FairLock()
    order: list[str] = []

    async def work(client: str) -> None:
        async with lock.held_by(client):
            order.append(client)
            await asyncio.sleep(0)

    await asyncio.gather(*(work(client) for client in "aaaaaabbc"))
    assert order == list("aabcabaaa")


async def test_who_gives_up_waiting_is_passed_over() -> None:
    lock = FairLock()
    order: list[str] = []

    async def work(client: str) -> None:
        async with lock.held_by(client):
            order.append(client)
            await asyncio.sleep(0.01)

    first, second, third = (asyncio.create_task(work(client)) for client in "abc")
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(first, second, third, return_exceptions=True)
    assert order == ["a", "c"]
    async with lock.held_by("d"):
        pass


async def test_one_that_gives_up_as_its_turn_comes_passes_it_on() -> None:
    lock = FairLock()
    done: list[str] = []

    async def work(client: str) -> None:
        async with lock.held_by(client):
            done.append(client)

    async with lock.held_by("a"):
        second, third = asyncio.create_task(work("b")), asyncio.create_task(work("c"))
        await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, third, return_exceptions=True)
    assert done == ["c"]


async def test_of_several_places_one_is_left_for_another_client() -> None:
    lock = FairLock(places=3, most=2)
    inside: list[str] = []
    go = asyncio.Event()

    async def work(client: str) -> None:
        async with lock.held_by(client):
            inside.append(client)
            await go.wait()

    tasks = [asyncio.create_task(work(client)) for client in "aaaabbb"]
    await asyncio.sleep(0)
    assert inside == ["a", "a", "b"]
    go.set()
    await asyncio.gather(*tasks)
    assert sorted(inside) == list("aaaabbb")
    async with lock.held_by("a"), lock.held_by("a"), lock.held_by("b"):
        pass
