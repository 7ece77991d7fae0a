"""The ``openai`` package, unmodified, against a scripted runtime."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import openai
import pytest

from mlxr.api.parallel import MAX_CONCURRENT
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo, FinishReason, TextLogprob
from mlxr.runtime.messages.frontend import Delta, Deltas, Failed, Finished, PromptLogprobs, Started
from mlxr.runtime.messages.tokenizer import Generate
from tests.http.rig import USAGE, Rig, rig, words

HI = [{"role": "user", "content": "Hi"}]


@asynccontextmanager
async def client(directory: Path, **settings: Any) -> AsyncIterator[tuple[Rig, openai.AsyncOpenAI]]:
    async with (
        rig(directory, **settings) as r,
        openai.AsyncOpenAI(base_url=r.url + "/v1", api_key="none", max_retries=0) as made,
    ):
        yield r, made


async def test_models_are_listed_and_found_by_names_with_slashes(tmp_path: Path) -> None:
    async with client(tmp_path) as (_, c):
        assert [model.id async for model in await c.models.list()] == ["tiny"]
        assert (await c.models.retrieve("org/tiny-alias")).id == "org/tiny-alias"
        with pytest.raises(openai.NotFoundError, match="nobody"):
            await c.models.retrieve("nobody")


async def test_a_chat_answers_whole_and_in_pieces(tmp_path: Path) -> None:
    async with client(tmp_path) as (_, c):
        whole = await c.chat.completions.create(model="tiny", messages=HI, n=2)
        assert [choice.message.content for choice in whole.choices] == ["Hello wörld"] * 2
        assert whole.system_fingerprint.startswith("fp_")
        stream = await c.chat.completions.create(
            model="tiny", messages=HI, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == "Hello wörld"
        assert chunks[-2].choices[0].finish_reason == "stop"
        assert chunks[-1].choices == []
        assert chunks[-1].usage.prompt_tokens_details.cached_tokens == 2
        assert {chunk.id for chunk in chunks} == {chunks[0].id}


async def test_a_failure_in_mid_stream_is_raised_with_its_reason(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        error = ErrorInfo(ErrorCode.ENGINE_FAILED, "the executor is gone")
        r.on_generate = lambda m: [*words(m, "a")[:2], Failed(m.request, error)]
        stream = await c.chat.completions.create(model="tiny", messages=HI, stream=True)
        with pytest.raises(openai.APIError, match="the executor is gone"):
            async for _ in stream:
                pass


async def test_a_prompt_that_is_too_long_is_a_bad_request_even_when_streaming(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        error = ErrorInfo(ErrorCode.CONTEXT_LENGTH, "3000 tokens, and 2048 fit", "messages")
        r.on_generate = lambda m: [Failed(m.request, error)]
        with pytest.raises(openai.BadRequestError) as raised:
            await c.chat.completions.create(model="tiny", messages=HI, stream=True)
        assert raised.value.code == "context_length_exceeded"


async def test_a_full_queue_says_when_to_come_back(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        r.on_generate = lambda m: [Failed(m.request, ErrorInfo(ErrorCode.QUEUE_FULL, "full", retry_after=2.5))]
        with pytest.raises(openai.InternalServerError) as raised:
            await c.chat.completions.create(model="tiny", messages=HI)
        assert raised.value.status_code == 503
        assert raised.value.response.headers["retry-after"] == "3"


async def test_a_failure_that_would_repeat_asks_not_to_be_retried(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        r.on_generate = lambda m: [Failed(m.request, ErrorInfo(ErrorCode.INTERNAL, "a mistake"))]
        with pytest.raises(openai.InternalServerError) as raised:
            await c.chat.completions.create(model="tiny", messages=HI)
        assert raised.value.response.headers["x-should-retry"] == "false"


async def test_completions_of_several_prompts_are_numbered_through(tmp_path: Path) -> None:
    def by_prompt(command: Generate) -> list[Any]:
        return words(command, command.prompt.text)

    async with client(tmp_path) as (r, c):
        r.on_generate = by_prompt
        made = await c.completions.create(model="tiny", prompt=["a", "b"], n=2)
        assert [(choice.index, choice.text) for choice in made.choices] == [(0, "a"), (1, "a"), (2, "b"), (3, "b")]
        assert made.usage.prompt_tokens == 10
        stream = await c.completions.create(model="tiny", prompt=["a", "b"], n=2, stream=True)
        texts: dict[int, str] = {}
        async for chunk in stream:
            for choice in chunk.choices:
                texts[choice.index] = texts.get(choice.index, "") + choice.text
        assert texts == {0: "a", 1: "a", 2: "b", 3: "b"}


async def test_of_many_streamed_prompts_the_later_wait_for_the_earlier(tmp_path: Path) -> None:
    found: dict[int, str] = {}

    async def read(c: openai.AsyncOpenAI) -> None:
        async for chunk in await c.completions.create(model="tiny", prompt=["a"] * (MAX_CONCURRENT + 6), stream=True):
            found.update({choice.index: choice.text for choice in chunk.choices if choice.text})

    async with client(tmp_path) as (r, c), anyio.create_task_group() as tasks:
        r.on_generate = lambda message: [Started(message.request, 1)]
        tasks.start_soon(read, c)
        await r.until(lambda: len(r.got(Generate)) == MAX_CONCURRENT)
        r.on_generate = lambda message: words(message, "x")
        for waiting in r.got(Generate):
            r.tell(*words(waiting, "x")[1:])
        await r.until(lambda: len(found) == MAX_CONCURRENT + 6)


async def test_best_of_returns_the_likeliest(tmp_path: Path) -> None:
    def ranked(command: Generate) -> list[Any]:
        number = command.request
        deltas = [
            Delta(number, index, f"c{index}", logprobs=[TextLogprob(0, "c", -score, b"c")], finish=FinishReason.STOP)
            for index, score in enumerate((3.0, 1.0, 2.0))
        ]
        return [Started(number, 5), Deltas(deltas), Finished(number, USAGE)]

    async with client(tmp_path) as (r, c):
        r.on_generate = ranked
        made = await c.completions.create(model="tiny", prompt="a", n=2, best_of=3)
        assert [choice.text for choice in made.choices] == ["c1", "c2"]
        assert made.choices[0].logprobs is None


@pytest.mark.parametrize("stream", [False, True])
async def test_echo_gives_the_prompt_back_with_its_scores(tmp_path: Path, stream: bool) -> None:
    def scored(command: Generate) -> list[Any]:
        number, token = command.request, TextLogprob(0, "b", -1.5, b"b", [("b", -1.5, b"b")])
        out = TextLogprob(0, "c", -0.5, b"c", [("c", -0.5, b"c")])
        return [
            Started(number, 2, "ab", [1, 2], [b"a", b"b"]),
            PromptLogprobs(number, 1, [token]),
            Deltas([Delta(number, text="c", logprobs=[out], finish=FinishReason.LENGTH)]),
            Finished(number, USAGE),
        ]

    async with client(tmp_path) as (r, c):
        r.on_generate = scored
        made = await c.completions.create(
            model="tiny", prompt=[[1, 2]], echo=True, max_tokens=1, logprobs=1, stream=stream
        )
        choices = [made.choices[0]] if not stream else [chunk.choices[0] async for chunk in made]
        assert "".join(choice.text for choice in choices) == "abc"
        assert [value for choice in choices for value in choice.logprobs.token_logprobs] == [None, -1.5, -0.5]
        assert [value for choice in choices for value in choice.logprobs.text_offset] == [0, 1, 2]
