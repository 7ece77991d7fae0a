"""Pools of real models whose arrays grow as pages are wanted, and shrink when memory is."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlxr.actors.executor import pool_size
from mlxr.metal.reference.backend import ReferenceBackend
from tests.actors.executor.engines import ask, computed_anew, engine_of, prompt_of, said, small_pool
from tests.actors.executor.test_cache_groups import loaded


@pytest.mark.parametrize("name", ["gemma3", "deepseek_v3", "qwen3_5"])
def test_a_pool_that_grows_and_shrinks_while_sequences_run_changes_no_text(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_size, "EXTENT_TOKENS", 16)
    model, backend = loaded(name, tmp_path), ReferenceBackend()
    engine = engine_of(model, backend, small_pool(model, 400))
    prompts = [prompt_of(40 + 30 * kind, kind) for kind in range(3)]
    whole = sum(group.pages * group.page_bytes for group in engine.groups)
    for request, prompt in enumerate(prompts, 1):
        ask(engine, request, prompt)
        for _ in range(25):
            engine.move()
        engine.limit(whole // 3 if request % 2 else whole)
    engine.settle()
    for request, prompt in enumerate(prompts, 1):
        assert said(engine, request) == computed_anew(model, backend, prompt)
