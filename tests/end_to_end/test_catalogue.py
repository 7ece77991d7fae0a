"""The command line and servers share a home: what one changes, the others know at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.server import Server, serving

CHAT = "/v1/chat/completions"


def mlxr(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("MLXR_")}
    command = [sys.executable, "-m", "mlxr", *arguments]
    environment = {**inherited, "MLXR_HOME": str(home)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def status(server: Server, model: str) -> int:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
    return server.request(CHAT, body)[0]


def listed(server: Server) -> set[str]:
    return {model["id"] for model in server.request("/v1/models")[1]["data"]}


def test_what_the_command_line_and_another_server_change_is_known_at_once(tmp_path: Path) -> None:
    with serving(tmp_path) as one, serving(tmp_path, models=()) as two:
        for server in (one, two):
            assert status(server, "new") == 404
        assert mlxr(tmp_path, "cp", "smollm2", "new").returncode == 0
        assert [status(server, "new") for server in (one, two)] == [200, 200]
        assert mlxr(tmp_path, "rm", "new").returncode == 0
        assert [status(server, "new") for server in (one, two)] == [404, 404]
        assert one.request("/api/copy", {"source": "smollm2", "destination": "by-one"})[0] == 200
        assert listed(two) == {"smollm2", "by-one"}
        assert status(two, "by-one") == 200
        assert two.request("/api/delete", {"model": "by-one"}, "DELETE")[0] == 200
        assert status(one, "by-one") == 404
        assert listed(one) == {"smollm2"}
