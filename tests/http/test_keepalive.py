"""Signs of life for those who ask for them."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from mlxr.runtime.messages.frontend import Started
from mlxr.runtime.messages.tokenizer import Generate
from tests.http.rig import hello, rig

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/completion"])
async def test_who_asks_for_signs_of_life_is_sent_comments(tmp_path: Path, path: str) -> None:
    asked = {"messages": [{"role": "user", "content": "Hi"}]} if "chat" in path else {"prompt": "Hi"}
    body = {"model": "tiny", "stream": True, "sse_ping_interval": 0.02, **asked}
    lines: list[bytes] = []
    async with rig(tmp_path) as r, aiohttp.ClientSession() as session:
        r.on_generate = lambda command: [Started(command.request, 5)]
        async with session.post(r.url + path, json=body) as response:
            async for line in response.content:
                lines.append(line)
                if lines == [b": ping\n", b"\n"]:
                    r.tell(*hello(r.got(Generate)[0])[1:])
    assert any(line.startswith(b"data: {") for line in lines)
