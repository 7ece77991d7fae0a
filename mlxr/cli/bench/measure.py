"""Runs prompts through a server, as clients do, and takes medians."""

from __future__ import annotations

import platform
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlxr.cli import interruptible
from mlxr.cli.bench.bound import memory_bound
from mlxr.cli.bench.result import Bound, Point, Result
from mlxr.cli.client.client import Client, choose, connected
from mlxr.cli.machine import cores
from mlxr.cli.printing import make_console, progress_is_shown
from mlxr.runtime.errors import ModelNotFound

FIRST_CONTEXT = 512
BATCHES = (1, 2, 4, 8, 16)
TOKENS, QUICK_TOKENS = 64, 24
"""Of each answer."""

LONGEST_SECONDS = 60.0
"""A prompt that takes longer ends the series, unless a longest context was asked for."""

TOKEN_IDS = (200, 2000)
"""Every vocabulary has these, and none of them is a control token: prompts are drawn from them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``context``: the longest prompt, 0 for the model's; ``repeat``: runs of which a median is taken;
    ``batches``: answers at once."""

    context: int
    repeat: int
    quick: bool
    batches: tuple[int, ...] = BATCHES


@dataclass(frozen=True, slots=True)
class Run:
    """Seconds to the first token, and from there to the last; tokens of all answers behind the first."""

    first: float
    rest: float
    tokens: int


def measured(model: str | None, limits: Limits, endpoint: str | None) -> Result:
    """Returns what was measured. Raises ``ModelNotFound``, and what goes wrong with the server."""

    async def work() -> Result:
        server = await choose(endpoint)
        async with connected(server) as client:
            return await _measured(client, model, limits, bool(server.process))

    return interruptible.run(work)


async def _measured(client: Client, wanted: str | None, limits: Limits, here: bool) -> Result:
    name = wanted or await _default(client)
    with _told() as tell:
        tell(f"loading {name}")
        await client.post("/api/generate", {"model": name, "stream": False})
        return await _of_loaded(client, name, limits, here, tell)


async def _of_loaded(client: Client, name: str, limits: Limits, here: bool, tell: Callable[[str], None]) -> Result:
    loaded = await client.get("/api/ps")
    found = next((m for m in loaded["models"] if _same(m["name"], name)), None)
    if found is None:
        raise ModelNotFound(f"{name} is not loaded by what it was just loaded as; `mlxr ps` shows what is")
    details: dict[str, Any] = found.get("details", {})
    bound = await memory_bound(name) if here else None
    tokens = QUICK_TOKENS if limits.quick else TOKENS
    most = min(limits.context or found["context_length"], found["context_length"] - tokens - 1)
    if most < 1:
        raise ModelNotFound(f"{name} has a context of {found['context_length']} tokens, too short to measure")
    bench = _Bench(client, name, tokens, limits.repeat, bound)
    # What is made at the first request does not count.
    await bench.run(min(FIRST_CONTEXT, most), 1)
    contexts, stopped = await bench.contexts(_series(most), bool(limits.context), tell)
    batches = await bench.batches(min(FIRST_CONTEXT, most), limits.batches, tell)
    return Result(
        name.removesuffix(":latest"),
        str(details.get("quantization_level", "")),
        str(details.get("parameter_size", "")),
        f"{platform.machine()}, {len(cores())} cores" if here else client.endpoint.shown,
        limits.repeat,
        tuple(contexts),
        tuple(batches),
        bound,
        stopped,
    )


class _Bench:
    def __init__(self, client: Client, model: str, tokens: int, repeat: int, bound: Bound | None) -> None:
        self._client = client
        self._model = model
        self._tokens = tokens
        self._repeat = repeat
        self._bound = bound
        self._random = random.Random(time.time_ns())

    async def contexts(
        self, series: list[int], all_of_them: bool, tell: Callable[[str], None]
    ) -> tuple[list[Point], str]:
        points: list[Point] = []
        for context in series:
            tell(f"measuring: context {context:,}")
            runs = [await self.run(context, 1)]
            too_long = runs[0].first > LONGEST_SECONDS and not all_of_them
            if not too_long:
                runs += [await self.run(context, 1) for _ in range(self._repeat - 1)]
            points.append(self._point(context, 1, runs, prefill=True))
            if too_long and context != series[-1]:
                return points, f"a prompt of {context:,} takes {runs[0].first:.0f} s; --max-context goes on"
        return points, ""

    async def batches(self, context: int, series: tuple[int, ...], tell: Callable[[str], None]) -> list[Point]:
        points: list[Point] = []
        prompt = self._prompt(context)
        for batch in series:
            tell(f"measuring: {batch} answers at once")
            runs = [await self.run(context, batch, prompt) for _ in range(self._repeat)]
            points.append(self._point(context, batch, runs, prefill=False))
        return points

    def _point(self, context: int, batch: int, runs: list[Run], prefill: bool) -> Point:
        return Point(
            context,
            batch,
            statistics.median(context / run.first for run in runs) if prefill else None,
            statistics.median(run.tokens / run.rest for run in runs),
            # Half of an answer is there, on average.
            self._bound.tokens_per_second(context + self._tokens // 2, batch) if self._bound else None,
        )

    async def run(self, context: int, batch: int, prompt: list[int] | None = None) -> Run:
        """One request: a prompt that the server has not seen, unless one is given, and ``batch`` answers to it."""
        body = {
            "model": self._model,
            "prompt": prompt or self._prompt(context),
            "n": batch,
            "max_tokens": self._tokens,
            "ignore_eos": True,
            "temperature": 0,
            # Answers to random tokens repeat themselves, so that all drafts would be right.
            "speculative.n_max": 0,
            "stream": True,
        }
        began, first, last = time.perf_counter(), 0.0, 0.0
        async for event in self._client.events("/v1/completions", body):
            if event.get("choices"):
                last = time.perf_counter()
                first = first or last
        return Run(first - began, max(last - first, 1e-9), batch * (self._tokens - 1))

    def _prompt(self, context: int) -> list[int]:
        return [self._random.randrange(*TOKEN_IDS) for _ in range(context)]


def _series(most: int) -> list[int]:
    """Returns 512 and its doubles up to ``most``, which is the last."""
    series = [FIRST_CONTEXT << step for step in range(32) if FIRST_CONTEXT << step < most]
    return [*series, most]


async def _default(client: Client) -> str:
    here = (await client.get("/api/tags"))["models"]
    writing = {model["name"] for model in here if "completion" in model.get("capabilities", ["completion"])}
    for model in [*(await client.get("/api/ps"))["models"], *here]:
        if model["name"] in writing:
            return str(model["name"])
    raise ModelNotFound("no model that writes text is here; `mlxr pull smollm2` fetches a small one")


def _same(one: str, other: str) -> bool:
    return one.removesuffix(":latest") == other.removesuffix(":latest")


class _told:  # noqa: N801  (used as a function)
    """What is being done, on a terminal that shows progress."""

    def __enter__(self) -> Callable[[str], None]:
        self._status = make_console(stderr=True).status("") if progress_is_shown() else None
        if self._status is not None:
            self._status.start()
        return self._tell

    def _tell(self, text: str) -> None:
        if self._status is not None:
            self._status.update(text)

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()
