"""Decoders of ``checkpoints_decoders.py`` give the logits of transformers, from folders and from GGUF files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.backend import Backend
from mlxr.metal.pool import PoolSpec
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.select import select_backend
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.loading import LoadedModel, check_model, load_model
from mlxr.runtime.messages.kv import CacheKind
from tests.metal.batches import ragged
from tests.models.architectures.checkpoints import POSITIONS, TOKENS, safetensors
from tests.models.architectures.checkpoints_decoders import (
    CASES,
    config_of,
    tensors_of,
    write_folder,
    write_gguf,
)
from tests.oracle.fidelity import run_chunks

RECORDED = json.loads((Path(__file__).parents[2] / "data" / "logits_decoders.json").read_text())
IN_GGUF = [case for case in CASES if case != "llama4 with short chunks"]
"""GGUF files do not say how long Llama 4's chunks are."""

NATIVE, _ = select_backend()


def error(case: str, model: LoadedModel, backend: Backend, chunk: int = 13) -> float:
    """The largest difference, relative to the largest logit."""
    hidden = run_chunks(model, backend, TOKENS, chunk, page_size=16)
    logits, expected = np.array(model.logits(hidden, mx.array(POSITIONS))), np.array(RECORDED[case])
    return float(np.abs(logits - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("chunk", [1, 13, 40])
@pytest.mark.parametrize("case", CASES)
def test_a_folder_gives_the_logits_of_transformers(case: str, chunk: int, tmp_path: Path) -> None:
    backend = ReferenceBackend()
    assert error(case, load_model(write_folder(tmp_path, config_of(case)), backend), backend, chunk) < 1e-4


@pytest.mark.parametrize("case", IN_GGUF)
def test_a_gguf_file_of_the_same_weights_gives_them_too(case: str, tmp_path: Path) -> None:
    backend = ReferenceBackend()
    model = load_model(write_gguf(tmp_path / "model.gguf", config_of(case)), backend)
    assert error(case, model, backend) < 1e-4


@pytest.mark.parametrize("case", CASES)
def test_the_backend_of_this_machine_gives_them_but_for_16_bit_keys_and_values(case: str, tmp_path: Path) -> None:
    model = load_model(write_folder(tmp_path, config_of(case)), NATIVE)
    assert error(case, model, NATIVE) < 3e-3


@pytest.mark.parametrize("case", CASES)
def test_a_header_s_check_asks_for_the_tensors_that_a_load_asks_for(case: str, tmp_path: Path) -> None:
    check_model(write_folder(tmp_path / "whole", config_of(case)))
    for name in ("model.layers.0.self_attn.k_proj.weight", next(reversed(tensors_of(config_of(case))))):
        broken = write_folder(tmp_path / name, config_of(case), without=name)
        with pytest.raises(ModelFileError, match=f"lacks the tensor '{name}'"):
            check_model(broken)


@pytest.mark.parametrize("prefix", ["language_model.model.", "model.language_model."])
def test_ministral_runs_from_a_folder_that_looks_at_images_without_them(prefix: str, tmp_path: Path) -> None:
    backend, config = ReferenceBackend(), config_of("ministral3")
    outer = {
        "model_type": "mistral3",
        "text_config": config,
        "vision_config": {"hidden_size": 9, "model_type": "pixtral"},
        "image_token_index": 10,
        "spatial_merge_size": 2,
        "projector_hidden_act": "gelu",
        "multimodal_projector_bias": False,
        "vision_feature_layer": -1,
    }
    names = {"model.": prefix, "lm_head.": "language_model.lm_head." if prefix.startswith("lang") else "lm_head."}
    tensors = {
        names[f"{name.partition('.')[0]}."] + name.partition(".")[2]: numbers
        for name, numbers in tensors_of(config).items()
    }
    seen = {"multi_modal_projector.x.weight": np.ones((2, 2), np.float32)}
    (tmp_path / "config.json").write_text(json.dumps(outer))
    (tmp_path / "model.safetensors").write_bytes(safetensors({**tensors, **seen}))
    assert error("ministral3", load_model(tmp_path, backend), backend) < 1e-4


def test_mistral_small_has_queries_that_do_not_grow(tmp_path: Path) -> None:
    config = {**config_of("ministral3"), "model_type": "mistral", "rope_parameters": {"rope_theta": 1e6}}
    folder = write_folder(tmp_path, config_of("ministral3"))
    (folder / "config.json").write_text(json.dumps({"model_type": "mistral3", "text_config": config}))
    model = load_model(folder, ReferenceBackend())
    assert all(layer.mixer.temperature is None for layer in model.spec.layers)  # type: ignore[union-attr]


def test_mlx_lm_s_folders_have_a_layer_s_experts_in_one_tensor(tmp_path: Path) -> None:
    case, backend = "glm4_moe", ReferenceBackend()
    config, tensors = config_of(case), tensors_of(config_of(case))
    for layer in range(config["first_k_dense_replace"], config["num_hidden_layers"]):
        at = f"model.layers.{layer}.mlp"
        for part in ("gate", "up", "down"):
            names = [f"{at}.experts.{expert}.{part}_proj.weight" for expert in range(config["n_routed_experts"])]
            tensors[f"{at}.switch_mlp.{part}_proj.weight"] = np.stack([tensors.pop(name) for name in names])
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(safetensors(tensors))
    assert error(case, load_model(tmp_path, backend), backend) < 1e-4


def test_layers_that_draft_tokens_are_left_out(tmp_path: Path) -> None:
    case, backend = "glm4_moe", ReferenceBackend()
    config, tensors = config_of(case), tensors_of(config_of(case))
    drafting = {"model.layers.3.eh_proj.weight": np.ones((64, 128), np.float32)}
    (tmp_path / "config.json").write_text(json.dumps({**config, "num_nextn_predict_layers": 1}))
    (tmp_path / "model.safetensors").write_bytes(safetensors({**tensors, **drafting}))
    assert error(case, load_model(tmp_path, backend), backend) < 1e-4


def test_chunks_keep_what_a_window_of_their_size_keeps(tmp_path: Path) -> None:
    model = load_model(write_folder(tmp_path, config_of("llama4 with short chunks")), ReferenceBackend())
    chunked, whole = model.cache_groups
    assert (chunked.kind, chunked.layers, chunked.window) == (CacheKind.WINDOW, (0, 1, 2, 4), 16)
    assert (whole.kind, whole.layers) == (CacheKind.FULL, (3,))


@pytest.mark.parametrize(
    ("case", "changes", "reason"),
    [
        ("cohere", {"use_qk_norm": True}, "the setting 'use_qk_norm'"),
        ("cohere", {"attention_bias": True}, "the setting 'attention_bias'"),
        ("cohere2", {"use_parallel_block": False}, "the setting 'use_parallel_block'"),
        ("hunyuan_v1_moe", {"moe_topk": [3, 2, 3]}, "layers that differ in moe_topk"),
        ("hunyuan_v1_dense", {"use_cla": True}, "the setting 'use_cla'"),
        ("hunyuan_v1_dense", {"rope_scaling": {"type": "dynamic", "alpha": -2.0}}, "by an alpha of -2.0"),
        ("glm4_moe", {"n_group": 3}, "16 experts in 3 groups"),
        ("glm4_moe", {"first_k_dense_replace": "no"}, "a whole number"),
        ("granitemoeshared", {"shared_intermediate_size": -1}, "a shared expert of -1 numbers"),
        ("llama4", {"layer_types": ["full_attention"] * 5}, "has layer_types other than"),
        ("llama4", {"no_rope_layers": [1]}, "a list of 5 flags"),
        ("stablelm", {"use_parallel_residual": True}, "the setting 'use_parallel_residual'"),
        ("phi", {"qk_layernorm": True}, "the setting 'qk_layernorm'"),
        ("olmoe", {"clip_qkv": 8.0}, "the setting 'clip_qkv'"),
        ("minimax_m2", {"use_routing_bias": False}, "the setting 'use_routing_bias'"),
        ("minimax_m2", {"rotary_dim": 0}, "1 or more"),
        ("dots1", {"n_group": 3}, "16 experts in 3 groups"),
        ("ernie4_5_moe", {"moe_num_shared_experts": -1}, "shared experts of -32 numbers"),
        ("gemma", {"hidden_act": "silu"}, "uses the activation 'silu'"),
        ("nemotron", {"hidden_act": "silu"}, "uses the activation 'silu'"),
        ("olmo3", {"layer_types": ["full_attention"]}, "lists 1 layer_types for 4 layers"),
        ("ministral3", {"hidden_act": "gelu"}, "uses the activation 'gelu'"),
    ],
)
def test_what_changes_the_numbers_is_kept_to_or_refused(
    case: str, changes: dict[str, object], reason: str, tmp_path: Path
) -> None:
    path = write_folder(tmp_path, config_of(case))
    (path / "config.json").write_text(json.dumps({**config_of(case), **changes}))
    with pytest.raises((UnsupportedModelError, ModelFileError), match=reason):
        check_model(path)


@pytest.mark.parametrize("case", CASES)
def test_a_sequence_reads_the_same_alone_and_in_company_on_the_backend_of_this_machine(
    case: str, tmp_path: Path
) -> None:
    model = load_model(write_folder(tmp_path, config_of(case)), NATIVE)

    def run(lengths: list[int]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The logits behind the first sequence, of some that begin in one step."""
        pool = NATIVE.pool(PoolSpec.even(model.cache_groups, 16, 16))
        batch = ragged(lengths, [0] * len(lengths), 16, 16)
        step = replace(batch, groups=batch.groups * len(model.cache_groups))
        tokens = mx.array([token for length in lengths for token in TOKENS[:length]], mx.int32)
        return np.array(model.logits(model.forward(tokens, step, pool), mx.array([lengths[0] - 1])))

    alone, company = run([23]), run([23, 40, 1])
    exact = NATIVE.name == "cpu"
    assert np.abs(alone - company).max() <= (0 if exact else 2e-2 * np.abs(alone).max())
