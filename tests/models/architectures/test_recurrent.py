"""Models with short convolutions and Mamba-2 give the logits of transformers, from files of every format."""

from __future__ import annotations

import json
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.metal.backend import Backend
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.models.architectures.state_spaces import mamba2_spec
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.hyperparameters import Hyperparameters
from mlxr.models.loading import LoadedModel, check_model, load_model
from mlxr.runtime.messages.kv import CacheKind
from tests.metal.backends import BACKENDS, IDS
from tests.models.architectures.checkpoints import POSITIONS, TOKENS, safetensors
from tests.models.architectures.checkpoints_recurrent import (
    CASES,
    IN_GGUF,
    IN_MLX,
    config_of,
    tensors_of,
    write_folder,
    write_gguf,
    write_mlx_folder,
)
from tests.oracle.fidelity import run_chunks

RECORDED = json.loads((Path(__file__).parents[2] / "data" / "logits_recurrent.json").read_text())


def logits_of(model: LoadedModel, backend: Backend, chunk: int = 13) -> NDArray[np.float32]:
    hidden = run_chunks(model, backend, TOKENS, chunk=chunk, page_size=16)
    return np.array(model.logits(hidden, mx.array(POSITIONS)))


def error(case: str, logits: NDArray[np.float32]) -> float:
    """The largest difference, relative to the largest logit."""
    expected = np.array(RECORDED[case])
    return float(np.abs(logits - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("case", CASES)
def test_a_folder_gives_the_logits_of_transformers(case: str, tmp_path: Path) -> None:
    backend, path = ReferenceBackend(), write_folder(tmp_path / "model", config_of(case))
    check_model(path)
    assert error(case, logits_of(load_model(path, backend), backend)) < 1e-4


@pytest.mark.parametrize("case", IN_MLX)
def test_a_folder_of_mlx_gives_them_too(case: str, tmp_path: Path) -> None:
    backend, path = ReferenceBackend(), write_mlx_folder(tmp_path / "model", config_of(case))
    check_model(path)
    assert error(case, logits_of(load_model(path, backend), backend)) < 1e-4


@pytest.mark.parametrize("case", IN_GGUF)
def test_a_gguf_file_gives_them_too(case: str, tmp_path: Path) -> None:
    backend, path = ReferenceBackend(), write_gguf(tmp_path / "model.gguf", config_of(case))
    check_model(path)
    assert error(case, logits_of(load_model(path, backend), backend)) < 1e-4


ON_BACKENDS = [
    pytest.param(backend, case, id=f"{id}-{case}")
    for id, backend in zip(IDS, BACKENDS, strict=True)
    for case in CASES
    if backend.name != "mlx" or not ("experts" in case or case in ("lfm2_moe", "granite 4"))
]
"""Of 16-bit numbers a token may get another expert than of the reference's."""


@pytest.mark.parametrize(("backend", "case"), ON_BACKENDS)
def test_backends_give_them_but_for_16_bit_numbers(backend: Backend, case: str, tmp_path: Path) -> None:
    model = load_model(write_folder(tmp_path / "model", config_of(case)), backend)
    assert error(case, logits_of(model, backend)) < (0.05 if backend.name == "mlx" else 3e-3)


@pytest.mark.parametrize("case", CASES)
def test_a_prompt_may_be_cut_anywhere(case: str, tmp_path: Path) -> None:
    backend = ReferenceBackend()
    model = load_model(write_folder(tmp_path / "model", config_of(case)), backend)
    whole, cut = (logits_of(model, backend, chunk) for chunk in (len(TOKENS), 1))
    assert np.abs(whole - cut).max() < 1e-4 * np.abs(whole).max()


def test_layers_keep_what_their_mixers_keep_and_those_of_one_half_nothing(tmp_path: Path) -> None:
    model = load_model(write_folder(tmp_path / "model", config_of("nemotron_h")), ReferenceBackend())
    states, keys = model.cache_groups
    assert (states.kind, states.layers) == (CacheKind.STATE, (0, 2, 5))
    assert states.state_size == 3 * (128 + 2 * 2 * 16) + 128 * 16
    assert (keys.kind, keys.layers) == (CacheKind.FULL, (3,))
    model = load_model(write_folder(tmp_path / "lfm2", config_of("lfm2")), ReferenceBackend())
    states, keys = model.cache_groups
    assert (states.layers, states.state_size, keys.layers) == ((0, 2, 3), 2 * 64, (1,))


@pytest.mark.parametrize(
    ("case", "changes", "reason"),
    [
        ("lfm2", {"layer_types": ["conv", "sliding_attention", "conv", "conv"]}, "of the type 'sliding_attention'"),
        ("lfm2", {"layer_types": ["conv"]}, "lists 1 layer_types for 4 layers"),
        ("lfm2", {"conv_L_cache": 1}, "convolutions of one tap"),
        ("lfm2", {"conv_L_cache": 1 << 20}, "at most 64"),
        ("lfm2", {"block_use_swiglu": False}, "the setting 'block_use_swiglu'"),
        ("lfm2", {"use_pos_enc": False}, "the setting 'use_pos_enc'"),
        ("lfm2_moe", {"num_experts_per_tok": 9}, "each token would use 9"),
        ("granite 4", {"layer_types": ["mamba3"] * 4}, "of the type 'mamba3'"),
        ("granite 4", {"position_embedding_type": "alibi"}, "of the type 'alibi'"),
        ("granite 4", {"mamba_n_groups": 3}, "3 groups can't share evenly"),
        ("granite 4", {"mamba_d_head": 31}, "has state spaces of 128 numbers, but"),
        ("granite 4", {"shared_intermediate_size": -1}, "a shared expert of -1 numbers"),
        ("granite 4", {"hidden_act": "relu"}, "uses the activation 'relu'"),
        ("falcon_h1", {"mamba_norm_before_gate": True}, "the setting 'mamba_norm_before_gate'"),
        ("falcon_h1", {"mlp_multipliers": [1.0, 0.0]}, "multipliers that leave nothing"),
        ("falcon_h1", {"ssm_multipliers": [1.0]}, "a list of 5 numbers"),
        ("falcon_h1", {"mamba_d_ssm": 100}, "has state spaces of 100 numbers, but"),
        ("nemotron_h", {"hybrid_override_pattern": "M-M?-M"}, "of the type '\\?'"),
        ("nemotron_h", {"hybrid_override_pattern": ""}, "neither a hybrid_override_pattern nor"),
        ("nemotron_h", {"hybrid_override_pattern": "M-"}, "lists 2 kinds of layers for 6 layers"),
        ("nemotron_h", {"mlp_hidden_act": "silu"}, "uses the activation 'silu'"),
        ("nemotron_h", {"mamba_hidden_act": "gelu"}, "uses the activation 'gelu'"),
        ("nemotron_h", {"attention_bias": True}, "the setting 'attention_bias'"),
        ("nemotron_h", {"time_step_limit": [0.1, 0.1]}, "two numbers, the larger one last"),
        ("nemotron_h with experts", {"topk_group": 2}, "of 2 groups each token would use"),
        ("nemotron_h with experts", {"n_group": 3}, "8 experts in 3 groups"),
    ],
)
def test_what_changes_the_numbers_is_kept_to_or_refused(
    case: str, changes: dict[str, object], reason: str, tmp_path: Path
) -> None:
    path = write_folder(tmp_path / "model", config_of(case))
    (path / "config.json").write_text(json.dumps({**config_of(case), **changes}))
    with pytest.raises((UnsupportedModelError, ModelFileError), match=reason):
        check_model(path)


@pytest.mark.parametrize(
    ("case", "tensor"),
    [
        ("lfm2", "model.layers.0.conv.conv.weight"),
        ("lfm2 with biases", "model.layers.2.conv.in_proj.bias"),
        ("lfm2_moe", "model.layers.1.feed_forward.expert_bias"),
        ("granite 4", "model.layers.0.mamba.A_log"),
        ("granite 4", "model.layers.2.mamba.conv1d.bias"),
        ("granite 4", "model.layers.2.mamba.norm.weight"),
        ("nemotron_h", "backbone.layers.0.mixer.dt_bias"),
        ("nemotron_h", "backbone.layers.1.norm.weight"),
        ("nemotron_h with latent experts", "backbone.layers.1.mixer.fc2_latent_proj.weight"),
    ],
)
def test_every_tensor_that_a_layer_has_must_be_there(case: str, tensor: str, tmp_path: Path) -> None:
    path, tensors = write_folder(tmp_path / "model", config_of(case)), tensors_of(config_of(case))
    del tensors[tensor]
    (path / "model.safetensors").write_bytes(safetensors(tensors))
    with pytest.raises(ModelFileError, match=f"lacks the tensor '{tensor}'"):
        check_model(path)


def test_a_folder_that_mlx_lm_may_have_multiplied_is_refused(tmp_path: Path) -> None:
    """Versions of it differ in whether Falcon-H1's multipliers are in its matrices already."""
    path = write_folder(tmp_path / "model", config_of("falcon_h1"))
    tensors = mx.load(str(path / "model.safetensors"))
    mx.save_safetensors(str(path / "model.safetensors"), tensors, {"format": "mlx"})
    with pytest.raises(UnsupportedModelError, match="'falcon_h1'"):
        check_model(path)


def test_a_layer_of_two_mixers_keeps_what_both_keep(tmp_path: Path) -> None:
    model = load_model(write_folder(tmp_path / "model", config_of("falcon_h1")), ReferenceBackend())
    keys, states = model.cache_groups
    assert (keys.kind, keys.layers) == (CacheKind.FULL, (0, 1, 2))
    assert (states.kind, len(states.layers)) == (CacheKind.STATE, 3)
    assert not set(keys.layers) & set(states.layers)


def test_a_folder_may_list_its_layers_alone(tmp_path: Path) -> None:
    """As transformers writes it today."""
    config = config_of("nemotron_h with experts")
    backend, path = ReferenceBackend(), write_folder(tmp_path / "model", config)
    del config["num_hidden_layers"]
    (path / "config.json").write_text(json.dumps(config))
    assert error("nemotron_h with experts", logits_of(load_model(path, backend), backend)) < 1e-4


def test_time_steps_are_held_to_a_folder_s_limits(tmp_path: Path) -> None:
    """As wide as those that there are, they change nothing; narrower ones do."""
    backend, config = ReferenceBackend(), config_of("nemotron_h")
    outs = []
    for limits in ([0.0, {"__float__": "Infinity"}], [0.0, 1e6], [0.3, 0.4]):
        path = write_folder(tmp_path / "model", {**config, "time_step_limit": limits})
        outs.append(logits_of(load_model(path, backend), backend))
    assert np.array_equal(outs[0], outs[1])
    assert error("nemotron_h", outs[2]) > 0.01


def test_sizes_of_a_gguf_file_that_do_not_fit_are_named() -> None:
    sizes = {"inner_size": 128, "time_step_rank": 4, "group_count": 2, "state_size": 16, "conv_kernel": 4}
    for key, value, reason in (("time_step_rank", 3, "3 heads can't share"), ("conv_kernel", 1, "one tap")):
        parameters = Hyperparameters(Path("x.gguf"), {f"ssm.{k}": v for k, v in {**sizes, key: value}.items()})
        with pytest.raises(ModelFileError, match=reason):
            mamba2_spec(parameters, {}, 1e-5, 1e-5)
