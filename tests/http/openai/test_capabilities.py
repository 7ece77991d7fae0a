"""The ``openai`` package on calls and on what a model can't, against a scripted runtime."""

from __future__ import annotations

from pathlib import Path

import openai
import pytest

from mlxr.runtime.messages.frontend import Catalog
from mlxr.runtime.messages.tokenizer import Generate
from tests.http.openai.test_package import client
from tests.http.rig import EMBEDDER, ENGINE, THOUGHTLESS, thinking_and_calling


async def test_tool_calls_stream_through_chats_accumulator(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        r.on_generate = thinking_and_calling
        async with c.chat.completions.stream(model="tiny", messages=[{"role": "user", "content": "Hi"}]) as stream:
            async for _ in stream:
                pass
            final = await stream.get_final_completion()
        message = final.choices[0].message
        assert message.content == "I'll look"
        assert [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls] == [
            ("call_a", "f", '{"x": 1}'),
            ("call_b", "g", "{}"),
        ]
        assert final.choices[0].finish_reason == "tool_calls"


async def test_effort_is_refused_where_the_model_doesnt_think(tmp_path: Path) -> None:
    async with client(tmp_path, catalog=Catalog([THOUGHTLESS], [ENGINE])) as (r, c):
        with pytest.raises(openai.BadRequestError, match="thinking") as chat:
            await c.chat.completions.create(
                model="tiny", messages=[{"role": "user", "content": "Hi"}], reasoning_effort="high"
            )
        with pytest.raises(openai.BadRequestError, match="thinking") as response:
            await c.responses.create(model="tiny", input="Hi", reasoning={"effort": "low"})
        assert (chat.value.param, response.value.param) == ("reasoning_effort", "reasoning.effort")
        await c.responses.create(model="tiny", input="Hi", reasoning={"effort": "none"})
        assert len(r.got(Generate)) == 1


async def test_a_model_that_makes_embeddings_is_asked_for_no_text(tmp_path: Path) -> None:
    async with client(tmp_path, catalog=Catalog([EMBEDDER], [ENGINE])) as (r, c):
        with pytest.raises(openai.BadRequestError, match="embeddings") as raised:
            await c.completions.create(model="tiny", prompt="Hi")
        assert raised.value.param == "model"
        assert not r.got(Generate)
