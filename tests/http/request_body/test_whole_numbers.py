from __future__ import annotations

import json
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import aiohttp
import pytest

from mlxr.http.openai.schema import CompletionRequest
from mlxr.http.request_body.chunked_json import decode_chunked
from mlxr.runtime.messages.frontend import RegistryReply
from mlxr.runtime.messages.registry import CreateModel
from mlxr.runtime.messages.tokenizer import Embed, Generate, TokenPrompt
from tests.http.cases.plain import HI, PLAIN
from tests.http.rig import embedded, rig


async def post(url: str, body: Any) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
        return response.status, json.loads((await response.text()).splitlines()[0])


@pytest.mark.parametrize(
    ("path", "fields", "seen"),
    [
        ("/api/chat", {"options": {"num_ctx": 4096.0}}, lambda c: c.context_length == 4096),
        ("/api/generate", {"options": {"seed": 42.0}}, lambda c: c.sampling.seed == 42),
        (
            "/api/generate",
            {"options": {"num_predict": 7.0, "top_k": 3.0}},
            lambda c: (c.max_tokens, c.sampling.top_k) == (7, 3),
        ),
        ("/api/chat", {"logprobs": True, "top_logprobs": 2.0}, lambda c: c.sampling.logprobs == 2),
        ("/v1/chat/completions", {"max_tokens": 16.0}, lambda c: c.max_tokens == 16),
        ("/v1/chat/completions", {"n": 2.0, "seed": 1e3}, lambda c: (c.n, c.sampling.seed) == (2, 1000)),
        ("/v1/chat/completions", {"stop_token_ids": [5.0]}, lambda c: c.stop_tokens == [5]),
        (
            "/v1/completions",
            {"prompt": [1.0, 2], "max_tokens": -0.0},
            lambda c: (c.prompt.tokens, c.max_tokens) == ([1, 2], 0),
        ),
        ("/v1/completions", {"prompt": [[1.0], [2]]}, lambda c: c.prompt.tokens == [1]),
        ("/v1/responses", {"max_output_tokens": 20.0}, lambda c: c.max_tokens == 20),
        ("/v1/messages", {"max_tokens": 20.0, "top_k": 4.0}, lambda c: (c.max_tokens, c.sampling.top_k) == (20, 4)),
    ],
)
async def test_a_whole_number_written_as_a_float_is_taken(tmp_path: Path, path: str, fields: Any, seen: Any) -> None:
    async with rig(tmp_path) as r:
        status, body = await post(r.url + path, {**PLAIN[path], **fields, "stream": False})
        assert status == 200, body
        assert seen(r.got(Generate)[0])


async def test_embed_and_create_take_them_too(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.on_other = embedded
        body = {**PLAIN["/api/embed"], "options": {"num_ctx": 64.0}, "dimensions": 2.0}
        assert (await post(r.url + "/api/embed", body))[0] == 200
        assert r.got(Embed)[0].context_length == 64
        r.on_registry = lambda message: [RegistryReply(message.request, last=True)]
        given = {**PLAIN["/api/create"], "parameters": {"num_ctx": 4096.0}, "stream": False}
        assert (await post(r.url + "/api/create", given))[0] == 200
        assert json.loads(r.got(CreateModel)[0].spec)["parameters"] == {"num_ctx": 4096}


@pytest.mark.parametrize(
    ("path", "fields", "name"),
    [
        ("/api/chat", {"options": {"num_ctx": 4096.5}}, "options.num_ctx"),
        ("/api/embed", {"options": {"num_ctx": 0.5}}, "options.num_ctx"),
        ("/api/create", {"parameters": {"num_ctx": 4096.5}}, "parameters.num_ctx"),
        ("/v1/chat/completions", {"max_tokens": 16.5}, "max_tokens"),
        ("/v1/chat/completions", {"max_tokens": 1e300}, "max_tokens"),
        ("/v1/chat/completions", {"max_tokens": "16"}, "max_tokens"),
        ("/v1/chat/completions", {"max_tokens": True}, "max_tokens"),
        ("/v1/completions", {"prompt": [1.5]}, "prompt"),
        ("/v1/messages", {"max_tokens": 0.5}, "max_tokens"),
    ],
)
async def test_what_is_not_whole_is_refused_by_name(tmp_path: Path, path: str, fields: Any, name: str) -> None:
    async with rig(tmp_path) as r:
        status, body = await post(r.url + path, {**PLAIN[path], **fields})
        assert status == 400
        assert name in json.dumps(body)


def test_large_bodies_take_them_like_small_ones() -> None:
    raw = json.dumps({"prompt": [float(n) for n in range(90_000)], "max_tokens": 3.0, "suffix": None}).encode()
    made, _ = decode_chunked(raw, CompletionRequest)
    assert (made.prompt[-1], made.max_tokens) == (89_999, 3)
    assert isinstance(made.prompt[-1], int)


async def test_fractions_stay_where_they_may_be(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        fields = {"messages": HI, "temperature": 1.0, "max_tokens": 2.0, "logit_bias": {"5": 1.0}}
        assert (await post(r.url + "/v1/chat/completions", {"model": "tiny", **fields}))[0] == 200
        command = r.got(Generate)[0]
        assert (command.sampling.temperature, command.sampling.logit_bias) == (1.0, {5: 1.0})
        assert not isinstance(command.prompt, TokenPrompt)


def test_a_long_list_of_them_takes_one_call_for_each_at_most() -> None:
    calls = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    body = b'{"model": "tiny", "prompt": [' + b"1.0, " * 20_000 + b"1.0]}"
    sys.setprofile(count)
    try:
        request = decode_chunked(body, CompletionRequest).body
    finally:
        sys.setprofile(None)
    assert request.prompt == [1] * 20_001
    assert calls < 25_000
