"""Every source that can be read by ranges can be looked into: the Hub, registries of Ollama's kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlxr.actors.registry.fit.dry_run import DryRun
from mlxr.actors.registry.ollama.address import RegistryAt
from tests.actors.registry.ollama.registry_server import registry_server
from tests.actors.registry.packages import files_under, tiny_bert, tiny_gguf
from tests.actors.registry.sources.huggingface.conftest import hub  # noqa: F401
from tests.actors.registry.sources.huggingface.fake_hub import FakeHub


def tiny(tmp_path: Path, more: int = 0) -> bytes:
    return tiny_gguf(tmp_path / "source.gguf") + bytes(more)


async def test_a_quantization_of_the_hub_is_told_of(look: DryRun, hub: FakeHub, tmp_path: Path) -> None:  # noqa: F811
    hub.add("Org/Tiny-GGUF", {"README.md": b"# x", "Tiny-Q4_K_M.gguf": tiny(tmp_path, 8 << 20)})
    found = await look.estimate("hf.co/Org/Tiny-GGUF:Q4_K_M")
    assert found.runs, found.why
    assert found.architecture == "llama"
    assert found.size > 8 << 20
    assert found.read <= 1 << 20
    assert found.memory is not None


async def test_a_folder_of_the_hub_is_told_of(look: DryRun, hub: FakeHub) -> None:  # noqa: F811
    files = {**tiny_bert(), "README.md": b"# x"}
    hub.add("Org/Bert", files)
    found = await look.estimate("hf.co/Org/Bert")
    assert found.runs, found.why
    assert (found.format, found.architecture, found.capabilities) == ("safetensors", "bert", ["embedding"])
    assert found.speed is None
    assert found.memory is not None
    assert found.memory.context == 0


@pytest.mark.parametrize("typed", ["tiny", "tiny:1b", "me/mine:v1"])
async def test_a_model_of_a_registry_is_told_of_by_the_name_that_people_type(
    typed: str, look: DryRun, tmp_path: Path
) -> None:
    name = typed if "/" in typed else f"library/{typed if ':' in typed else f'{typed}:latest'}"
    async with registry_server() as registry:
        registry.add(name, tiny(tmp_path, 8 << 20), [("license", b"MIT")])
        found = await replace(look, registry=RegistryAt(registry.url)).estimate(typed)
    assert found.runs, found.why
    assert found.architecture == "llama"
    assert found.read <= 1 << 20 < found.size
    assert files_under(look.home.models) == []
