"""The ``ollama`` package's less common paths of an answer: raw prompts, contexts, options, leaving."""

from __future__ import annotations

import asyncio

import ollama
import pytest

from tests.clients.asking import HI
from tests.server import Server, eventually

pytestmark = pytest.mark.clients

EXACT = {"temperature": 0, "num_predict": 16}


def running(client: ollama.Client) -> set[str]:
    return {model.model for model in client.ps().models}


def test_raw_prompts_skip_the_template(ollama_client: ollama.Client) -> None:
    raw = ollama_client.generate("smollm2", "The capital of France is", raw=True, options=EXACT)
    assert "Paris" in raw.response
    assert raw.context is None
    with pytest.raises(ollama.ResponseError, match="raw"):
        ollama_client.generate("smollm2", "Hi", raw=True, system="x")


def test_a_context_carries_a_conversation_on(ollama_client: ollama.Client) -> None:
    first = ollama_client.generate("smollm2", "My name is Zorblax. Say hello to me.", options=EXACT)
    second = ollama_client.generate("smollm2", "What is my name?", context=first.context, options=EXACT)
    assert len(second.context) > len(first.context) > first.eval_count
    assert second.prompt_eval_count > first.prompt_eval_count
    assert "Zorblax" in second.response


def test_system_and_template_change_the_prompt(ollama_client: ollama.Client) -> None:
    plain = ollama_client.generate("smollm2", "Who are you?", options=EXACT)
    system = ollama_client.generate("smollm2", "Who are you?", system="You are a pirate.", options=EXACT)
    assert plain.response != system.response
    bare = ollama_client.generate(
        "smollm2", "The capital of France is", template="{{ messages[-1]['content'] }}", options=EXACT
    )
    assert "Paris" in bare.response
    go = ollama_client.generate("smollm2", "The capital of France is", template="{{ .Prompt }}", options=EXACT)
    assert go.response == bare.response
    with pytest.raises(ollama.ResponseError, match="does not parse"):
        ollama_client.generate("smollm2", "Hi", template="{{ .Prompt }}{{ end }}")
    with pytest.raises(ollama.ResponseError, match="insert"):
        ollama_client.generate("smollm2", "a", suffix="b")


def test_logprobs_and_options_are_heeded(ollama_client: ollama.Client) -> None:
    made = ollama_client.generate("smollm2", "Hi", options={"num_predict": 3}, logprobs=True, top_logprobs=2)
    assert len(made.logprobs) == 3
    assert all(len(token.top_logprobs) == 2 for token in made.logprobs)
    one, other = (
        ollama_client.chat("smollm2", HI, options={"temperature": 1.5, "seed": 7, "num_predict": 12}) for _ in range(2)
    )
    assert one.message.content == other.message.content
    stopped = ollama_client.generate("smollm2", "Count: 1, 2, 3,", raw=True, options={**EXACT, "stop": ["6"]})
    assert stopped.done_reason == "stop"
    assert "6" not in stopped.response
    with pytest.raises(ollama.ResponseError, match="temperature"):
        ollama_client.generate("smollm2", "Hi", options={"temperature": "hot"})


def test_an_asynchronous_client_that_leaves_frees_its_place(server: Server) -> None:
    async def leave_early() -> None:
        async with ollama.AsyncClient(host=server.url) as client:
            stream = await client.chat("smollm2", HI, stream=True, options={"num_predict": 4000, "temperature": 2})
            async for _ in stream:
                break

    cancelled = server.metric('mlxr_requests_total{outcome="cancelled",surface="ollama"}')
    asyncio.run(leave_early())
    eventually(lambda: server.metric("mlxr_running_sequences") == server.metric("mlxr_open_requests") == 0)
    assert server.metric('mlxr_requests_total{outcome="cancelled",surface="ollama"}') == cancelled + 1
