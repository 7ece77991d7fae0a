"""Laguna: folders as Poolside, mlx-lm and transformers write them are one model, and a rope that none describes is not
guessed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.specs import AttentionSpec
from mlxr.models.architectures.families import laguna
from mlxr.models.architectures.header_weights import HeaderWeights
from mlxr.models.architectures.spec import DecoderSpec, EncoderSpec
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.header import read_header
from mlxr.models.hyperparameters import Hyperparameters
from mlxr.models.loading import check_model, load_model
from tests.models.architectures.checkpoints_newest import NEAR, WHOLE, YARN, config_of, write_folder
from tests.models.architectures.test_kindred import error, logits_of

NO_WINDOWS = {"layer_types": [WHOLE] * 5, "num_attention_heads_per_layer": [4] * 5, "sliding_window": None}
YARN_WHOLE = {**YARN, "rope_theta": 500000.0}
PLAIN_NEAR = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 1.0}
GGUF = {
    "block_count": 5,
    "context_length": 512,
    "embedding_length": 64,
    "feed_forward_length": 96,
    "attention.head_count": [4, 6, 6, 6, 4],
    "attention.head_count_kv": 2,
    "attention.key_length": 32,
    "attention.layer_norm_rms_epsilon": 1e-5,
    "attention.sliding_window": 9,
    "expert_count": 8,
    "expert_used_count": 2,
    "expert_feed_forward_length": 32,
    "rope.dimension_count": 16,
    "rope.dimension_count_swa": 32,
}
OTHER_WORDS: dict[str, dict[str, Any]] = {
    "which layers are dense": {"mlp_layer_types": None, "mlp_only_layers": [0], "decoder_sparse_step": 1},
    "which layers are dense, twice": {"mlp_only_layers": [0], "decoder_sparse_step": 1},
    "gates of each layer": {"gating": True, "gating_types": ["per_head"] * 5},
    "what is not there": {"qkv_bias": False, "swa_attention_sink_enabled": False, "moe_router_use_sigmoid": True},
    "the share of a head, twice": {"partial_rotary_factor": 0.5},
    "the share of a head, outside": {
        "partial_rotary_factor": 0.5,
        "rope_parameters": {WHOLE: YARN_WHOLE, NEAR: PLAIN_NEAR},
    },
    "the share of a head, of no kind": {
        "rope_parameters": {WHOLE: YARN_WHOLE, NEAR: PLAIN_NEAR, "partial_rotary_factor": 0.5}
    },
    "the rope of windows, outside": {
        "partial_rotary_factor": 0.5,
        "rope_parameters": YARN_WHOLE,
        "swa_rope_parameters": PLAIN_NEAR,
    },
}


def folder(path: Path, changes: dict[str, Any]) -> Path:
    """Writes the model that transformers' logits are recorded of, with other settings beside its tensors."""
    write_folder(path, config_of("laguna"))
    (path / "config.json").write_text(json.dumps({**config_of("laguna"), **changes}))
    return path


@pytest.mark.parametrize("words", OTHER_WORDS)
def test_a_folder_may_say_the_same_in_other_words(words: str, tmp_path: Path) -> None:
    backend, path = ReferenceBackend(), folder(tmp_path / "model", OTHER_WORDS[words])
    check_model(path)
    assert error("laguna", logits_of(load_model(path, backend), backend)) < 1e-4


def test_dense_layers_are_those_that_a_folder_lists(tmp_path: Path) -> None:
    config, backend = config_of("laguna") | {"mlp_layer_types": ["dense"] * 3 + ["sparse"] * 2}, ReferenceBackend()
    path = write_folder(tmp_path / "model", config)
    expected = logits_of(load_model(path, backend), backend)
    del config["mlp_layer_types"]
    (path / "config.json").write_text(json.dumps({**config, "mlp_only_layers": [0, 1, 2]}))
    check_model(path)
    assert np.array_equal(logits_of(load_model(path, backend), backend), expected)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rope_parameters": YARN_WHOLE}, "describes a rope, but none for layers of the kind 'sliding_attention'"),
        ({"rope_parameters": {NEAR: PLAIN_NEAR}}, "describes a rope, but none for layers of the kind 'full_attention'"),
        ({"decoder_sparse_step": 2}, "the setting 'decoder_sparse_step'"),
        ({"swa_attention_sink_enabled": True}, "the setting 'swa_attention_sink_enabled'"),
        ({"qkv_bias": True}, "the setting 'qkv_bias'"),
    ],
)
def test_what_folders_leave_open_or_mlxr_lacks_is_named(changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match=reason):
        check_model(folder(tmp_path / "model", changes))


@pytest.mark.parametrize(("share", "dims"), [({}, 32), ({"partial_rotary_factor": 0.25}, 8)])
def test_one_rope_for_all_turns_the_share_of_a_head_that_it_says(
    share: dict[str, float], dims: int, tmp_path: Path
) -> None:
    one = {"rope_type": "default", "rope_theta": 20000.0, **share}
    header = read_header(folder(tmp_path / "model", {**NO_WINDOWS, "rope_parameters": one}))
    spec = header.family.read(header.parameters, HeaderWeights(header.path, header.tensors))
    for found in frequencies(spec):
        assert found == pytest.approx([20000.0 ** (-2 * pair / dims) for pair in range(dims // 2)], rel=1e-6)


@pytest.mark.parametrize(
    ("told", "base"), [({"rope.freq_base": 3e5}, 3e5), ({"rope.freq_base_swa": 2e4}, 2e4), ({}, 1e4)]
)
def test_windows_in_a_gguf_file_have_the_base_that_llama_cpp_takes(told: dict[str, float], base: float) -> None:
    values = {**GGUF, **told}
    near = frequencies(laguna.read(Hyperparameters(Path("m"), values), HeaderWeights(Path("m"), {})))[1]
    assert near == pytest.approx([base ** (-2 * pair / 32) for pair in range(16)], rel=1e-6)


def frequencies(spec: DecoderSpec | EncoderSpec) -> list[tuple[float, ...]]:
    """Returns those of each layer's rope."""
    assert isinstance(spec, DecoderSpec)
    mixers = [layer.mixer for layer in spec.layers]
    return [mixer.rope.inverse_frequencies for mixer in mixers if isinstance(mixer, AttentionSpec) and mixer.rope]
