"""Prompts far beyond what a model takes are refused, or cut, before they are sent on to be encoded."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mlxr.actors.frontend.prompt_limits import LONGEST_TOKEN, SLACK
from mlxr.runtime.messages.tokenizer import Embed, Generate, PromptPart, Tokenize
from tests.http.cases.plain import PLAIN
from tests.http.rig import ENTRY, embedded, rig

MOST = ENTRY.info.context_length * LONGEST_TOKEN + SLACK
LONG = '"' * (2 * MOST)
TURN = [{"role": "user", "content": LONG}]


async def post(url: str, body: Any) -> tuple[int, Any]:
    data, headers = io.BytesIO(json.dumps(body).encode()), {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session, session.post(url, data=data) as response:
        return response.status, await response.json()


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/embeddings", {"input": LONG}),
        ("/v1/embeddings", {"input": ["a", LONG]}),
        ("/api/embed", {"input": LONG, "truncate": False}),
        ("/v1/messages/count_tokens", {"messages": TURN}),
        ("/v1/messages", {"messages": TURN}),
        ("/v1/chat/completions", {"messages": TURN}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": LONG[: MOST // 2]}] * 3}),
        ("/v1/completions", {"prompt": LONG}),
        ("/v1/completions", {"prompt": "a", "suffix": LONG}),
        ("/v1/responses", {"input": LONG}),
        ("/tokenize", {"prompt": LONG}),
        ("/api/chat", {"messages": TURN, "truncate": False}),
    ],
)
async def test_a_prompt_that_cant_fit_is_refused_before_it_is_encoded(tmp_path: Path, path: str, fields: Any) -> None:
    async with rig(tmp_path) as r:
        r.on_other = embedded
        status, body = await post(r.url + path, {**PLAIN[path], **fields})
        assert status == 400
        assert "maximum context length is 2048 tokens" in json.dumps(body)
        for kind in (Generate, Tokenize, PromptPart):
            assert not r.got(kind)
        assert not [command for command in r.got(Embed) if len(command.prompt.text) > 1]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/api/embed", {"input": LONG}),
        ("/api/embeddings", {"prompt": LONG}),
        ("/v1/rerank", {"query": LONG, "documents": ["a"]}),
        ("/v1/rerank", {"query": "a", "documents": [LONG]}),
    ],
)
async def test_an_input_that_is_to_be_cut_is_cut_before_it_is_encoded(tmp_path: Path, path: str, fields: Any) -> None:
    async with rig(tmp_path) as r:
        r.on_other = embedded
        assert (await post(r.url + path, {**PLAIN[path], **fields}))[0] == 200
        sent = sum(len(part.prompt.text) for part in (*r.got(PromptPart), *r.got(Embed)))
        assert MOST <= sent <= MOST + 2


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/tokenize"])
@pytest.mark.parametrize(
    "name",
    ["messages", "tools", "self", "add_generation_prompt", "__class__", "__init__", "functions", "loop", "a b", "",
     "if", "raise_exception", "{{ x }}"],
)  # fmt: skip
async def test_a_template_is_given_no_variable_that_means_something_else(tmp_path: Path, path: str, name: str) -> None:
    turns = [{"role": "user", "content": "Hi"}]
    async with rig(tmp_path) as r:
        body = {"model": "tiny", "messages": turns, "chat_template_kwargs": {"enable_thinking": True, name: []}}
        status, answer = await post(r.url + path, body)
        assert status == 400
        assert answer["error"]["param"] == f"chat_template_kwargs.{name}"
        assert "leave it out" in answer["error"]["message"]
        assert not r.got(Generate)


async def test_a_template_is_given_other_variables(tmp_path: Path) -> None:
    given = {"enable_thinking": False, "documents": [{"text": "a"}], "builtin_tools": [], "_x": 1, "größe": 2}
    async with rig(tmp_path) as r:
        body = {**PLAIN["/v1/chat/completions"], "chat_template_kwargs": given}
        assert (await post(r.url + "/v1/chat/completions", body))[0] == 200
        assert r.got(Generate)[0].prompt.template_args == given
