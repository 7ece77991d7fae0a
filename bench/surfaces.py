"""What the HTTP surfaces cost: how long they hold the event loop, what reading answers takes of a token's time, what
constrained output takes of decoding, and embeddings."""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
from functools import partial
from typing import Any

from bench.client import Load, run
from bench.http import ALONE, decode_rate
from bench.measure import REPEAT, in_turn, progress
from bench.models import THREADS
from bench.peers.worker import Worker, importable, median_microseconds
from bench.report import Figure, Report
from bench.runtime_cost import MLXR, NULL_SERVER
from bench.server import Server, serving
from mlxr.models.chat import ChatTemplate, choose_parser
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, Tool
from tests.models import model_path
from tests.models.chat.conversations import DATA

STREAMS, PACE = 32, 0.01
"""Streams that run while the loop is watched, and seconds a step of theirs takes."""

MEGABYTE = 1 << 20
SENTENCE = "hello world this is some text "
LAG = "mlxr_event_loop_lag_seconds_bucket"
ANSWER_TOKENS = 96
SAMPLES = 256
SAMPLE = " ".join(["word"] * 61)
"""64 tokens with its number and BERT's markers."""


def listed(**items: Any) -> dict[str, Any]:
    """The schema of a list that is long enough for any answer that is measured."""
    return {
        "type": "object",
        "properties": {"all": {"type": "array", "items": items, "minItems": 200}},
        "required": ["all"],
        "additionalProperties": False,
    }


FIELDS: dict[str, dict[str, Any]] = {
    "name": {"type": "string"},
    "age": {"type": "integer"},
    "email": {"type": "string"},
    "role": {"enum": ["admin", "user", "guest"]},
    "active": {"type": "boolean"},
}
SCHEMAS = {
    "records": listed(type="object", properties=FIELDS, required=list(FIELDS), additionalProperties=False),
    "strings of at most 12 characters": listed(type="string", maxLength=12),
}
"""What most people ask for, and what costs most: the tokens that fit a string's rest are looked up at every step."""


def benchmark(repeat: int = REPEAT) -> Report:
    report = Report("What the surfaces cost")
    report.figures += loop(repeat)
    report.figures += constrained(repeat)
    report.figures.append(reading())
    report.figures += embeddings(report, repeat)
    report.notes.append("the loop's lag is the bucket's upper bound, and holds what other processes take of the cores")
    return report


def loop(repeat: int) -> list[Figure]:
    """How late the loop is while streams run and large bodies come in."""
    figures: list[Figure] = []
    with serving(NULL_SERVER, model_path("smollm2"), {"BENCH_STEP_SECONDS": str(PACE)}) as server:
        run(Load(server.port, plain(server, 2)))
        for name, megabytes, content in (
            ("no large body", 0, None),
            ("a message of 1 MB", 1, one_message),
            ("2,000 messages of 2 MB", 2, many_messages),
            ("a message of 8 MB", 8, one_message),
            ("2,000 messages of 8 MB", 8, many_messages),
        ):
            progress(f"loop, {name}")
            body = content(server.model, megabytes * MEGABYTE) if content else None
            found = statistics.median(lag(server, body) for _ in range(repeat))
            figures.append(Figure(f"loop's lag, {STREAMS} streams, {name}", found, "ms", 10, lower=True))
    return figures


def lag(server: Server, body: dict[str, Any] | None) -> float:
    """The most that the loop is late, in milliseconds, with one such request among the streams. It is looked at some
    hundred times: too few for a quantile."""
    streams = threading.Thread(target=run, args=[Load(server.port, plain(server, STREAMS))])
    streams.start()
    time.sleep(1.0)
    before = buckets(server)
    if body is not None:
        post(server, "/v1/chat/completions", body)
    time.sleep(0.5)
    after = buckets(server)
    streams.join()
    counts = {bound: after[bound] - before[bound] for bound in after}
    return 1e3 * min(bound for bound, count in counts.items() if count == max(counts.values()))


def buckets(server: Server) -> dict[float, float]:
    """Counts at or below each bound."""
    lines = [line for line in server.get("/metrics").splitlines() if line.startswith(LAG)]
    return {float(line.split('le="')[1].split('"')[0]): float(line.rsplit(" ", 1)[1]) for line in lines}


def reading() -> Figure:
    """Template, parser and tool-call detection, as a share of a token's time with 32 sequences, the
    most that the bare engine is measured with."""
    progress("reading answers")
    source = (DATA / "qwen3.jinja").read_text()
    template, tool = ChatTemplate(source), Tool("f", "does", b'{"type": "object"}')
    prompt = ChatPrompt([ChatMessage("user", SENTENCE)], [tool])
    words = [
        "<think>",
        *["word "] * 40,
        "</think>",
        "\n\n",
        *["text "] * 40,
        *['<tool_call>{"name":', '"f",', '"arguments":'],
    ]

    def answer() -> None:
        parser = choose_parser(source, [tool])
        for word in words:
            parser.push(word)
        parser.finish()

    each = median_microseconds(partial(template.render, prompt)) / ANSWER_TOKENS + median_microseconds(answer) / len(
        words
    )
    with Worker("bench.peers.ours", str(model_path("smollm2")), str(THREADS)) as engine:
        rate = engine.measure("decode", STREAMS, 64, ANSWER_TOKENS)
    return Figure(
        f"templates and parsing, of a token's time at {STREAMS} sequences", each * rate / 1e4, "%", 3, lower=True
    )


def constrained(repeat: int) -> list[Figure]:
    """Decoding held to schemas against free decoding, both through HTTP."""
    figures: list[Figure] = []
    with serving([*ALONE, "--threads", str(THREADS)], model_path("smollm2")) as server:
        for streams in (1, 8):
            for kind, schema in SCHEMAS.items():
                progress(f"constrained to {kind}, {streams} streams")
                sides = {
                    name: partial(rate, server, streams, more)
                    for name, more in (("free", {}), ("held", {"guided_json": schema}))
                }
                found = in_turn(sides, repeat)
                name = f"held to {kind}, against free, {streams} stream{'s' if streams > 1 else ''}"
                figures.append(Figure(name, found["held"], "tok/s", 0.95, found["free"]))
    return figures


def rate(server: Server, streams: int, more: dict[str, Any]) -> float:
    bodies = [{**body, "max_tokens": ANSWER_TOKENS, **more} for body in plain(server, streams)]
    return decode_rate(run(Load(server.port, bodies)), ANSWER_TOKENS)


def embeddings(report: Report, repeat: int) -> list[Figure]:
    progress("embeddings")
    folder = model_path("minilm")
    figures: list[Figure] = []
    with serving([*MLXR, "--threads", str(THREADS)], folder) as server:
        one = {"model": server.model, "input": "a short sample"}
        post(server, "/v1/embeddings", one)
        latency = statistics.median(timed(server, one) for _ in range(20))
        figures.append(Figure("one short sample through HTTP", latency * 1e3, "ms", 20, lower=True))
        ours = partial(embed_rate, server)
        name = f"{SAMPLES} samples of 64 tokens"
        if not (importable("sentence_transformers") and importable("torch")):
            report.notes.append("sentence-transformers is not installed (pip install sentence-transformers)")
            figures.append(Figure(name, in_turn({"ours": ours}, repeat)["ours"], "/s"))
            return figures
        with Worker("bench.peers.sentence_transformers", str(folder), str(THREADS)) as peer:
            found = in_turn({"ours": ours, "theirs": partial(peer.measure, "embed", SAMPLES, SAMPLE)}, repeat)
        figures.append(Figure(f"{name} (sentence-transformers)", found["ours"], "/s", 2, found["theirs"]))
    return figures


def embed_rate(server: Server) -> float:
    inputs = [f"{number} {SAMPLE}" for number in range(SAMPLES)]
    return SAMPLES / timed(server, {"model": server.model, "input": inputs, "encoding_format": "base64"})


def timed(server: Server, body: dict[str, Any]) -> float:
    began = time.perf_counter()
    post(server, "/v1/embeddings", body)
    return time.perf_counter() - began


def post(server: Server, path: str, body: dict[str, Any]) -> bytes:
    """The answer, whatever its status."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse().read()
    connection.close()
    return answer


def plain(server: Server, streams: int) -> list[dict[str, Any]]:
    return [
        {
            "model": server.model,
            "prompt": f"The quick brown fox number {number} jumps over the lazy dog",
            "max_tokens": 300,
            "temperature": 0,
            "ignore_eos": True,
        }
        for number in range(streams)
    ]


def one_message(model: str, size: int) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": SENTENCE * (size // len(SENTENCE))}]}


def many_messages(model: str, size: int) -> dict[str, Any]:
    turn = {"role": "user", "content": SENTENCE * (size // 2000 // len(SENTENCE))}
    return {"model": model, "messages": [turn] * 2000}
