"""Llama: every variant of its files gives what NumPy gives from the same weights."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.backend import Backend
from mlxr.metal.cache import CacheGroup
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.tensors import TensorType
from mlxr.models.architectures.pooling_head import Pooling
from mlxr.models.errors import ModelError, ModelFileError, UnsupportedModelError
from mlxr.models.loading import load_model
from mlxr.runtime.messages.kv import CacheKind
from tests.metal.backends import BACKENDS, IDS, slack
from tests.models.files import Sizes, write_header, write_model
from tests.oracle.fidelity import divergence, run_chunks
from tests.oracle.models import oracle

TOKENS = np.random.default_rng(5).integers(0, 300, 40).tolist()


def mean_divergence(path: Path, backend: Backend | None = None) -> float:
    backend, truth = backend or ReferenceBackend(), oracle(path)
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


BIASES = {
    "attn_q": 256,
    "attn_k": 128,
    "attn_v": 128,
    "attn_output": 256,
    "ffn_gate": 512,
    "ffn_up": 512,
    "ffn_down": 256,
}


@pytest.mark.parametrize("name", BIASES)
@pytest.mark.parametrize("backend", [ReferenceBackend(), *BACKENDS], ids=["reference", *IDS])
def test_biases_are_added_where_a_file_has_them(name: str, backend: Backend, tmp_path: Path) -> None:
    bias = np.linspace(-1, 1, BIASES[name]).astype(np.float32)
    plain = write_model(tmp_path / "plain.gguf", "llama", TensorType.Q8_0, Sizes())
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(extra={f"blk.1.{name}.bias": bias}))
    assert mean_divergence(path, backend) < (1e-9 if backend.name == "reference" else 1e-5 * slack(backend, 10))
    difference = oracle(path).hidden(TOKENS) - oracle(plain).hidden(TOKENS)
    assert np.abs(difference).max() > 1e-2


@pytest.mark.parametrize("settings", [{"attention.sliding_window": 7}, {"attention.scale": 0.5}])
def test_settings_that_few_files_have_are_kept_to(settings: dict[str, float], tmp_path: Path) -> None:
    plain = write_model(tmp_path / "plain.gguf", "llama", TensorType.Q8_0, Sizes())
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(settings=settings))
    assert mean_divergence(path) < 1e-9
    assert np.abs(oracle(path).hidden(TOKENS) - oracle(plain).hidden(TOKENS)).max() > 1e-3


@pytest.mark.parametrize(
    "name",
    [
        "output.bias",
        "output_norm.bias",
        "blk.0.attn_norm.bias",
        "blk.0.ffn_norm.bias",
        "blk.0.attn_q_norm.weight",
        "blk.1.attn_sinks.weight",
        "blk.0.ffn_gate.scale",
        "blk.0.rope_freqs.weight",
        "blk.2.ffn_up.weight",
        "rope_factors_long.weight",
        "cls.weight",
        "something.else",
    ],
)
def test_a_tensor_that_nobody_uses_is_an_error_that_names_it(name: str, tmp_path: Path) -> None:
    extra = {name: np.ones(32, np.float32)}
    error = refused(write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(extra=extra)))
    assert isinstance(error, UnsupportedModelError)
    assert f"has the tensor {name!r}, which mlxr's 'llama' does not use" in error.reason


def test_many_tensors_that_nobody_uses_are_counted(tmp_path: Path) -> None:
    extra = {f"more.{i}": np.ones(3, np.float32) for i in range(9)}
    error = refused(write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(extra=extra)))
    assert "'more.3' and 5 more" in error.reason


def test_tensors_that_change_nothing_may_be_there(tmp_path: Path) -> None:
    extra = {"blk.0.attn_rot_embd.weight": np.ones(32, np.float32)}
    load_model(write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(extra=extra)), ReferenceBackend())


@pytest.mark.parametrize(
    "settings",
    [
        {"logit_scale": 8.0},
        {"residual_scale": 0.5},
        {"embedding_scale": 12.0},
        {"attn_logit_softcapping": 50.0},
        {"final_logit_softcapping": 30.0},
        {"attention.clamp_kqv": 8.0},
        {"attention.max_alibi_bias": 8.0},
        {"attention.temperature_scale": 0.1},
        {"use_parallel_residual": 1},
        {"rope.freq_base_swa": 1e6},
        {"rope.dimension_count_swa": 32},
        {"attention.key_length_mla": 192},
        {"expert_used_count": 2},
        {"a.setting.of.the.future": 3},
    ],
)
def test_a_setting_that_nobody_uses_is_an_error_that_names_it(settings: dict[str, float], tmp_path: Path) -> None:
    (key,) = settings
    error = refused(write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(settings=settings)))
    assert isinstance(error, UnsupportedModelError)
    assert f"has the setting 'llama.{key}', which mlxr's 'llama' does not know" in error.reason


def test_settings_that_say_nothing_may_be_there(tmp_path: Path) -> None:
    settings = {
        "logit_scale": 1.0,
        "attn_logit_softcapping": 0.0,
        "expert_count": 0,
        "expert_used_count": 0,
        "vocab_size": 300,
        "tensor_data_layout": "Meta AI original pth",
        "attention.value_length": 64,
        "rope.scaling.original_context_length": 512,
        "attention.sliding_window": 4096,
    }
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(settings=settings))
    assert mean_divergence(path) < 1e-9


def test_loading_reports_its_progress_up_to_the_end(tmp_path: Path) -> None:
    seen: list[float] = []
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes())
    load_model(path, ReferenceBackend(), lambda stage, fraction: seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_a_loaded_model_knows_its_sizes(tmp_path: Path) -> None:
    model = load_model(write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes()), ReferenceBackend())
    assert (model.context_length, model.vocab_size, model.pooling) == (512, 300, (Pooling.LAST,))
    assert model.cache_groups == (CacheGroup(CacheKind.FULL, (0, 1), 2, 64),)


def refused(path: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        load_model(path, ReferenceBackend())
    return caught.value


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes())
    path.write_bytes(path.read_bytes().replace(b"blk.1.ffn_up", b"blk.1.ffn_xx"))
    error = refused(path)
    assert isinstance(error, ModelFileError)
    assert error.reason == "lacks the tensor 'blk.1.ffn_up.weight'; fetch all of the model's files"


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
    path.write_bytes(path.read_bytes().replace(b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0rwkv7"))
    error = refused(path)
    assert isinstance(error, UnsupportedModelError)
    assert "'rwkv7'" in error.reason
    assert "llama" in error.reason


YARN = {"rope.scaling.type": "yarn", "rope.scaling.original_context_length": 512}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"rope.freq_base": 0.0}, "has '0.0' for 'llama.rope.freq_base', which should be above 0"),
        ({"rope.scaling.factor": 0.0}, "should be above 0"),
        ({"rope.dimension_count": 63}, "turns 63 dimensions by its rope"),
        ({"rope.dimension_count": 66}, "a head has 64"),
        ({"rope.dimension_count": 1 << 28}, "should be at most 4096"),
        ({"attention.value_length": 32}, "has values of 32 numbers a head and keys of 64"),
        ({"attention.sliding_window": 0.5}, "should be a whole number"),
        ({"rope.freq_base": float("nan")}, "should be a number"),
        ({"rope.freq_base": float("inf")}, "should be a number"),
        ({"rope.freq_base": -1.0}, "should be above 0"),
        ({"rope.scaling.factor": 1e-40}, "make no angles"),
        ({"rope.freq_base": "text"}, "should be a number"),
        ({"rope.scaling.attn_factor": -1.0}, "should be above 0"),
        ({"rope.scaling.type": "su"}, "scales its rope by 'su'"),
        ({"rope.scaling.type": 3}, "should be text"),
        ({"rope.scaling.type": "yarn"}, "lacks the key 'llama.rope.scaling.original_context_length'"),
        ({**YARN, "rope.freq_base": 1.0}, "has the rope base 1.0"),
        ({**YARN, "rope.scaling.yarn_beta_fast": 0.0}, "should be above 0"),
        ({**YARN, "rope.scaling.yarn_ext_factor": 0.5}, "yarn_ext_factor"),
        ({**YARN, "rope.scaling.factor": 1e-20}, "make no angles"),
        ({"pooling_type": 9}, "pools by type 9"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, settings: dict[str, float], reason: str) -> None:
    assert (
        reason in refused(write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(settings=settings))).reason
    )


@pytest.mark.parametrize(
    "sizes",
    [
        Sizes(head_dim=1 << 28),
        Sizes(layers=1 << 30),
        Sizes(heads=1 << 31),
        Sizes(kv_heads=1 << 31),
        Sizes(width=1 << 31),
        Sizes(hidden=1 << 31),
        Sizes(heads=0),
        Sizes(head_dim=0),
        Sizes(layers=0),
    ],
)
def test_sizes_that_no_model_has_cost_an_error_and_no_memory(sizes: Sizes, tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes())
    header = write_header(tmp_path / "h.gguf", "llama", sizes, path)
    tracemalloc.start()
    try:
        assert "which should be" in refused(header).reason
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_key_heads_must_divide_query_heads(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(kv_heads=3))
    assert "has 4 query heads, which 3 key heads can't share evenly" in refused(path).reason


def test_a_vocabulary_larger_than_the_embedding_is_refused(tmp_path: Path) -> None:
    names = {"tokenizer.ggml.tokens": [str(n) for n in range(301)]}
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(lists=names))
    assert refused(path).reason.startswith("names 301 tokens, and its embedding has 300; fetch all")


def test_a_mixture_that_does_not_say_how_many_experts_a_token_uses_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(settings={"expert_count": 8}))
    assert "lacks the key 'llama.expert_used_count'" in refused(path).reason
