from __future__ import annotations

import asyncio

from mlxr.http.request_body.fair_queue import Turns


async def test_clients_take_turns_whatever_one_of_them_has_waiting() -> None:
    turns = Turns()
    order: list[str] = []

    async def work(client: str) -> None:
        async with turns.turn(client):
            order.append(client)
            await asyncio.sleep(0)

    await asyncio.gather(*(work(client) for client in "aaaaaabbc"))
    assert order == list("aabcabaaa")


async def test_who_gives_up_waiting_is_passed_over() -> None:
    turns = Turns()
    order: list[str] = []

    async def work(client: str) -> None:
        async with turns.turn(client):
            order.append(client)
            await asyncio.sleep(0.01)

    first, second, third = (asyncio.create_task(work(client)) for client in "abc")
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(first, second, third, return_exceptions=True)
    assert order == ["a", "c"]
    async with turns.turn("d"):
        pass


async def test_one_that_gives_up_as_its_turn_comes_passes_it_on() -> None:
    turns = Turns()
    done: list[str] = []

    async def work(client: str) -> None:
        async with turns.turn(client):
            done.append(client)

    async with turns.turn("a"):
        second, third = asyncio.create_task(work("b")), asyncio.create_task(work("c"))
        await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, third, return_exceptions=True)
    assert done == ["c"]
