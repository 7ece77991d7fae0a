"""Many connections to a server that may have few open files."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import anyio

from mlxr.actors.registry.sources.pull import pull_model
from mlxr.runtime.paths import Home
from tests.models import model_path
from tests.server import Server, ignore
from tests.server.processes import open_descriptors


def test_idle_connections_at_a_low_limit_keep_no_models_from_loading(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for model in ("smollm2", "gemma3", "minilm"):
        anyio.run(pull_model, Home(home), str(model_path(model)), ignore)
    server = Server(home, "smollm2", "--set", "kv.pool_tokens=4096", descriptors=256)
    try:
        server.wait_ready()
        with ExitStack() as stack:
            for _ in range(400):
                stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            assert open_descriptors(server.process.pid) < 256
            assert server.chat("hello", max_tokens=2)
            assert server.chat("hello", model="gemma3", max_tokens=2)
            assert server.request("/v1/embeddings", {"model": "minilm", "input": "hello"})[0] == 200
            assert open_descriptors(server.process.pid) < 256
            assert server.request("/health")[0] == 200
        assert "crashed" not in server.log.read_text()
        assert server.terminate() == 0
    finally:
        server.close()
