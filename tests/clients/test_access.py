"""Who gets in, asked by real clients of servers that are guarded in different ways."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import anthropic
import httpx
import ollama
import openai
import pytest

from tests.clients.asking import HI
from tests.server import Server, serving

pytestmark = pytest.mark.clients

KEY = "sk-right"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("guarded")
    socket = home / "mlxr.sock"
    with serving(home, "smollm2", "--api-key", KEY, "--set", f"server.unix_socket={socket}") as running:
        yield running


def test_keys_let_each_package_in_and_keep_others_out(guarded: Server) -> None:
    fields = {"model": "smollm2", "messages": HI, "max_tokens": 2}
    for key, refused in ((KEY, False), ("sk-wrong", True)):
        with openai.OpenAI(base_url=guarded.url + "/v1", api_key=key, max_retries=0) as one:
            if refused:
                with pytest.raises(openai.AuthenticationError):
                    one.chat.completions.create(**fields)
            else:
                assert one.chat.completions.create(**fields).choices
        with anthropic.Anthropic(base_url=guarded.url, api_key=key, max_retries=0) as other:
            if refused:
                with pytest.raises(anthropic.AuthenticationError):
                    other.messages.create(**fields)
            else:
                assert other.messages.create(**fields).content
    with ollama.Client(host=guarded.url) as without, pytest.raises(ollama.ResponseError) as raised:
        without.list()
    assert raised.value.status_code == 401
    with ollama.Client(host=guarded.url, headers={"Authorization": f"Bearer {KEY}"}) as within:
        assert within.list().models
    assert httpx.get(guarded.url + "/health").status_code == 200


def test_the_socket_is_its_owners_alone(guarded: Server) -> None:
    socket = guarded.home / "mlxr.sock"
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    transport = httpx.HTTPTransport(uds=str(socket))
    with httpx.Client(transport=transport, base_url="http://anything", headers={"x-api-key": KEY}) as client:
        assert client.get("/v1/models").status_code == 200


def test_names_and_pages_from_elsewhere_are_kept_out(server: Server) -> None:
    def status(**headers: str) -> int:
        return httpx.get(server.url + "/api/tags", headers=headers).status_code

    assert status(Host="evil.example") == 403
    assert status(Host="localhost:1") == 200
    assert status(Host="box.local") == 403
    assert status(Origin="https://evil.example") == 403
    answer = httpx.get(server.url + "/api/tags", headers={"Origin": "http://localhost:3000"})
    assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
    asked = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
    allowed = httpx.options(server.url + "/v1/chat/completions", headers=asked)
    assert allowed.status_code == 204
    assert "POST" in allowed.headers["access-control-allow-methods"]


def test_a_server_for_the_network_needs_keys(tmp_path: Path) -> None:
    with serving(tmp_path, "--host", "0.0.0.0", ready=False) as server:
        assert server.process.wait(timeout=30) != 0
        assert "api_keys" in server.log.read_text()


def test_a_second_port_is_ollamas(tmp_path: Path, free_tcp_port: int) -> None:
    with (
        serving(tmp_path, "smollm2", "--ollama-port", str(free_tcp_port)),
        ollama.Client(host=f"http://127.0.0.1:{free_tcp_port}") as client,
    ):
        assert client.list().models
