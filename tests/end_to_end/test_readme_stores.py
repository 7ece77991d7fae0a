"""The README's lines on other tools' models and on pushes, run as printed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest

from tests.actors.registry.ollama.registry_server import Registry, registry_server
from tests.actors.registry.tool_stores.stores import ollama_model
from tests.end_to_end.test_readme_tasks import Shell, blocks
from tests.models import model_path


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path / "machine")
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    async with registry_server() as server:
        yield server


async def carry_out(shell: Shell, heading: str, registry: Registry) -> None:
    """Runs each line below a heading, with the registry of the tests in place of others."""
    for block in blocks(heading):
        for line in block:
            await anyio.to_thread.run_sync(shell.run, line.replace("localhost:5000", registry.host))


async def test_what_other_tools_have_is_used_as_printed(shell: Shell, registry: Registry) -> None:
    folder = shell.user / ".ollama/models"
    data = model_path("smollm2").read_bytes()
    ollama_model(folder, "registry.ollama.ai/library/llama3.2/1b", data, [("system", b"Be brief.")])
    await carry_out(shell, "What Ollama, LM Studio and others have here already", registry)
    assert shell.servers


async def test_a_model_is_given_away_as_printed(shell: Shell, registry: Registry) -> None:
    shell.environment["MLXR_MODELS_REGISTRY"] = registry.url
    path = shell.user / "models/some.gguf"
    await anyio.to_thread.run_sync(shell.run, f"cp {path} {path.with_name('smollm2.gguf')}")
    await anyio.to_thread.run_sync(shell.run, f"mlxr pull {path.with_name('smollm2.gguf')}")
    await carry_out(shell, "Give a model away", registry)
    assert registry.manifests.keys() == {"you/mine:v1"}
