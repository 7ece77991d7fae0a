"""What a real server tells of itself: metrics that outlive it, and an executor that is killed for all to see."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from tests.server import Server, eventually, serving

STORY = "Tell me a story about a lighthouse."


def told(server: Server, path: str) -> Any:
    status, body = server.request(f"/api/ui/{path}")
    assert status == 200
    return body


def decoded(server: Server) -> list[dict[str, Any]]:
    return [point for point in told(server, "metrics?resolution=10")["points"] if point["decode_rate"]]


def test_metrics_of_before_are_there_after_a_restart_and_after_a_kill(tmp_path: Path) -> None:
    with serving(tmp_path, "smollm2") as server:
        server.chat(STORY, max_tokens=5)
        eventually(lambda: decoded(server))
        before = decoded(server)[0]["t"]
        server.terminate()
    with serving(tmp_path, "smollm2") as server:
        assert before in [point["t"] for point in decoded(server)]


def test_a_killed_executor_shows_in_requests_actors_and_logs_and_its_stream_goes_on(tmp_path: Path) -> None:
    with serving(tmp_path, "smollm2", "--set", "ui.developer=true") as server:
        chunks: list[dict[str, Any]] = []
        reader = threading.Thread(target=lambda: chunks.extend(server.stream(STORY, max_tokens=300)))
        reader.start()
        eventually(lambda: [row for row in told(server, "requests")["requests"] if row["state"] == "decode"])
        status, killed = server.request("/api/ui/actors/executor/kill", {})
        assert (status, killed["pid"] > 0) == (200, True)
        reader.join()
        assert chunks[-1]["choices"] == [] or chunks[-1]["choices"][0]["finish_reason"]
        assert not [chunk for chunk in chunks if "error" in chunk]

        def ended() -> list[dict[str, Any]]:
            return [row for row in told(server, "requests")["requests"] if row["state"] == "finished"]

        eventually(ended)
        assert [row["restarts"] for row in ended()] == [1]
        (executor,) = [row for row in told(server, "actors")["actors"] if row["kind"] == "executor"]
        assert (executor["restarts"], executor["last_end"]) == (1, "killed by SIGKILL")
        assert any("killed by SIGKILL" in line["message"] for line in told(server, "logs?level=warning")["lines"])
