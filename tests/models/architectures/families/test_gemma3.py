"""Gemma 3 with a short window: sliding and global layers, norms and softcap, against NumPy."""

from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.tensors import TensorType
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.loading import load_model
from tests.models.files import Sizes, write_model
from tests.oracle.fidelity import divergence, run_chunks
from tests.oracle.models import oracle

TOKENS = np.random.default_rng(5).integers(0, 100, 50).tolist()
SMALL = {"layers": 7, "width": 64, "hidden": 96, "heads": 4, "kv_heads": 1, "head_dim": 32, "vocabulary": 100}
KEYS = {"attention.sliding_window": 9, "rope.freq_base": 1e6}


@pytest.mark.parametrize("chunk", [1, 13, 50])
def test_windowed_and_global_layers_give_what_numpy_gives_in_chunks_of_any_size(tmp_path: Path, chunk: int) -> None:
    path = write_model(tmp_path / "m.gguf", "gemma3", TensorType.Q8_0, Sizes(**SMALL, tied=True, settings=KEYS))
    backend, truth = ReferenceBackend(), oracle(path)
    model = load_model(path, backend)
    hidden = run_chunks(model, backend, TOKENS, chunk, page_size=16)
    ours = np.array(model.logits(hidden, mx.arange(len(TOKENS))))
    assert divergence(truth.logits(truth.hidden(TOKENS)), ours).mean() < 1e-9


def test_logits_are_capped_where_the_file_says_so(tmp_path: Path) -> None:
    keys = KEYS | {"final_logit_softcapping": 2.0}
    path = write_model(tmp_path / "m.gguf", "gemma3", TensorType.Q8_0, Sizes(**SMALL, tied=True, settings=keys))
    backend, truth = ReferenceBackend(), oracle(path)
    model = load_model(path, backend)
    ours = model.logits(run_chunks(model, backend, TOKENS, 50, 16), mx.arange(len(TOKENS)))
    expected = 2 * np.tanh(truth.logits(truth.hidden(TOKENS)) / 2)
    assert np.abs(np.array(ours) - expected).max() < 1e-4


def test_what_looks_at_images_may_be_left_out_and_nothing_else(tmp_path: Path) -> None:
    extra = {"v.blk.0.attn_q.weight": np.ones((4, 4), np.float32), "mm.input_projection.weight": np.ones(4, np.float32)}
    keys = {**KEYS, "vision.block_count": 27, "mm.tokens_per_image": 256, "rope.local.freq_base": 10000.0}
    path = write_model(tmp_path / "m.gguf", "gemma3", TensorType.Q8_0, Sizes(**SMALL, extra=extra, settings=keys))
    load_model(path, ReferenceBackend())
    for wrong in (
        {"extra": {"blk.0.ffn_up.bias": np.ones(96, np.float32)}},
        {"extra": {"blk.3.attn_q.bias": np.ones(128, np.float32)}},
        {"settings": {**KEYS, "attn_logit_softcapping": 50.0}},
        {"settings": {**KEYS, "rope.local.freq_base": 1e6}},
        {"settings": {**KEYS, "rope.dimension_count": 16}},
    ):
        path = write_model(
            tmp_path / "m.gguf", "gemma3", TensorType.Q8_0, Sizes(**{**SMALL, "settings": KEYS, **wrong})
        )
        with pytest.raises(UnsupportedModelError, match=r"does not (use|know)|mlxr turns all"):
            load_model(path, ReferenceBackend())
