"""Bad input gets a clear answer, and the server goes on."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models import model_path
from tests.server import Server, eventually

CHAT = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "hello"}]


def test_a_prompt_longer_than_the_context_is_refused_naming_both_lengths(server: Server) -> None:
    status, answer = server.request(CHAT, {"model": "smollm2", "messages": [{"role": "user", "content": "a " * 9000}]})
    assert status == 400
    assert answer["error"]["code"] == "context_length_exceeded"
    assert "8192" in answer["error"]["message"]
    assert "90" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"model": "nope", "messages": HELLO}, 404, "nope"),
        (b'{"model": "smollm2", ', 400, "JSON"),
        ({"model": "smollm2", "messages": HELLO, "temperature": "hot"}, 400, "temperature"),
        ({"model": "smollm2", "messages": HELLO, "temperature": 9}, 400, "temperature"),
        ({"model": "smollm2", "messages": "hello"}, 400, "messages"),
        ({"model": "smollm2"}, 400, "messages"),
        ({"model": "smollm2", "messages": HELLO, "n": 0}, 400, "n"),
    ],
)
def test_what_is_wrong_with_a_request_is_named(server: Server, body: object, status: int, says: str) -> None:
    got, answer = server.request(CHAT, body)
    assert got == status
    assert says in str(answer["error"])


def test_a_wrong_method_and_a_wrong_path_are_json_too(server: Server) -> None:
    for path, method, expected in ((CHAT, "GET", 405), ("/v2/nothing", "GET", 404)):
        status, answer = server.request(path, method=method)
        assert status == expected
        assert answer["error"]["message"]


def test_a_body_too_large_is_refused(server: Server) -> None:
    # Larger than any socket buffer, but the answer comes on the announced length alone.
    head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(head)
        answer = connection.recv(4096)
    assert b" 413 " in answer.splitlines()[0]


def test_a_client_that_leaves_during_prefill_frees_its_pages(server: Server) -> None:
    eventually(lambda: server.metric("mlxr_running_sequences") == 0)
    body = b'{"model": "smollm2", "stream": true, "messages": [{"role": "user", "content": "%s"}]}' % (b"word " * 6000)
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head % (CHAT.encode(), len(body)) + body)
        eventually(lambda: server.metric("mlxr_running_sequences") == 1)
    eventually(lambda: server.metric("mlxr_running_sequences") == 0)
    eventually(lambda: server.metric("mlxr_kv_pages_used") == 0)
    assert server.metric("mlxr_open_requests") == 0


def test_a_truncated_model_is_named_with_offset_and_reason_and_the_server_stays_up(
    server: Server, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(model_path("smollm2").read_bytes()[:1_000_000])
    status, answer = server.request(CHAT, {"model": str(broken), "messages": HELLO})
    assert status >= 400
    assert "broken.gguf" in answer["error"]["message"]
    assert "byte" in answer["error"]["message"]
    assert server.chat("hello", max_tokens=2)


def test_a_taken_port_is_named_with_the_setting_that_changes_it(server: Server, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mlxr", "up", "--port", str(server.port)]
    environment = {**os.environ, "MLXR_HOME": str(tmp_path)}
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1
    assert str(server.port) in refused.stderr
    assert "--port" in refused.stderr
    assert "Traceback" not in refused.stderr
