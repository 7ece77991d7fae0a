from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlxr.models.errors import UnsupportedModelError
from mlxr.models.quantization.measure import chunks_of, measure
from tests.models import model_path
from tests.models.architectures.checkpoints import config_of, write_folder
from tests.models.quantization.models import VOCABULARY, WIDTH, small_model, values_in

LETTERS = "".join(chr(0x4E00 + at) for at in range(VOCABULARY - 3))


def text_of(length: int) -> str:
    picked = np.random.default_rng(3).integers(0, len(LETTERS), length)
    return "".join(LETTERS[at] for at in picked)


def test_the_first_matrices_are_told_the_normed_embedding(tmp_path: Path) -> None:
    path = small_model(tmp_path / "m.gguf", layers=2)
    chunks = chunks_of(path, text_of(200), 64)
    assert [len(chunk) for chunk in chunks] == [64, 64, 64]
    assert {chunk[0] for chunk in chunks} == {1}
    heard: list[tuple[int, int]] = []
    found = measure(path, chunks, lambda done, total: heard.append((done, total)))
    assert heard == [(64, 192), (128, 192), (192, 192)]
    values = values_in(path)
    rows = values["token_embd.weight"][np.array(chunks).reshape(-1)].astype(np.float64)
    normed = rows / np.sqrt((rows**2).mean(-1, keepdims=True) + 1e-5) * values["blk.0.attn_norm.weight"]
    for part in ("attn_q", "attn_k", "attn_v"):
        made = found[f"blk.0.{part}.weight"]
        np.testing.assert_allclose(made.sums[0], (normed**2).sum(0), rtol=1e-4)
        assert made.counts.tolist() == [192]
    assert found["blk.1.ffn_down.weight"].sums.shape == (1, 512)
    assert "output.weight" not in found
    assert "token_embd.weight" not in found


def test_each_expert_counts_the_tokens_that_it_was_given(tmp_path: Path) -> None:
    path = small_model(tmp_path / "m.gguf", layers=1, experts=4)
    found = measure(path, chunks_of(path, text_of(80), 64), lambda done, total: None)
    for part in ("up", "gate", "down"):
        made = found[f"blk.0.ffn_{part}_exps.weight"]
        assert made.sums.shape == (4, 512 if part == "down" else WIDTH)
        assert made.counts.sum() == 2 * 64
        assert (made.sums[made.counts > 0] > 0).any(axis=1).all()


def test_a_folder_is_measured_by_gguf_s_names(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "m", config_of("qwen3"))
    tokens = np.random.default_rng(1).integers(3, 100, 48).tolist()
    found = measure(folder, [tokens], lambda done, total: None)
    names = {f"blk.{layer}.{part}.weight" for layer in range(3) for part in ("attn_q", "attn_output", "ffn_down")}
    assert names <= found.keys()


def test_a_short_text_is_refused(tmp_path: Path) -> None:
    path = small_model(tmp_path / "m.gguf", layers=1)
    with pytest.raises(ValueError, match="makes 10 tokens, and 64 are needed"):
        chunks_of(path, text_of(9), 64)


def test_an_embedding_model_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="is an embedding model"):
        measure(model_path("minilm"), [[1, 2, 3]], lambda done, total: None)
