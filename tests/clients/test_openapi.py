"""The OpenAPI document is one, and no request that it allows, or that it doesn't, makes the server fail."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import Server, serving

pytestmark = pytest.mark.clients

EXAMPLES = "8"
SKIPPED = (
    "^(delete_api_delete|get_openapi_json|get_docs|get_metrics|post_api_pull|"
    ".*_api_ui_.*|(get|head)_ui.*|"
    "post_(props|lora_adapters|slots_slot)|get_models.*|post_(chat_completions|completions|embeddings|responses|responses_input_tokens|rerank|v1_tokenize|v1_detokenize))$"
)
"""Operations that would take the models away, fetch others, are the web UI's (endless streams among them), say nothing
about requests, refuse whatever they are asked, or are others' second names."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose answers are short whatever they are asked for, and whose models nobody else needs."""
    home = tmp_path_factory.mktemp("schemathesis")
    with serving(home, "smollm2", "--set", "executor.context_length=64", models=("smollm2", "minilm")) as running:
        yield running


def test_the_document_is_openapi_3_1(small: Server) -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator

    status, document = small.request("/openapi.json")
    assert status == 200
    assert document["openapi"].startswith("3.1")
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []
    assert {"/v1/chat/completions", "/api/chat", "/v1/messages"} <= set(document["paths"])
    assert small.request("/docs")[0] == 200


def test_schemathesis_finds_no_server_error(small: Server, tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{small.url}/openapi.json",
        "--checks", "not_a_server_error", "--phases", "coverage,fuzzing", "--max-examples", EXAMPLES,
        "--seed", "1", "--request-timeout", "60", "--exclude-operation-id-regex", SKIPPED,
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True, timeout=1500
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert small.chat("Hi", max_tokens=2)["choices"]
