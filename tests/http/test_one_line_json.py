"""Answers with every character that some reader takes for the end of a line."""

from __future__ import annotations

import json
from pathlib import Path

import aiohttp
import pytest

from mlxr.api import sse
from mlxr.http.ui.telemetry.handlers import _written
from mlxr.runtime.messages.frontend import MonitorEvent
from tests.http.cases.plain import PLAIN
from tests.http.rig import rig, words

ENDS = "a\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029z"


@pytest.mark.parametrize(
    "written",
    [
        sse.event("logs", {"text": ENDS}),
        sse.event("logs", {"text": ENDS}, "7"),
        _written(MonitorEvent(1, "logs", json.dumps({"text": ENDS}, ensure_ascii=False).encode())),
    ],
)
def test_an_events_data_is_one_line(written: bytes) -> None:
    (data,) = [line for line in written.decode().splitlines() if not line.startswith(("id: ", "event: ")) and line]
    assert json.loads(data.removeprefix("data: ")) == {"text": ENDS}


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages", "/api/chat"]
)
async def test_a_stream_is_read_line_by_line_as_httpx_does(tmp_path: Path, path: str) -> None:
    async with rig(tmp_path) as r, aiohttp.ClientSession() as session:
        r.on_generate = lambda command: words(command, "Hi", ENDS, ENDS)
        async with session.post(r.url + path, json={**PLAIN[path], "stream": True}) as response:
            text = (await response.read()).decode()
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith(("data: {", "{"))]
    assert len(lines) == text.count("\n{") + text.count("data: {") + text.startswith("{")
    assert json.dumps(ENDS)[1:-1] in json.dumps([json.loads(line) for line in lines])
