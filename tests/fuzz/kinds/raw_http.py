"""Bytes on a socket that may or may not be HTTP, sent to a real server beside another client's stream."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.fuzz.mutations import mutated_bytes
from tests.fuzz.served import NoAnswerError, Served
from tests.fuzz.served_kind import ServedKind

BODY = b'{"model": "tiny", "prompt": "Hi", "max_tokens": 1}'
HEADS = (
    b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /v1/models HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY),
    b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
    % (len(BODY), BODY),
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nAccess-Control-Request-Method: POST\r\n\r\n",
    b"HEAD /api/tags HTTP/1.1\r\nHost: localhost\r\n\r\n",
)
LINES = (
    b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: 99999999999999999999", b"Content-Length: 1, 2",
    b"Content-Length: +5", b"Content-Length : 5", b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: xchunked", b"Transfer-Encoding:\tchunked",
    b"Transfer-Encoding: gzip", b"Expect: 100-continue", b"Expect: tea", b"Host: evil.example", b"Host: localhost",
    b"Connection: close", b"Connection: Upgrade", b"Upgrade: websocket", b"Upgrade: h2c", b"X: \x00", b"X: \xff",
    b" folded", b"X", b": x", b"X: " + b"a" * 9000, b"Content-Encoding: gzip", b"Authorization: Bearer \r",
    b"Origin: null", b"Range: bytes=0-1", b"X-Request-Id: \x1b[2J", b"Content-Type: \xe9",
    b"Origin: http://[", b"Host: [", b"Referer: http://[::1", b"Authorization: Basic \xff",
)  # fmt: skip
WHOLE = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"", b"\r\n" * 500,
    b"\0" * 500, b"GET " + b"/" * 70_000, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5000, b"G",
    b"GET /%ff%00 HTTP/1.1\r\n\r\n", b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"CONNECT localhost:22 HTTP/1.1\r\n\r\n", b"GET /docs/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /health HTTP/0.9\r\n\r\n", b"GET /health\r\n",
)  # fmt: skip


class RawHttp(ServedKind):
    BATCH = 20_000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)

    def make(self, random: Random) -> bytes:
        if random.random() < 0.1:
            return random.choice(WHOLE)
        parts = [random.choice(HEADS) for _ in range(random.choice((1, 1, 1, 2, 4)))]
        for _ in range(random.choice((0, 1, 1, 3))):
            at = random.randrange(len(parts))
            head, line, rest = parts[at].partition(b"\r\n")
            parts[at] = head + line + random.choice(LINES) + random.choice((b"\r\n", b"\r\n", b"\n")) + rest
        data = b"".join(parts)
        return mutated_bytes(random, data) if random.random() < 0.6 else data

    def send(self, served: Served, data: bytes) -> None:
        answer = served.raw(data)
        if answer and not answer.startswith(b"HTTP/"):
            raise NoAnswerError(f"not HTTP: {answer[:80]!r}")
        if b" 500 " in answer.partition(b"\r\n")[0]:
            raise NoAnswerError(f"500: {answer[-200:]!r}")
