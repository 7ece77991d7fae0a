"""Bodies of every POST route, sent to a real server beside another client's stream."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from mlxr.api.durations import keep_alive_seconds
from mlxr.http.routes import ROUTES
from mlxr.runtime.errors import RequestError
from tests.fuzz.kinds import grammars, regexes, schemas, templates
from tests.fuzz.mutations import EXTREMES, TEXTS, mutated_bytes, mutated_json, written_json
from tests.fuzz.served import NoAnswerError, Served, error_of
from tests.fuzz.served_kind import ServedKind
from tests.http.cases import HONOURED
from tests.http.cases.plain import PLAIN

SHORT: dict[str, Any] = {"max_tokens": 2, "max_completion_tokens": 2, "n": 1}
MODELS = (
    "nobody", "/etc/passwd", "../x", "http://127.0.0.1:1/x.gguf", "pypi:../x==1", "", "a\nb", "\x1b[2J",
    "~root/x",
)  # fmt: skip
ENCODINGS = ("gzip", "deflate", "br", "zstd", "identity", "x", "gzip, gzip")
HEAVY: tuple[Callable[[Random], Any], ...] = (
    schemas.chain,
    schemas.wide,
    schemas.alternatives,
    schemas.mutual,
    grammars.chain,
    grammars.nested,
    grammars.wide,
    regexes.nested,
    regexes.counted,
    lambda random: random.choice(templates.WORDS),
    lambda random: random.choice(TEXTS) * random.choice((1, 1000, 100_000)),
    lambda random: [random.choice(TEXTS)] * random.choice((10, 5000)),
    lambda random: {str(i): random.choice(EXTREMES) for i in range(random.choice((10, 5000)))},
)

UNLOADING = "/api/ui/models/unload"
"""What ends the model's process is any client's right, so that only others are unloaded."""


class Bodies(ServedKind):
    """A case is the route's path, header lines, an empty line, and the body."""

    BATCH = 10_000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._paths = sorted({route.path for route in ROUTES if route.method == "POST"})
        self._plain = {path: PLAIN.get(path) or PLAIN.get("/v1" + path) or {"model": "x"} for path in self._paths}
        self._cases = [case for cases in HONOURED.values() for case in cases.values()]

    def make(self, random: Random) -> bytes:
        path = random.choice(self._paths)
        body = dict(self._plain[path])
        if random.random() < 0.5:
            added = random.choice([case.added for case in self._cases if case.path == path] or [{}])
            body = {**body, **added}
        if "model" in body:
            body["model"] = body["model"] if random.random() < 0.9 else random.choice(MODELS)
        heavy = (lambda random: random.choice(HEAVY)(random),) if random.random() < 0.1 else ()
        changed = mutated_json(random, body, heavy)
        if isinstance(changed, dict) and random.random() < 0.99:
            changed = bounded(changed, path)
        if isinstance(changed, dict):
            changed = staying_loaded(changed) if path != UNLOADING else {**changed, "model": random.choice(MODELS)}
        raw = written_json(random, changed).encode()
        if random.random() < 0.15:
            raw = mutated_bytes(random, raw)
        headers = {"Content-Type": "application/json"}
        if random.random() < 0.05:
            headers["Content-Encoding"] = random.choice(ENCODINGS)
            raw = gzip.compress(raw) if random.random() < 0.5 else raw
        lines = "".join(f"{name}: {value}\n" for name, value in headers.items())
        return f"{path.replace('{digest}', random.choice(('sha256:' + 'a' * 64, 'x', '..')))}\n{lines}\n".encode() + raw

    def send(self, served: Served, data: bytes) -> None:
        head, _, body = data.partition(b"\n\n")
        path, *lines = head.decode().split("\n")
        headers = dict(line.split(": ", 1) for line in lines)
        wrong = error_of(*served.post(path, body, headers))
        if wrong:
            raise NoAnswerError(f"{path.partition('{')[0]}: {wrong}")


LEAST_KEPT = 60.0


def staying_loaded(body: dict[str, Any]) -> dict[str, Any]:
    """``body`` with a ``keep_alive`` of ``LEAST_KEPT`` seconds at least. To unload the model is any client's right, and
    makes the other one wait for it to be loaded again."""
    given = body.get("keep_alive")
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return body
    try:
        short = (keep_alive_seconds(given) or 0.0) < LEAST_KEPT
    except (RequestError, OverflowError):
        return body  # refused by the server, too
    return {**body, "keep_alive": LEAST_KEPT} if short else body


def bounded(body: dict[str, Any], path: str) -> dict[str, Any]:
    """``body`` asking for a short answer, for a run has many."""
    if path.startswith("/api/"):
        options = body.get("options", {})
        return {**body, "options": {**options, "num_predict": 2}} if isinstance(options, dict) else body
    if path.endswith("/responses"):
        return {**body, "max_output_tokens": 16}
    return {**body, **{name: value for name, value in SHORT.items() if name in body or name == "max_tokens"}}
