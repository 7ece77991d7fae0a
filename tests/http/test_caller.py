"""Whoever asks is named to the scheduler: by key, else by address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mlxr.runtime.messages.tokenizer import Embed, Generate
from tests.http.cases.plain import PLAIN
from tests.http.rig import embedded, rig


@pytest.mark.parametrize(
    "path",
    ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages", "/api/chat", "/api/generate"],
)
async def test_a_request_is_its_keys(tmp_path: Path, path: str) -> None:
    async with rig(tmp_path, api_keys=["a", "b"]) as r, aiohttp.ClientSession() as session:
        for key in "aab":
            async with session.post(r.url + path, json=PLAIN[path], headers={"x-api-key": key}) as response:
                assert response.status == 200
        first, second, third = (command.client for command in r.got(Generate))
        assert first == second != third
        assert first != "a"


@pytest.mark.parametrize("path", ["/v1/embeddings", "/api/embed", "/v1/rerank"])
async def test_every_part_of_a_request_is_its_clients(tmp_path: Path, path: str) -> None:
    async with rig(tmp_path) as r, aiohttp.ClientSession() as session:
        r.on_other = embedded
        many: dict[str, Any] = {"input": ["a", "b", "c"]} if "rerank" not in path else {"documents": ["a", "b", "c"]}
        async with session.post(r.url + path, json={**PLAIN[path], **many}) as response:
            assert response.status == 200
        assert {command.client for command in r.got(Embed)} == {"127.0.0.1"}
