from __future__ import annotations

from pathlib import Path

from mlxr.actors.registry.tool_stores.llama_cpp import scan
from tests.actors.registry.packages import tiny_gguf


def test_each_file_of_the_cache_is_a_model_but_for_projectors(tmp_path: Path) -> None:
    tiny_gguf(tmp_path / "org_tiny_tiny-q4_0.gguf")
    tiny_gguf(tmp_path / "org_tiny_mmproj-tiny.gguf")
    (tmp_path / "org_tiny_tiny-q4_0.gguf.json").write_text("{}")
    (tmp_path / "other.gguf.downloadInProgress").write_bytes(b"GGUF")
    (model,) = scan(tmp_path).models
    assert (model.full_name, model.catalogue_name) == ("llama.cpp:org_tiny_tiny-q4_0", "org_tiny_tiny-q4_0")
