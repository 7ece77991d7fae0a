"""SmolLM2 through HTTP against the bare engine: how much of the engine's speed a client gets."""

from __future__ import annotations

from functools import partial
from typing import Any

from bench.client import Load, Streamed, run
from bench.measure import REPEAT, in_turn, progress
from bench.models import THREADS
from bench.peers.worker import Worker
from bench.report import Figure, Report
from bench.server import Server, serving
from tests.models import model_path
from tests.oracle.fidelity import TEXT

PROMPT_CHARACTERS, PROMPT, TOKENS = 256, 64, 96
"""Each stream's prompt in characters and about so many tokens, and tokens of its answer; the engine runs at the same
depth."""

WANTED = 0.9

ALONE = ["-m", "mlxr", "up", "--set", "speculation.enabled=false"]
"""A server without drafts: texts of the turn before come again, so that streams would be copied and end apart, some
before others begin, and nothing would be known of decoding."""


def benchmark(repeat: int = REPEAT) -> Report:
    report = Report("SmolLM2 through HTTP: ours against its bare engine (theirs)")
    model = model_path("smollm2")
    with (
        serving([*ALONE, "--threads", str(THREADS)], model) as server,
        Worker("bench.peers.ours", str(model), str(THREADS)) as engine,
    ):
        for streams in (1, 16):
            progress(f"{streams} streams")
            found = in_turn(
                {
                    "http": partial(through_http, server, streams),
                    "engine": partial(engine.measure, "decode", streams, PROMPT, TOKENS),
                },
                repeat,
            )
            name = f"{streams} stream{'s' if streams > 1 else ''}"
            report.figures.append(Figure(name, found["http"], "tok/s", WANTED, found["engine"]))
    return report


def through_http(server: Server, streams: int) -> float:
    return decode_rate(run(Load(server.port, bodies(server.model, streams))), TOKENS)


def decode_rate(streamed: list[Streamed], tokens: int) -> float:
    """Tokens a second of all streams together while every one of them decodes. ``tokens``: how many each of them had;
    part of a character makes no event of its own. Raises ``RuntimeError`` where they never do all at once."""
    began = max(stream.events[0] for stream in streamed)
    ended = min(stream.events[-1] for stream in streamed)
    if began >= ended:
        raise RuntimeError("a stream ended before another had begun: there is no rate of all of them")
    each = [sum(began < event <= ended for event in stream.events) / len(stream.events) for stream in streamed]
    return sum(each) * tokens / (ended - began) * 1e9


def bodies(model: str, streams: int) -> list[dict[str, Any]]:
    """Prompts of plain English that differ from the first word on, so that none finds its start in the cache."""
    return [
        {
            "model": model,
            "prompt": f"{number}. {text[:PROMPT_CHARACTERS]}",
            "max_tokens": TOKENS,
            "temperature": 0,
            "ignore_eos": True,
        }
        for number, text in enumerate([TEXT.read_text()] * streams)
    ]
