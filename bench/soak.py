"""Sixty-four clients of every kind on one server whose executor is killed again and again: is anything lost?

``python -m bench soak``; ``MLXR_SOAK_SECONDS`` (300), ``MLXR_SOAK_CLIENTS`` (64) and ``MLXR_SOAK_KILL_SECONDS`` (45)
make a shorter run. Every request is greedy or seeded, and was answered once by the same server undisturbed: what is
another answer counts, as does none. Load is bounded in time; requests that have begun are waited for.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from bench.measure import REPEAT, progress
from bench.report import Figure, Report
from bench.server import Server, resident, serving
from tests.models import model_path

PATIENCE = 240.0
"""Seconds until an answer is given up, and counts as lost."""
CITY = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 12}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": CITY}}
WARM = 0.25
"""The share of the run behind which the main process's memory is expected to stay."""
Answer = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Request:
    """``path`` and ``body``; ``leaves``: the client goes after the first token."""

    name: str
    path: str
    body: dict[str, Any]
    leaves: bool = False


@dataclass
class Tally:
    """``answered`` by kind of request; ``lost``: no answer, or an error; ``differing``: not the reference's text."""

    answered: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    kills: int = 0
    resident: list[tuple[float, int]] = field(default_factory=list)


def requests() -> list[Request]:
    """Some of every kind; prompts of a kind differ."""
    made: list[Request] = []
    for i in range(6):
        say = [{"role": "user", "content": f"Tell me a story about the number {i}."}]
        seeded = {"temperature": 0.8, "seed": i} if i % 2 else {"temperature": 0}
        chat = {"messages": say, "max_tokens": 24 + 8 * i, **seeded}
        made += [
            Request("chat", "/v1/chat/completions", chat),
            Request("chat, streamed", "/v1/chat/completions", {**chat, "stream": True}),
            Request("completion", "/v1/completions", {"prompt": f"{i} is a number", "max_tokens": 32, **seeded}),
            Request("Ollama's chat", "/api/chat", {"messages": say, "stream": True,
                                                   "options": {"num_predict": 24, **seeded}}),
            Request("Anthropic's messages", "/v1/messages", {"messages": say, "max_tokens": 24, "temperature": 0}),
            Request("schema", "/v1/chat/completions", {**chat, "max_tokens": 40, "response_format": {
                "type": "json_schema", "json_schema": {"name": "c", "schema": CITY}}}),
            Request("tool", "/v1/chat/completions", {**chat, "max_tokens": 60, "tools": [TOOL],
                                                     "tool_choice": "required"}),
            Request("embedding", "/v1/embeddings", {"input": [f"the number {i}", "another"]}),
            Request("cancelled", "/v1/chat/completions",
                    {**chat, "max_tokens": 2000, "stream": True, "ignore_eos": True}, leaves=True),
        ]  # fmt: skip
    return made


def benchmark(repeat: int = REPEAT) -> Report:
    seconds, clients, every = (
        float(os.environ.get(f"MLXR_SOAK_{name}", default))
        for name, default in (("SECONDS", 300), ("CLIENTS", 64), ("KILL_SECONDS", 45))
    )
    report = Report(f"{int(clients)} clients for {seconds:.0f} s, the executor killed each {every:.0f} s")
    settings = ["--set", "kv.pool_tokens=32768", "--set", "supervision.restarts=50"]
    with serving(["-m", "mlxr", "up", *settings], Path(model_path("smollm2"))) as server:
        progress("the undisturbed answers")
        asked = requests()
        expected = {id(request): answer(server, request) for request in asked}
        tally = soak(server, asked, expected, seconds, int(clients), every)
        progress("waiting for the pages")
        idle = settled(server)
    report.figures += figures(tally, idle)
    report.notes += [*tally.lost[:5], *tally.differing[:5]]
    return report


def soak(
    server: Server, asked: list[Request], expected: dict[int, Answer], seconds: float, clients: int, every: float
) -> Tally:
    tally, ending = Tally(), threading.Event()
    threads = [
        threading.Thread(target=client, args=(server, asked, expected, tally, ending, i)) for i in range(clients)
    ]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    kill_at = began + every
    while (now := time.monotonic()) < began + seconds:
        tally.resident.append((now - began, server.resident()))
        if now >= kill_at and now < began + seconds - 1:
            os.kill(executor_of(server), signal.SIGKILL)
            tally.kills, kill_at = tally.kills + 1, now + every
            progress(f"kill {tally.kills}, {tally.answered.total()} answered")
        time.sleep(1)
    ending.set()
    for thread in threads:
        thread.join()
    return tally


def client(
    server: Server,
    asked: list[Request],
    expected: dict[int, Answer],
    tally: Tally,
    ending: threading.Event,
    number: int,
) -> None:
    """One client: requests one after the other, each of which is looked at."""
    random = Random(number)
    while not ending.is_set():
        request = random.choice(asked)
        try:
            got = answer(server, request)
        except (OSError, http.client.HTTPException, ValueError) as error:
            tally.lost.append(f"{request.name}: {type(error).__name__}: {error}")
            continue
        tally.answered[request.name] += 1
        if got[0] != 200:
            tally.lost.append(f"{request.name}: {got[0]}: {got[1][:200]}")
        elif got != expected[id(request)]:
            tally.differing.append(f"{request.name}: {got[1][:100]!r}, not {expected[id(request)][1][:100]!r}")


def answer(server: Server, request: Request) -> Answer:
    """Status and the text that the answer says, whatever its form."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    with contextlib.closing(connection):
        body = json.dumps({"model": server.model, **request.body})
        connection.request("POST", request.path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            return response.status, response.read().decode()
        if request.leaves:
            return 200, next(said(iter(response), one=True), "")
        return 200, "".join(said(iter(response)))


def said(lines: Iterator[bytes], one: bool = False) -> Iterator[str]:
    """The texts of an answer in order. Raises ``ValueError`` for an error within, and for a stream without its end."""
    ended = False
    for line in lines:
        text = line.decode().strip().removeprefix("data: ")
        if not text.startswith("{"):
            ended = ended or text == "[DONE]"
            continue
        part = json.loads(text)
        if "error" in part:
            raise ValueError(text[:300])
        ended = ended or part.get("done") is True or "usage" in part or part.get("type") == "message"
        for words in texts(part):
            yield words
            if one:
                return
    if not ended:
        raise ValueError("the answer has no end")


def texts(part: dict[str, Any]) -> list[str]:
    """What one piece of JSON says: of choices, messages, content blocks, or vectors (of those the first numbers)."""
    if "data" in part and part.get("object") == "list":
        return [json.dumps([round(x, 4) for x in item["embedding"][:8]]) for item in part["data"]]
    found: list[str | None] = []
    for choice in part.get("choices", []):
        message = choice.get("message") or choice.get("delta") or {}
        calls = [call["function"].get("arguments") for call in message.get("tool_calls") or []]
        found += [choice.get("text"), message.get("content"), *calls]
    found += [block.get("text") for block in part["content"]] if isinstance(part.get("content"), list) else []
    found.append((part.get("message") or {}).get("content") if "done" in part else None)
    return [text for text in found if text]


def executor_of(server: Server) -> int:
    """The child that holds the model's weights, which no sandbox does."""
    tasks = Path(f"/proc/{server.process.pid}/task").iterdir()
    children = [pid for task in tasks for pid in (task / "children").read_text().split()]
    return max((int(pid) for pid in children if "libmlx" in maps(pid)), key=resident)


def maps(pid: str) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/maps").read_text()
    return ""


def settled(server: Server, seconds: float = 60.0) -> dict[str, float]:
    """What the server still holds, once it holds no more or ``seconds`` are over."""
    names = ("mlxr_open_requests", "mlxr_running_sequences", "mlxr_kv_pages_used")
    deadline = time.monotonic() + seconds
    while True:
        found = {name: server.metric(name) for name in names}
        if not any(found.values()) or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def figures(tally: Tally, idle: dict[str, float]) -> list[Figure]:
    end = tally.resident[-1][0]
    early = [size for at, size in tally.resident if WARM * end <= at <= 2 * WARM * end]
    late = [size for at, size in tally.resident if at >= end * (1 - WARM)]
    return [
        Figure("executors killed", tally.kills, ""),
        *(Figure(f"answered: {name}", count, "") for name, count in sorted(tally.answered.items())),
        Figure("lost", len(tally.lost), ""),
        Figure("differing", len(tally.differing), ""),
        *(
            Figure(name.removeprefix("mlxr_").replace("_", " ") + " at the end", held, "")
            for name, held in idle.items()
        ),
        Figure("main process, second quarter", max(early, default=0) / 2**20, "MiB"),
        Figure("main process, last quarter", max(late, default=0) / 2**20, "MiB"),
    ]
