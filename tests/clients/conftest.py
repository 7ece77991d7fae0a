"""One server with a chat model, a model without tools in its template, and an embedder, for all unmodified clients."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import ollama
import openai
import pytest

from tests.server import Server, serving

MODELS = ("smollm2", "gemma3", "minilm")
SECONDS = 60.0
"""A client that waits longer for an answer fails its test."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("clients")
    with serving(home, "smollm2", "--threads", "1", "--set", "kv.pool_tokens=16384", models=MODELS) as running:
        yield running


@pytest.fixture(scope="session")
def base_url(server: Server) -> str:
    """What OpenAI's clients are given."""
    return server.url + "/v1"


@pytest.fixture(scope="session")
def openai_client(base_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=base_url, api_key="none", max_retries=0, timeout=SECONDS) as client:
        yield client


@pytest.fixture(scope="session")
def ollama_client(server: Server) -> Iterator[ollama.Client]:
    with ollama.Client(host=server.url, timeout=SECONDS) as client:
        yield client


@pytest.fixture(scope="session")
def anthropic_client(server: Server) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0, timeout=SECONDS) as client:
        yield client
