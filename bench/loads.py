"""What loads, unloads and pulls do to a stream of another model: its gaps between tokens.

``python -m bench loads``; ``MLXR_LOADS_REPEAT`` (10) is how often each is done, and
``MLXR_LOADS_ONLY`` names words of those that are, with commas. A gap is counted from token to token,
as the kernel saw them arrive at the client's socket, less the stream's usual time for a token.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from bench.client import Load, Streamed
from bench.measure import REPEAT, progress
from bench.random_model import RandomModel, tied_q4_k_m
from bench.report import Figure, Report
from bench.server import ROOT, Server, serving
from bench.stolen import Gap, Stolen
from tests.models import CACHE, model_path

REPEATS = 10
TOKENS = 7000
SETTLED_SECONDS = 3.0
"""A stream runs for so long before anything is done beside it. A virtual machine gives memory that was freed back to
its host two seconds later, and has no CPU meanwhile for tens of milliseconds: that is the unloading before."""
AFTER_SECONDS = 0.2
"""What counts as the action's after it has ended: what it has left to do."""
LATER_SECONDS = 3.5
"""What is looked at for itself after an action: memory that goes back to a host, an engine's work once it rests."""
WANTED_GAP = 20.0
LARGER = RandomModel(
    "llama",
    {
        "block_count": 24,
        "context_length": 8192,
        "embedding_length": 2048,
        "feed_forward_length": 5632,
        "attention.head_count": 32,
        "attention.head_count_kv": 4,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.freq_base": 1e4,
    },
    32_000,
    tied_q4_k_m,
)
"""A model of about TinyLlama's shape, 700 MB."""


@dataclass(slots=True)
class Beside:
    """What an action did to streams: the worst gap of each time in ms, the CPU time that a host took from this machine
    in it, the worst gap afterwards, and how long the action took, beside a stream and alone, in seconds."""

    worst: list[float] = field(default_factory=list)
    stolen: list[float] = field(default_factory=list)
    later: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    usual: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Action:
    """``act`` is what is measured; ``before`` and ``after`` are done without a stream."""

    name: str
    act: Callable[[], None]
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None


def benchmark(repeat: int = REPEAT) -> Report:
    times = int(os.environ.get("MLXR_LOADS_REPEAT", REPEATS if repeat > 2 else 3))
    report = Report(f"The worst gap of a running stream of SmolLM2, {times} times each")
    only = os.environ.get("MLXR_LOADS_ONLY", "").split(",") if os.environ.get("MLXR_LOADS_ONLY") else []
    larger = CACHE / "models" / "larger.gguf"
    if not larger.exists():
        progress("writing a random model")
        LARGER.write(larger)
    command = ["-m", "mlxr", "up", "--set", "models.max_loaded=8", "--set", "models.keep_alive=-1"]
    with serving(command, model_path("smollm2")) as server, tempfile.TemporaryDirectory() as folder:
        for action in actions(server, larger, Path(folder)):
            if only and not any(word in action.name for word in only):
                continue
            progress(action.name)
            report.figures += figures(action.name, measured(server, action, times))
    return report


def actions(server: Server, larger: Path, folder: Path) -> Iterator[Action]:
    yield Action("nothing", lambda: time.sleep(1.0))
    models = {"Gemma 3": model_path("gemma3"), "MiniLM": model_path("minilm"), "700 MB at random": larger}
    for name, path in models.items():
        load, unload = post(server, path, load=True), post(server, path, load=False)
        yield Action(f"loading {name}", load, after=unload)
        yield Action(f"unloading {name}", unload, before=load)
    copy = folder / "copied.gguf"

    def pulled() -> None:
        request(server, "/api/pull", {"model": str(copy), "stream": False})

    def written() -> None:
        copy.write_bytes(model_path("gemma3").read_bytes())

    def deleted() -> None:
        for entry in json.loads(server.get("/api/tags"))["models"]:
            if entry["name"].startswith("copied"):
                request(server, "/api/delete", {"model": entry["name"]}, "DELETE")

    yield Action("pulling Gemma 3 from a file", pulled, before=written, after=deleted)


def post(server: Server, path: Path, load: bool) -> Callable[[], None]:
    """Loads a model, or unloads it."""
    keep = {} if load else {"keep_alive": 0}
    embeds = path.is_dir()
    body = {"model": str(path), "stream": False, **keep} | ({"input": "a"} if embeds and load else {})

    def act() -> None:
        request(server, "/api/embed" if embeds and load else "/api/generate", body)
        while not load and str(path) in running(server):
            time.sleep(0.05)

    return act


def running(server: Server) -> set[str]:
    return {entry["model"] for entry in json.loads(server.get("/api/ps"))["models"]}


def request(server: Server, path: str, body: dict[str, Any], method: str = "POST") -> None:
    url = f"http://127.0.0.1:{server.port}{path}"
    made = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(made, timeout=300) as response:
        answer = response.read()
        if b'"error"' in answer:
            raise RuntimeError(answer.decode())


def measured(server: Server, action: Action, times: int) -> Beside:
    found = Beside()
    for _ in range(times):
        action.before()
        began = time.monotonic()
        action.act()
        found.alone.append(time.monotonic() - began)
        action.after()
        action.before()
        with stream(server) as streamed:
            time.sleep(SETTLED_SECONDS)
            began = time.monotonic_ns()
            with Stolen() as stolen:
                action.act()
                ended = time.monotonic_ns()
                time.sleep(LATER_SECONDS)
        found.seconds.append((ended - began) / 1e9)
        over = ended + int(AFTER_SECONDS * 1e9)
        worst, usual = worst_gap(streamed(), began, over, began)
        later, _ = worst_gap(streamed(), over, over + int((LATER_SECONDS - AFTER_SECONDS) * 1e9), began)
        found.worst.append(worst.milliseconds - usual)
        found.stolen.append(stolen.within(worst))
        found.later.append(later.milliseconds - usual)
        found.usual.append(usual)
        action.after()
    return found


def worst_gap(streamed: Streamed, began: int, ended: int, usual_before: int) -> tuple[Gap, float]:
    """The worst gap within the time given, and the usual milliseconds of a token before ``usual_before``."""
    steps = list(itertools.starmap(Gap, zip(streamed.arrived, streamed.arrived[1:], strict=False)))
    if streamed.arrived[-1] < began:
        raise RuntimeError("the stream ended before the action")
    usual = statistics.median(gap.milliseconds for gap in steps if gap.ended < usual_before)
    return max((g for g in steps if g.ended > began and g.began < ended), key=lambda g: g.milliseconds), usual


@contextmanager
def stream(server: Server) -> Iterator[Callable[[], Streamed]]:
    """A stream of SmolLM2 while the block runs; afterwards, what came."""
    body = {"model": server.model, "prompt": "Once", "max_tokens": TOKENS, "temperature": 0, "ignore_eos": True}
    body["speculative.n_max"] = 0  # drafted tokens come many at once, and between them are steps for as many
    command = [sys.executable, "-m", "bench.client"]
    client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write(msgspec.json.encode(Load(server.port, [body], until_told=True, prompt=True)) + b"\n")
    client.stdin.flush()
    result: list[Streamed] = []
    try:
        client.stdout.readline()
        yield lambda: result[0]
        output, _ = client.communicate(b"stop\n", timeout=60)
        result.append(msgspec.json.decode(output, type=list[Streamed])[0])
    finally:
        client.kill()
        client.wait()


def figures(name: str, found: Beside) -> list[Figure]:
    slower = statistics.median(found.seconds) / statistics.median(found.alone)
    return [
        Figure(f"{name}: worst gap", max(found.worst), "ms", WANTED_GAP, lower=True),
        Figure(f"{name}: median of the worst gaps", statistics.median(found.worst), "ms"),
        Figure(f"{name}: taken by the host in the worst gap", found.stolen[found.worst.index(max(found.worst))], "ms"),
        Figure(f"{name}: worst gap in the {LATER_SECONDS:g} s behind it", max(found.later), "ms"),
        Figure(f"{name}: seconds alone", statistics.median(found.alone), "s"),
        Figure(f"{name}: times as long beside the stream", slower, "x", 2.0, lower=True),
    ]
