"""What it takes: a model of TinyLlama's size, the way from start to first token, and the executor's memory."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import anyio

from bench.client import Load, drive, run
from bench.http import bodies
from bench.measure import REPEAT, progress
from bench.models import THREADS
from bench.peers.worker import Worker
from bench.report import Figure, Report
from bench.server import LOG, free_port, resident, serving, started, wait_ready
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.metal.tensors import TensorType
from mlxr.runtime.paths import Home
from tests.models import CACHE, ignore, model_path
from tests.models.files import Sizes, write_model

TINYLLAMA = Sizes(layers=22, width=2048, hidden=5632, heads=32, kv_heads=4, head_dim=64, vocabulary=32_000)
"""TinyLlama-1.1B's, from its published configuration."""

POOL_TOKENS = 4096


def benchmark(repeat: int = REPEAT) -> Report:
    report = Report(f"Size and start, {THREADS} threads")
    report.figures.append(tinyllama(repeat))
    report.figures.append(first_token(model_path("smollm2"), repeat))
    report.figures.append(executor_memory(model_path("smollm2")))
    return report


def tinyllama(repeat: int) -> Figure:
    """Milliseconds a token of one sequence, all matrices Q4_K with random weights."""
    progress("a model of TinyLlama's shape in Q4_K")
    path = CACHE / "bench" / "tinyllama-q4_k.gguf"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_model(path.with_suffix(".partial"), "llama", TensorType.Q4_K, TINYLLAMA).replace(path)
    with Worker("bench.peers.ours", str(path), str(THREADS)) as engine:
        rates = [engine.measure("decode", 1, 64, 32) for _ in range(repeat + 1)][1:]
    return Figure("TinyLlama-1.1B's shape, Q4_K, a token", 1000 / statistics.median(rates), "ms", 45, lower=True)


def first_token(model: Path, repeat: int) -> Figure:
    """Seconds from the start of ``mlxr up NAME`` to the first token at a client that asks as soon as it can."""
    progress("from start to first token")
    with tempfile.TemporaryDirectory(prefix="mlxr-bench-") as folder:
        name = anyio.run(pull_model, Home(Path(folder)), str(model), ignore).name
        times = [time_to_first_token(name, Path(folder)) for _ in range(repeat + 1)][1:]
    return Figure("SmolLM2, from process start to first token", statistics.median(times), "s", 1.5, lower=True)


def time_to_first_token(model: str, home: Path) -> float:
    port = free_port()
    began = time.monotonic_ns()
    process = started(["-m", "mlxr", "up", "--threads", str(THREADS)], model, port, home)
    try:
        wait_ready(process, port, home / LOG)
        # Here rather than in a process of its own, whose start would count.
        [streamed] = drive(Load(port, bodies(model, 1)))
    finally:
        process.terminate()
        process.wait()
    return (streamed.events[0] - began) / 1e9


def executor_memory(model: Path) -> Figure:
    """Megabytes the executor holds once its pool of ``POOL_TOKENS`` has been in use from end to end."""
    progress("memory of the executor")
    command = ["-m", "mlxr", "up", "--threads", str(THREADS), "--set", f"kv.pool_tokens={POOL_TOKENS}"]
    with serving(command, model) as server:
        prompt = [1000 + number % 5000 for number in range(POOL_TOKENS - 64)]
        server.complete(prompt=prompt, max_tokens=32, temperature=0)
        run(Load(server.port, bodies(server.model, 16)))
        megabytes = resident(server.executor()) / 1e6
    return Figure(f"SmolLM2's executor with a pool of {POOL_TOKENS:,} tokens", megabytes, "MB", 350, lower=True)
