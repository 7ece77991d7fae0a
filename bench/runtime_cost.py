"""What the runtime costs: the way of a token, the tokens a second it can pass on, and the memory it takes.

A model that takes no time (``bench.null_executor``) answers every step at once or at a fixed pace, over the real
protocol in a real process; a lean client in another process reads the streams.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.client import Load, Streamed, run
from bench.measure import REPEAT, progress, quantile
from bench.null_executor import RECORD
from bench.report import Figure, Report
from bench.server import Server, serving
from mlxr.cli.telemetry import find_endpoint
from mlxr.runtime.paths import Home
from mlxr.runtime.pubsub import Subscriber
from mlxr.runtime.telemetry import StepRan
from tests.models import model_path

NULL_SERVER = ["-m", "bench.null_server"]
MLXR = ["-m", "mlxr", "up"]
TOKENS = 300
PACE = {1: 0.005, 32: 0.01}
"""Seconds a step takes while latency is measured, by the number of streams."""

SETTLED = 10
"""Steps of a run that don't count: prefill, and streams that come and go."""


def benchmark(repeat: int = REPEAT) -> Report:
    report = Report("What the runtime costs (a model that takes no time)")
    model = model_path("smollm2")
    for streams, p50, p99 in ((1, 0.5, 2.0), (32, 2.0, 5.0)):
        report.figures += latency(model, streams, p50, p99, repeat)
    report.figures += throughput(model, 64, repeat)
    report.figures.append(waiting(model, repeat))
    report.notes.append("a token's way: from StepDone to its bytes at the client's socket, by the kernel's own clock")
    return report


def latency(model: Path, streams: int, p50: float, p99: float, repeat: int) -> list[Figure]:
    """Milliseconds from the end of a step to its tokens' arrival at the client's sockets, and to their being read
    there; medians of the runs' p50 and p99."""
    progress(f"latency with {streams} streams")
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace"
        variables = {"BENCH_STEP_SECONDS": str(PACE[streams]), "BENCH_TRACE": str(trace)}
        with serving(NULL_SERVER, model, variables) as server:
            warm_up(server)
            runs: list[tuple[list[float], list[float]]] = []
            for _ in range(repeat):
                trace.write_bytes(b"")
                streamed = run(Load(server.port, bodies(server, streams), in_turn=True))
                runs.append(ways(trace, streamed))
    name = f"{streams} stream{'s' if streams > 1 else ''}"
    socket, read = zip(*runs, strict=True)
    return [
        _median(f"a token's way to the socket, {name}, p50", socket, 0.5, p50),
        _median(f"a token's way to the socket, {name}, p99", socket, 0.99, p99),
        _median(f"until the client has read it, {name}, p50", read, 0.5),
        _median(f"until the client has read it, {name}, p99", read, 0.99),
    ]


def _median(name: str, runs: Sequence[list[float]], share: float, wanted: float | None = None) -> Figure:
    return Figure(name, statistics.median(quantile(way, share) for way in runs), "ms", wanted, lower=True)


def ways(trace: Path, streamed: list[Streamed]) -> tuple[list[float], list[float]]:
    """Milliseconds each token took to the client's socket, and to the client, while all streams were running."""
    done: dict[int, list[int]] = {}
    for sequence, time in RECORD.iter_unpack(trace.read_bytes()):
        done.setdefault(sequence, []).append(time)
    all_run = max(stream.events[0] for stream in streamed)
    to_socket: list[float] = []
    to_client: list[float] = []
    for (_, times), stream in zip(sorted(done.items()), streamed, strict=True):
        for time, arrived, read in zip(times, stream.arrived, stream.events, strict=True):
            if time > all_run:
                to_socket.append((arrived - time) / 1e6)
                to_client.append((read - time) / 1e6)
    return to_socket, to_client


def throughput(model: Path, streams: int, repeat: int) -> list[Figure]:
    """Tokens a second in total with an executor that answers at once, and what the main process holds after that."""
    progress(f"throughput with {streams} streams")
    with serving(NULL_SERVER, model) as server:
        warm_up(server)
        rates = [rate(run(Load(server.port, bodies(server, streams)))) for _ in range(repeat)]
        memory = server.resident() / 1e6
    return [
        Figure(f"tokens a second over {streams} streams", statistics.median(rates), "tok/s", 5000),
        Figure(f"main process after {repeat} x {streams} streams", memory, "MB", 150, lower=True),
    ]


def rate(streamed: list[Streamed]) -> float:
    """Tokens a second of all streams together, from the first request to the last token."""
    tokens = sum(len(stream.events) for stream in streamed)
    began, ended = min(stream.sent for stream in streamed), max(stream.events[-1] for stream in streamed)
    return tokens / (ended - began) * 1e9


def waiting(model: Path, repeat: int) -> Figure:
    """The share of the executor's time in which it waits for a message while SmolLM2 decodes one stream, in percent."""
    progress("waiting of the executor with SmolLM2")
    with serving(MLXR, model) as server:
        warm_up(server)
        subscriber = Subscriber(find_endpoint(Home(server.home)), ["steps"])
        try:
            shares = [share_waited(server, subscriber) for _ in range(repeat)]
        finally:
            subscriber.close()
    return Figure("executor waiting, SmolLM2, 1 stream", 100 * statistics.median(shares), "%", 5, lower=True)


def share_waited(server: Server, subscriber: Subscriber) -> float:
    run(Load(server.port, bodies(server, 1)))
    steps: list[StepRan] = []
    while received := subscriber.receive(timeout=0.5):
        steps.append(msgspec.json.decode(received[1], type=StepRan))
    settled = steps[SETTLED:]
    waited, ran = sum(step.wait_ms for step in settled), sum(step.device_ms for step in settled)
    return waited / (waited + ran)


def warm_up(server: Server) -> None:
    run(Load(server.port, bodies(server, 2)))


def bodies(server: Server, streams: int) -> list[dict[str, Any]]:
    """Requests for ``TOKENS`` tokens of plain text, one event each."""
    return [
        {
            "model": server.model,
            "prompt": f"The quick brown fox number {number} jumps over the lazy dog",
            "max_tokens": TOKENS,
            "temperature": 0,
            "ignore_eos": True,
        }
        for number in range(streams)
    ]
