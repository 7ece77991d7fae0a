"""What Open Responses asks for beyond OpenAI's own clients (https://www.openresponses.org/specification)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mlxr.runtime.messages.common import ErrorCode, ErrorInfo, FinishReason, Message
from mlxr.runtime.messages.frontend import Catalog, Failed
from mlxr.runtime.messages.tokenizer import Generate
from tests.http.rig import ENGINE, ENTRY, Script, hello, rig, words
from tests.http.test_app import ask

FIELDS = {
    "id", "object", "created_at", "completed_at", "status", "incomplete_details", "model", "previous_response_id",
    "instructions", "output", "error", "tools", "tool_choice", "truncation", "parallel_tool_calls", "text", "top_p",
    "presence_penalty", "frequency_penalty", "top_logprobs", "temperature", "reasoning", "usage", "max_output_tokens",
    "max_tool_calls", "store", "background", "service_tier", "metadata", "safety_identifier", "prompt_cache_key",
}  # fmt: skip

HI = {"model": "tiny", "input": "Hi"}


@pytest.mark.parametrize("finish", [FinishReason.STOP, FinishReason.LENGTH])
async def test_a_response_has_every_field(tmp_path: Path, finish: FinishReason) -> None:
    async with rig(tmp_path) as r:
        r.on_generate = lambda message: words(message, "Hello", finish=finish)
        _, made, _ = await ask(r, "POST", "/v1/responses", json=HI)
        assert made.keys() >= FIELDS
        assert (made["completed_at"] is None) == (made["status"] == "incomplete")


@pytest.mark.parametrize(
    "choice",
    [
        "required",
        {"type": "function", "name": "f"},
        {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
    ],
)
async def test_a_response_says_what_it_was_made_with(tmp_path: Path, choice: Any) -> None:
    options = b'{"temperature": 0.3, "top_p": 0.5, "presence_penalty": 1.5, "num_predict": 9}'
    catalog = Catalog([msgspec.structs.replace(ENTRY, options=options)], [ENGINE])
    asked = {**HI, "tools": [{"type": "function", "name": "f"}], "tool_choice": choice, "top_p": 0.75}
    async with rig(tmp_path, catalog) as r:
        _, made, _ = await ask(r, "POST", "/v1/responses", json=asked)
    assert made["tool_choice"] == choice
    told = ("temperature", "top_p", "presence_penalty", "max_output_tokens")
    assert [made[name] for name in told] == [0.3, 0.75, 1.5, 9]


def fails(command: Generate) -> list[Message]:
    failed = Failed(command.request, ErrorInfo(ErrorCode.ENGINE_FAILED, "gone"))
    return [*words(command, "He")[:-1], failed]


@pytest.mark.parametrize(("script", "last"), [(hello, "completed"), (fails, "failed")])
async def test_a_stream_ends_with_done_whatever_became_of_the_response(
    tmp_path: Path, script: Script, last: str
) -> None:
    async with rig(tmp_path) as r:
        r.on_generate = script
        _, text, _ = await ask(r, "POST", "/v1/responses", json={**HI, "stream": True})
    *_, event, done = text.strip().split("\n\n")
    assert json.loads(event.partition("data: ")[2])["type"] == f"response.{last}"
    assert done == "data: [DONE]"
