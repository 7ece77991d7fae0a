"""Every family gives the logits that Hugging Face's transformers gives, from a folder and from a GGUF file."""

from __future__ import annotations

import json
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.metal.backend import Backend
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.select import select_backend
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.loading import LoadedModel, check_model, load_model
from mlxr.runtime.messages.kv import CacheKind
from tests.models.architectures.checkpoints import (
    CASES,
    POSITIONS,
    TOKENS,
    config_of,
    safetensors,
    tensors_of,
    write_folder,
    write_gguf,
)
from tests.oracle.fidelity import run_chunks

RECORDED = json.loads((Path(__file__).parents[2] / "data" / "logits.json").read_text())
IN_GGUF = [case for case in CASES if case not in ("qwen2 with windows", "qwen3_moe with a dense layer")]
"""llama.cpp's files have no windows for Qwen2, and no dense layers among Qwen3's experts."""

IN_FOLDERS = list(CASES)

NATIVE, _ = select_backend()


def logits_of(model: LoadedModel, backend: Backend) -> NDArray[np.float32]:
    hidden = run_chunks(model, backend, TOKENS, chunk=13, page_size=16)
    return np.array(model.logits(hidden, mx.array(POSITIONS)))


def error(case: str, logits: NDArray[np.float32]) -> float:
    """The largest difference, relative to the largest logit."""
    expected = np.array(RECORDED[case])
    return float(np.abs(logits - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("case", IN_FOLDERS)
def test_a_folder_gives_the_logits_of_transformers(case: str, tmp_path: Path) -> None:
    backend = ReferenceBackend()
    model = load_model(write_folder(tmp_path / "model", config_of(case)), backend)
    assert error(case, logits_of(model, backend)) < 1e-4


@pytest.mark.parametrize("case", IN_GGUF)
def test_a_gguf_file_of_the_same_weights_gives_them_too(case: str, tmp_path: Path) -> None:
    backend = ReferenceBackend()
    model = load_model(write_gguf(tmp_path / "model.gguf", config_of(case)), backend)
    assert error(case, logits_of(model, backend)) < 1e-4


@pytest.mark.parametrize("case", IN_FOLDERS)
def test_the_backend_of_this_machine_gives_them_but_for_16_bit_keys_and_values(case: str, tmp_path: Path) -> None:
    model = load_model(write_folder(tmp_path / "model", config_of(case)), NATIVE)
    assert error(case, logits_of(model, NATIVE)) < 3e-3


@pytest.mark.parametrize("prefix", ["language_model.model.", "model.language_model."])
def test_the_language_model_of_one_that_looks_at_images_runs_without_them(prefix: str, tmp_path: Path) -> None:
    backend, config = ReferenceBackend(), config_of("gemma3")
    outer = {
        "model_type": "gemma3",
        "text_config": config,
        "vision_config": {"hidden_size": 9},
        "mm_tokens_per_image": 256,
        "image_token_index": 262144,
    }
    tensors = {name.replace("model.", prefix, 1): values for name, values in tensors_of(config).items()}
    seen = {"model.vision_tower.x.weight": np.ones((2, 2), np.float32)}
    (tmp_path / "config.json").write_text(json.dumps(outer))
    (tmp_path / "model.safetensors").write_bytes(safetensors({**tensors, **seen}))
    assert error("gemma3", logits_of(load_model(tmp_path, backend), backend)) < 1e-4
    (tmp_path / "model.safetensors").write_bytes(safetensors({**tensors, **tensors_of(config)}))
    with pytest.raises(ModelFileError, match="twice"):
        load_model(tmp_path, backend)


def test_gpt_oss_gives_them_on_the_backend_of_this_machine_too(tmp_path: Path) -> None:
    model = load_model(write_gguf(tmp_path / "model.gguf", config_of("gpt_oss")), NATIVE)
    assert error("gpt_oss", logits_of(model, NATIVE)) < 3e-3


def test_tensors_may_be_spread_over_files(tmp_path: Path) -> None:
    backend = ReferenceBackend()
    model = load_model(write_folder(tmp_path / "model", config_of("qwen3"), files=3), backend)
    assert error("qwen3", logits_of(model, backend)) < 1e-4


def test_layers_that_keep_alike_are_a_cache_group(tmp_path: Path) -> None:
    model = load_model(write_folder(tmp_path / "model", config_of("gemma3")), ReferenceBackend())
    window, whole = model.cache_groups
    assert (window.kind, window.layers, window.window) == (CacheKind.WINDOW, (0, 1, 2, 3, 4, 6), 9)
    assert (whole.kind, whole.layers, whole.window) == (CacheKind.FULL, (5,), None)
    assert (whole.kv_heads, whole.head_dim) == (2, 32)


@pytest.mark.parametrize(
    ("case", "settings"),
    [
        ("seed_oss", {"residual_dropout": 0.1, "attention_dropout": 0.1}),
        ("phi3", {"original_max_position_embeddings": 512, "embd_pdrop": 0.1}),
        ("qwen2_moe", {"qkv_bias": True}),
    ],
)
def test_settings_that_say_nothing_of_answers_are_left_out(
    case: str, settings: dict[str, object], tmp_path: Path
) -> None:
    backend = ReferenceBackend()
    path = write_folder(tmp_path / "model", config_of(case))
    (path / "config.json").write_text(json.dumps({**config_of(case), **settings}))
    assert error(case, logits_of(load_model(path, backend), backend)) < 1e-4


@pytest.mark.parametrize(
    ("case", "changes", "reason"),
    [
        ("qwen2", {"attention_bias": True}, "the setting 'attention_bias'"),
        ("qwen3", {"partial_rotary_factor": 0.5}, "the setting 'partial_rotary_factor'"),
        ("llama", {"a_setting_of_the_future": 3}, "the setting 'a_setting_of_the_future'"),
        ("llama", {"hidden_act": "relu"}, "uses the activation 'relu'"),
        ("llama", {"rope_interleaved": True}, "the setting 'rope_interleaved'"),
        ("qwen3", {"is_causal": False}, "the setting 'is_causal'"),
        ("qwen2", {"num_experts": 8}, "mixture of experts"),
        ("llama", {"num_local_experts": 8, "num_experts_per_tok": 9}, "each token would use 9"),
        ("mixtral", {"num_experts_per_tok": 0}, "1 or more"),
        ("qwen3_moe", {"mlp_only_layers": ["all"]}, "a list of whole numbers"),
        ("qwen3_moe", {"num_experts": 1 << 20}, "at most 4096"),
        ("llama", {"rope_scaling": {"rope_type": "axial", "factor": 2.0}}, "scales its rope by 'axial'"),
        ("llama", {"quantization_config": {"bits": 4}}, "in its quantization_config"),
        ("gemma3", {"layer_types": ["chunked_attention"] * 7}, "layers of the type 'chunked_attention'"),
        ("gemma3", {"layer_types": ["full_attention"]}, "lists 1 layer_types for 7 layers"),
        ("ernie4_5", {"use_bias": True}, "the setting 'use_bias'"),
        ("smollm3", {"no_rope_layers": [1, 2, 3]}, "a list of 5 flags"),
        ("granite", {"residual_multiplier": 0.0}, "should be above 0"),
        ("granite", {"residual_multiplier": 1e-200}, "leaves nothing of them"),
        ("phi3 with a long context", {"original_max_position_embeddings": 1}, "an original context of 1 token"),
        ("phi3 with a long context", {"rope_scaling": {"type": "longrope", "long_factor": [0.0] * 6}}, "above 0"),
        ("phi3 with a long context", {"rope_scaling": {"type": "longrope", "long_factor": [1.0]}}, "of 6 numbers"),
        ("glm4", {"partial_rotary_factor": 3.0}, "turns 3.0 of the 32 dimensions"),
        ("qwen2", {"tie_word_embeddings": False, "model_type": "qwen9"}, "of the architecture 'qwen9'"),
    ],
)
def test_what_changes_the_numbers_is_kept_to_or_refused(
    case: str, changes: dict[str, object], reason: str, tmp_path: Path
) -> None:
    path = write_folder(tmp_path / "model", config_of(case))
    (path / "config.json").write_text(json.dumps({**config_of(case), **changes}))
    with pytest.raises((UnsupportedModelError, ModelFileError), match=reason):
        load_model(path, ReferenceBackend())


@pytest.mark.parametrize(
    ("case", "tensor"),
    [
        ("qwen2", "2.self_attn.k_proj.bias"),
        ("qwen3", "2.self_attn.q_norm.weight"),
        ("llama with biases", "0.mlp.down_proj.bias"),
        ("llama", "lm_head.weight"),
        ("gemma3", "6.post_feedforward_layernorm.weight"),
        ("phi3", "1.self_attn.qkv_proj.weight"),
        ("glm4", "2.mlp.gate_up_proj.weight"),
        ("seed_oss", "0.self_attn.v_proj.bias"),
    ],
)
def test_every_tensor_that_the_family_has_must_be_there(case: str, tensor: str, tmp_path: Path) -> None:
    path = write_folder(tmp_path / "model", config_of(case), without=tensor)
    with pytest.raises(ModelFileError, match=f"lacks the tensor '.*{tensor}'"):
        load_model(path, ReferenceBackend())


@pytest.mark.parametrize("case", IN_FOLDERS)
def test_a_header_s_check_asks_for_the_tensors_that_a_load_asks_for(case: str, tmp_path: Path) -> None:
    check_model(write_folder(tmp_path / "whole", config_of(case)))
    name = "model.layers.0.input_layernorm.weight"
    broken = write_folder(tmp_path / "broken", config_of(case), without=name)
    with pytest.raises(ModelFileError, match=f"lacks the tensor '{name}'"):
        check_model(broken)


def test_notes_in_a_configuration_change_nothing(tmp_path: Path) -> None:
    notes = {
        "architectures": ["LlamaForCausalLM"],
        "transformers_version": "5.24.0",
        "dtype": "bfloat16",
        "use_cache": True,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "pretraining_tp": 1,
        "pad_token_id": None,
        "eos_token_id": [2, 3],
        "max_window_layers": 28,
        "is_llama_config": True,
        "rope_interleaved": False,
        "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16"}},
        "repetition_penalty": 1.0,
        "num_beam_groups": 1,
        "pruned_heads": {},
    }
    path = write_folder(tmp_path / "model", config_of("llama"))
    (path / "config.json").write_text(json.dumps({**config_of("llama"), **notes}))
    load_model(path, ReferenceBackend())
