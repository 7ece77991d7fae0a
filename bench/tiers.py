"""What pages on disk are worth: the next turn of a long conversation after every process was killed, beside one whose
pages are in memory.

``python -m bench tiers``. The conversation has 16,000 tokens in a model of Qwen3-0.6B's shape with random weights,
which keeps 1.8 GB of them; with ``--quick`` the model has 8 of its 28 layers.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.measure import REPEAT, progress
from bench.models import THREADS
from bench.random_model import RandomModel
from bench.report import Figure, Report
from bench.server import LOG, Server, free_port, started, wait_ready
from bench.shapes import SHAPES
from bench.tier_reading import reading
from mlxr.actors.executor.pool_files.left import delete_left
from tests.models import CACHE
from tests.server.processes import children_of

CONVERSATION, SAID, ANSWERED = 16_000, 24, 6
"""Tokens of the conversation, of what is said next, and of an answer: so few that they fill no page."""

QUICK_LAYERS = 8

ALTERNATING, LENGTH, TURNS = 8, 8_000, 3
"""Conversations that alternate, their tokens, and how many next turns each has."""

FROM_DISK = "kv.shared_memory=false"

SETTLED_SECONDS, PREFETCHED_SECONDS = 2.5, 60.0
PAGE = 32
WRITTEN, READ = "mlxr_disk_written_bytes_total", "mlxr_disk_read_bytes_total"

SMALL = RandomModel(
    "llama",
    {
        "block_count": 2,
        "context_length": 16_384,
        "embedding_length": 256,
        "feed_forward_length": 512,
        "attention.head_count": 4,
        "attention.head_count_kv": 2,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.freq_base": 1e4,
    },
    4096,
    SHAPES[0].model.types,
)


@dataclass(frozen=True, slots=True)
class Turn:
    """``first``: milliseconds to the first token. ``cached``: tokens of the prompt that were not computed."""

    first: float
    text: str
    cached: int


def benchmark(repeat: int = REPEAT) -> Report:
    report = Report(f"A next turn behind {CONVERSATION:,} tokens, {THREADS} threads; theirs: pages in memory")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        shape = SHAPES[0].model
        if repeat < REPEAT:
            shape = RandomModel(
                shape.architecture, {**shape.settings, "block_count": QUICK_LAYERS}, shape.vocabulary, shape.types
            )
            report.notes.append(f"{QUICK_LAYERS} layers")
        progress("writing a model")
        model = shape.write(Path(folder) / "model.gguf")
        home = Path(folder) / "home"
        home.mkdir()
        report.figures += restarts(model, home, repeat, report.notes)
        report.figures += reading(home / "kv", repeat)
        progress(f"{ALTERNATING} conversations alternate")
        small = SMALL.write(Path(folder) / "small.gguf")
        report.figures.append(alternating(small, Path(folder) / "other"))
    return report


def restarts(model: Path, home: Path, repeat: int, notes: list[str]) -> Iterator[Figure]:
    """Next turns of a server that was never stopped, then the same ones each after ``kill -9`` of everything; behind
    each of these one more, whose pages are in memory then."""
    conversation = tokens(CONVERSATION, 0)
    turns = [conversation + tokens(SAID, number + 1) for number in range(repeat + 1)]
    with serving(model, home, FROM_DISK) as server:
        progress(f"computing {CONVERSATION:,} tokens")
        computed = ask(server, conversation)
        written = settled(server, WRITTEN)
        progress("next turns in memory")
        undisturbed = [ask(server, turn) for turn in turns]
        more = settled(server, WRITTEN) - written
    progress("next turns after kill -9 of everything")
    at_once, later, in_memory, read = list[Turn](), list[Turn](), list[Turn](), 0.0
    for number, turn in enumerate(turns):
        with serving(model, home, FROM_DISK) as server:
            at_once.append(ask(server, turn))
            in_memory.append(ask(server, conversation + tokens(SAID, 100 + number)))
        with serving(model, home, FROM_DISK) as server:
            read += prefetched(server)
            later.append(ask(server, turn))
    outlived = [in_shared_memory(model, home, conversation, turn) for turn in turns]
    same = sum(
        (before.text, before.cached) == (after.text, after.cached)
        for side in (at_once, later, outlived)
        for before, after in zip(undisturbed, side, strict=True)
    )
    sides = (at_once, later, outlived, in_memory)
    first, there, shared, here = (statistics.median(turn.first for turn in side[1:]) for side in sides)
    notes.append(
        f"computed anew: {computed.first / 1000:.1f} s; medians of {repeat} rounds behind one that does not count"
    )
    notes.append(f"cached tokens: {in_memory[-1].cached:,} in memory, {at_once[-1].cached:,} from disk")
    # At least half as quick as in memory.
    yield Figure("first token after kill -9 and a restart, at once", shared, "ms", 0.5, here, lower=True)
    yield Figure("without kv.shared_memory, from the disk", first, "ms", 0.5, here, lower=True)
    yield Figure("the same, when nobody had asked for some seconds", there, "ms", 0.5, here, lower=True)
    yield Figure("answers that are the same, and as much found", same, f"of {3 * len(turns)}", 3 * len(turns))
    yield Figure("written of the conversation", written / 1e6, "MB")
    yield Figure("written of a next turn that fills no page", more / len(turns) / 1e6, "MB", lower=True)
    yield Figure("written over read", (written + more) / read, "times", lower=True)


def in_shared_memory(model: Path, home: Path, conversation: list[int], turn: list[int]) -> Turn:
    """A next turn of a server that was killed with the conversation in memory, which outlives it."""
    with serving(model, home) as server:
        ask(server, conversation)
    try:
        with serving(model, home) as server:
            return ask(server, turn)
    finally:
        delete_left(home / "kv")


def alternating(model: Path, home: Path) -> Figure:
    """Conversations that take turns, in the pool as it is by default."""
    home.mkdir()
    found = 0
    with serving(model, home, "kv.disk=false") as server:
        grown = [tokens(LENGTH, 100 + number) for number in range(ALTERNATING)]
        for turn in range(TURNS + 1):
            for number, conversation in enumerate(grown):
                cached = ask(server, conversation).cached
                found += turn > 0 and cached >= (len(conversation) - SAID - 1) // PAGE * PAGE - PAGE
                grown[number] = conversation + tokens(SAID, 1000 * turn + number)
    name = f"{ALTERNATING} conversations of {LENGTH:,} tokens alternate: found"
    return Figure(name, found, f"of {ALTERNATING * TURNS}", ALTERNATING * TURNS)


# Servers and what they are asked.


@contextmanager
def serving(model: Path, home: Path, *settings: str) -> Iterator[Server]:
    """A server that is killed with all of its processes at the end."""
    port = free_port()
    set_up = [part for setting in settings for part in ("--set", setting)]
    process = started(["-m", "mlxr", "up", "--threads", str(THREADS), *set_up], str(model), port, home)
    try:
        wait_ready(process, port, home / LOG)
        yield Server(process, port, str(model), home)
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    for pid in [process.pid, *children_of(process.pid)]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def ask(server: Server, prompt: list[int]) -> Turn:
    """One greedy completion, streamed."""
    fields: dict[str, Any] = {"max_tokens": ANSWERED, "temperature": 0, "ignore_eos": True}
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    body = json.dumps({"model": server.model, "prompt": prompt, **fields, **streamed}).encode()
    url, headers = f"http://127.0.0.1:{server.port}/v1/completions", {"Content-Type": "application/json"}
    text, first, cached = "", 0.0, 0
    began = time.perf_counter()
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=1800) as response:
        for line in response:
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[6:])
            if event["choices"]:
                first = first or 1e3 * (time.perf_counter() - began)
                text += event["choices"][0]["text"]
            if usage := event.get("usage"):
                cached = usage["prompt_tokens_details"]["cached_tokens"]
    return Turn(first, text, cached)


def prefetched(server: Server) -> float:
    """Bytes that a server has read before anybody asked, once it tells of them."""
    deadline = time.monotonic() + PREFETCHED_SECONDS
    while not (read := server.metric(READ)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return read


def settled(server: Server, metric: str) -> float:
    """A counter, once it has stopped: a server tells of what its engines count about once a second."""
    before = -1.0
    while (now := server.metric(metric)) != before:
        before = now
        time.sleep(SETTLED_SECONDS)
    return now


def tokens(count: int, seed: int) -> list[int]:
    """Tokens that no other seed has."""
    return [3 + (seed * 7919 + index * (31 + seed) + index * index) % 4000 for index in range(count)]
