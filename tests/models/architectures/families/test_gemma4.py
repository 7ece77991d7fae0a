"""Gemma 4 and 3n give the logits of transformers, from folders and from GGUF files, whatever the size of the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.metal.backend import Backend
from mlxr.metal.mlx.backend import MlxBackend
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.select import select_backend
from mlxr.models.errors import ModelError
from mlxr.models.loading import LoadedModel, check_model, load_model
from mlxr.runtime.messages.kv import CacheKind
from tests.models.architectures.checkpoints import POSITIONS, TOKENS, safetensors
from tests.models.architectures.checkpoints_gemma import CASES, config_of, tensors_of, write_folder, write_gguf
from tests.models.formats.quantized.writers import SCHEMES, quantized_folder
from tests.oracle.fidelity import run_chunks

RECORDED = json.loads((Path(__file__).parents[3] / "data" / "logits_gemma.json").read_text())
NATIVE, _ = select_backend()
SHARED = "gemma4 with shared keys"


def error(case: str, model: LoadedModel, backend: Backend, chunk: int = 13) -> float:
    """The largest difference, relative to the largest logit."""
    expected = np.array(RECORDED[case])
    return float(np.abs(logits_of(model, backend, chunk) - expected).max() / np.abs(expected).max())


def logits_of(model: LoadedModel, backend: Backend, chunk: int = 13) -> NDArray[np.float32]:
    hidden = run_chunks(model, backend, TOKENS, chunk=chunk, page_size=16)
    return np.array(model.logits(hidden, mx.array(POSITIONS)))


@pytest.mark.parametrize("case", CASES)
def test_a_folder_gives_the_logits_of_transformers(case: str, tmp_path: Path) -> None:
    backend = ReferenceBackend()
    assert error(case, load_model(write_folder(tmp_path, config_of(case)), backend), backend) < 1e-4


@pytest.mark.parametrize("case", CASES)
def test_a_gguf_file_of_the_same_weights_gives_them_too(case: str, tmp_path: Path) -> None:
    backend = ReferenceBackend()
    path = write_gguf(tmp_path / "model.gguf", config_of(case))
    assert error(case, load_model(path, backend), backend) < 1e-4


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("backend", [NATIVE, MlxBackend()], ids=["native", "mlx"])
def test_other_backends_give_them_but_for_16_bits(backend: Backend, case: str, tmp_path: Path) -> None:
    model = load_model(write_gguf(tmp_path / "model.gguf", config_of(case)), backend)
    assert error(case, model, backend) < 5e-3 * (4 if backend.name == "mlx" else 1)


def test_layers_that_read_others_keys_keep_none_themselves(tmp_path: Path) -> None:
    model = load_model(write_folder(tmp_path, config_of(SHARED)), ReferenceBackend())
    window, whole = model.cache_groups
    assert (window.kind, window.layers, window.kv_heads, window.head_dim) == (CacheKind.WINDOW, (0, 2), 1, 16)
    assert (whole.kind, whole.layers, whole.kv_heads, whole.head_dim) == (CacheKind.FULL, (1, 3), 1, 32)


def test_transformers_new_way_of_listing_heads_is_read(tmp_path: Path) -> None:
    case, backend = "gemma4 with values that are keys", ReferenceBackend()
    config = config_of(case)
    del config["global_head_dim"], config["num_global_key_value_heads"]
    listed = {
        **config,
        "per_layer_config": {str(layer): {"head_dim": 32, "num_key_value_heads": 1} for layer in (2, 3)},
    }
    path = write_folder(tmp_path, config_of(case))
    (path / "config.json").write_text(json.dumps(listed))
    assert error(case, load_model(path, backend), backend) < 1e-4


@pytest.mark.parametrize("prefix", ["model.language_model.", "language_model.model."])
def test_the_text_part_of_a_model_that_sees_and_hears_runs_alone(prefix: str, tmp_path: Path) -> None:
    case, backend = SHARED, ReferenceBackend()
    config = config_of(case)
    outer = {
        "model_type": "gemma4",
        "text_config": config,
        "vision_config": {"hidden_size": 9},
        "audio_config": {"hidden_size": 9, "subsampling_conv_channels": [3, 4]},
        "image_token_id": 258880,
        "eoa_token_index": 258883,
        "vision_soft_tokens_per_image": 280,
    }
    seen = {f"model.{part}.x.weight": np.ones((2, 2), np.float32) for part in ("vision_tower", "audio_tower")}
    seen["model.embed_vision.embedding_projection.weight"] = np.ones((2, 2), np.float32)
    trained = {"model.layers.5.self_attn.k_proj.weight": np.ones((16, 64), np.float32)}
    tensors = {name.replace("model.", prefix, 1): values for name, values in {**tensors_of(config), **trained}.items()}
    (tmp_path / "config.json").write_text(json.dumps(outer))
    (tmp_path / "model.safetensors").write_bytes(safetensors({**tensors, **seen}))
    model = load_model(tmp_path, backend)
    assert error(case, model, backend) < 1e-4
    assert "3 tensors are left out: they look at images or listen, of which this model gets none" in model.notes
    assert "a tensor is left out: they are of layers that read the keys and values of earlier ones" in model.notes


@pytest.mark.parametrize("case", [SHARED, "gemma4 with values that are keys"])
def test_quantized_folders_of_mlx_keep_their_tables_quantized(case: str, tmp_path: Path) -> None:
    """The table of per-layer embeddings, too, whose rows are of whole groups here."""
    config = config_of(case)
    if config.get("hidden_size_per_layer_input"):
        config = {**config, "hidden_size_per_layer_input": 32}
    plain = write_folder(tmp_path / "plain", config)
    path = quantized_folder(plain, tmp_path / "quantized", SCHEMES["MLX affine"])
    reference = ReferenceBackend()
    expected = logits_of(load_model(path / "means", reference), reference)
    for backend in (reference, NATIVE, MlxBackend()):
        model = load_model(path, backend)
        limit = {"reference": 1e-4, "mlx": 4e-2}.get(backend.name, 1e-2)
        assert np.abs(logits_of(model, backend) - expected).max() < limit * np.abs(expected).max()


def test_gemma_3n_without_a_scale_is_one_whose_scales_are_1(tmp_path: Path) -> None:
    backend, config = ReferenceBackend(), config_of("gemma3n")
    path = write_folder(tmp_path, {**config, "altup_correct_scale": False})
    without = logits_of(load_model(path, backend), backend)
    ones = {
        name: np.ones_like(values) if name.endswith("correct_output_scale") else values
        for name, values in tensors_of(config).items()
    }
    (path / "config.json").write_text(json.dumps(config))
    (path / "model.safetensors").write_bytes(safetensors(ones))
    assert np.allclose(logits_of(load_model(path, backend), backend), without, atol=1e-5)


@pytest.mark.parametrize(
    ("case", "changes", "reason"),
    [
        (SHARED, {"num_kv_shared_layers": 7}, "lets 7 of 7 layers read the keys of earlier ones"),
        (SHARED, {"num_kv_shared_layers": 6}, "lets 6 of 7 layers read the keys of earlier ones"),
        (SHARED, {"use_bidirectional_attention": "all"}, "lets tokens see those behind them"),
        (SHARED, {"num_key_value_heads": 3}, "4 query heads, which 3 key heads"),
        (SHARED, {"head_dim": 15}, "heads of 15 numbers"),
        (SHARED, {"hidden_size_per_layer_input": 0}, "'model.embed_tokens_per_layer.weight'"),
        (SHARED, {"hidden_activation": "relu"}, "uses the activation 'relu'"),
        (SHARED, {"attention_bias": True}, "the setting 'attention_bias'"),
        ("gemma3n", {"altup_active_idx": 4}, "computes stream 4 of 4"),
        ("gemma3n", {"hidden_size_per_layer_input": 0}, "has no per-layer embeddings"),
        ("gemma3n", {"activation_sparsity_pattern": [1.0] * 7}, "from 0 to below 1"),
        ("gemma3n", {"intermediate_size": [96] * 6}, "a list of 7 whole numbers"),
        ("gemma3n", {"num_kv_shared_layers": 6}, "lets 6 of 7 layers read the keys of earlier ones"),
        ("gemma4 with experts", {"top_k_experts": 9}, "each token would use 9"),
        ("gemma4 with experts", {"enable_moe_block": False}, "'model.layers.0.router.proj.weight'"),
    ],
)
def test_what_changes_the_numbers_is_kept_to_or_refused(
    case: str, changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    path = write_folder(tmp_path, config_of(case))
    (path / "config.json").write_text(json.dumps({**config_of(case), **changes}))
    with pytest.raises(ModelError, match=reason):
        check_model(path)


@pytest.mark.parametrize("case", [SHARED, "gemma3n"])
def test_a_sequence_may_be_cut_into_chunks_as_one_likes(case: str, tmp_path: Path) -> None:
    model = load_model(write_folder(tmp_path, config_of(case)), NATIVE)
    for chunk in (1, 5, 40):
        assert error(case, model, NATIVE, chunk) < 5e-3
