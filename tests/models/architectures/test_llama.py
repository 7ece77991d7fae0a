"""Llama: every variant of its files gives what NumPy gives from the same weights."""

from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.tensors import TensorType
from mlxr.models.errors import ModelError, ModelFileError, UnsupportedModelError
from mlxr.models.loading import load_model
from tests.models.files import Sizes, write_model
from tests.oracle.fidelity import divergence, run_chunks
from tests.oracle.models import oracle

TOKENS = np.random.default_rng(5).integers(0, 300, 40).tolist()


def mean_divergence(path: Path) -> float:
    backend, truth = ReferenceBackend(), oracle(path)
    model = load_model(path, backend)
    hidden = run_chunks(model, backend, TOKENS, chunk=15, page_size=16)
    ours = np.array(model.logits(hidden, mx.arange(len(TOKENS))))
    return float(divergence(truth.logits(truth.hidden(TOKENS)), ours).mean())


@pytest.mark.parametrize("type", [TensorType.Q4_K, TensorType.Q6_K, TensorType.Q5_1, TensorType.IQ4_NL])
def test_quantized_files_give_the_distributions_of_their_dequantized_weights(type: TensorType, tmp_path: Path) -> None:
    assert mean_divergence(write_model(tmp_path / "m.gguf", "llama", type, Sizes())) < 1e-9


def test_the_embedding_serves_as_output_where_a_file_has_none(tmp_path: Path) -> None:
    assert mean_divergence(write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(tied=True))) < 1e-9


def test_a_head_may_be_wider_than_its_share_of_the_model(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(head_dim=96))
    assert mean_divergence(path) < 1e-9


def test_frequency_factors_in_the_file_stretch_the_rope(tmp_path: Path) -> None:
    factors = np.linspace(1, 8, 32).astype(np.float32)
    plain = write_model(tmp_path / "plain.gguf", "llama", TensorType.Q8_0, Sizes())
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(extra={"rope_freqs.weight": factors}))
    assert mean_divergence(path) < 1e-9
    difference = oracle(path).hidden(TOKENS) - oracle(plain).hidden(TOKENS)
    assert np.abs(difference).max() > 1e-3


def test_biases_are_added_where_a_file_has_them(tmp_path: Path) -> None:
    bias = np.linspace(-1, 1, 256).astype(np.float32)
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(extra={"blk.1.attn_q.bias": bias}))
    assert mean_divergence(path) < 1e-9


def test_loading_reports_its_progress_up_to_the_end(tmp_path: Path) -> None:
    seen: list[float] = []
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes())
    load_model(path, ReferenceBackend(), lambda stage, fraction: seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_a_loaded_model_knows_its_sizes(tmp_path: Path) -> None:
    model = load_model(write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes()), ReferenceBackend())
    assert (model.context_length, model.vocab_size, model.width, model.pooling) == (512, 300, 256, "last")
    assert model.pool is not None
    assert (model.pool.layers, model.pool.kv_heads, model.pool.head_dim) == (2, 2, 64)


def refused(path: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        load_model(path, ReferenceBackend())
    return caught.value


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes())
    path.write_bytes(path.read_bytes().replace(b"blk.1.ffn_up", b"blk.1.ffn_xx"))
    error = refused(path)
    assert isinstance(error, ModelFileError)
    assert error.reason == "lacks the tensor 'blk.1.ffn_up.weight'"


def test_a_tensor_of_the_wrong_shape_is_named_with_both_shapes(tmp_path: Path) -> None:
    path = write_model(
        tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(extra={"blk.0.attn_q.bias": np.ones(3, "f4")})
    )
    error = refused(path)
    assert "'blk.0.attn_q.bias' of shape (3,)" in error.reason
    assert "(256,)" in error.reason


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes())
    path.write_bytes(path.read_bytes().replace(b"llama.block_count", b"llama.block_xxxxx"))
    assert "lacks the key 'llama.block_count'" in refused(path).reason


def test_an_architecture_that_mlxr_lacks_is_named_with_those_it_has(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes())
    path.write_bytes(path.read_bytes().replace(b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0mamba"))
    error = refused(path)
    assert isinstance(error, UnsupportedModelError)
    assert "'mamba'" in error.reason
    assert "llama" in error.reason


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"rope.freq_base": 0.0}, "has '0.0' for 'llama.rope.freq_base', which should be above 0"),
        ({"rope.scaling.factor": 0.0}, "should be above 0"),
        ({"rope.dimension_count": 63}, "turns 63 dimensions by its rope"),
        ({"rope.dimension_count": 66}, "a head has 64"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, settings: dict[str, float], reason: str) -> None:
    assert (
        reason in refused(write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(settings=settings))).reason
    )


def test_key_heads_must_divide_query_heads(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(kv_heads=3))
    assert "has 4 query heads, which 3 key heads can't share evenly" in refused(path).reason


def test_a_vocabulary_larger_than_the_embedding_is_refused(tmp_path: Path) -> None:
    names = {"tokenizer.ggml.tokens": [str(n) for n in range(301)]}
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(lists=names))
    assert refused(path).reason == "names 301 tokens, and its embedding has 300"


def test_a_mixture_of_experts_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(settings={"expert_count": 8}))
    assert "mixture of experts" in refused(path).reason
