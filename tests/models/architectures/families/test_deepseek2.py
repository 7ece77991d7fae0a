"""DeepSeek-V2, V3 and GLM-4.7-Flash give the logits of transformers, from folders and from GGUF files old and new."""

from __future__ import annotations

import json
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.backend import Backend
from mlxr.metal.cache import CacheGroup
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.select import select_backend
from mlxr.models.errors import ModelError
from mlxr.models.loading import LoadedModel, check_model, load_model
from mlxr.runtime.messages.kv import CacheKind
from tests.models.architectures.checkpoints import POSITIONS, TOKENS, safetensors
from tests.models.architectures.checkpoints_latent import (
    CASES,
    config_of,
    key_value_parts,
    tensors_of,
    write_folder,
    write_gguf,
)
from tests.oracle.fidelity import run_chunks

RECORDED = json.loads((Path(__file__).parents[3] / "data" / "logits_latent.json").read_text())
IN_GGUF = [case for case in CASES if case != "deepseek_v3 with halves"]
"""llama.cpp's converter takes it for granted that neighbours turn together."""

NATIVE, _ = select_backend()


def error(case: str, model: LoadedModel, backend: Backend) -> float:
    """The largest difference, relative to the largest logit."""
    hidden = run_chunks(model, backend, TOKENS, chunk=13, page_size=16)
    logits, expected = np.array(model.logits(hidden, mx.array(POSITIONS))), np.array(RECORDED[case])
    return float(np.abs(logits - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("case", CASES)
def test_a_folder_gives_the_logits_of_transformers(case: str, tmp_path: Path) -> None:
    backend = ReferenceBackend()
    assert error(case, load_model(write_folder(tmp_path, config_of(case)), backend), backend) < 1e-4


@pytest.mark.parametrize("whole", [False, True], ids=["new", "old"])
@pytest.mark.parametrize("case", IN_GGUF)
def test_a_gguf_file_of_the_same_weights_gives_them_too(case: str, whole: bool, tmp_path: Path) -> None:
    backend = ReferenceBackend()
    path = write_gguf(tmp_path / "model.gguf", config_of(case), whole)
    assert error(case, load_model(path, backend), backend) < 1e-4


@pytest.mark.parametrize("case", CASES)
def test_the_backend_of_this_machine_gives_them_but_for_16_bit_vectors(case: str, tmp_path: Path) -> None:
    assert error(case, load_model(write_folder(tmp_path, config_of(case)), NATIVE), NATIVE) < 3e-3


def test_mlx_lm_s_folders_have_matrices_of_their_own(tmp_path: Path) -> None:
    """Experts in one tensor, and the matrix of keys and values taken apart."""
    case, backend = "deepseek_v3", ReferenceBackend()
    config, tensors = config_of(case), tensors_of(config_of(case))
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        keys, values = key_value_parts(config, tensors.pop(f"{at}.self_attn.kv_b_proj.weight"))
        tensors |= {f"{at}.self_attn.embed_q.weight": keys, f"{at}.self_attn.unembed_out.weight": values}
        for part in ("gate", "up", "down") if layer >= config["first_k_dense_replace"] else ():
            names = [f"{at}.mlp.experts.{e}.{part}_proj.weight" for e in range(config["n_routed_experts"])]
            tensors[f"{at}.mlp.switch_mlp.{part}_proj.weight"] = np.stack([tensors.pop(name) for name in names])
    # Matrices of three dimensions are not quantized here, and others need not be.
    (tmp_path / "config.json").write_text(json.dumps({**config, "quantization": {"bits": 4, "group_size": 64}}))
    (tmp_path / "model.safetensors").write_bytes(safetensors(tensors))
    assert error(case, load_model(tmp_path, backend), backend) < 1e-4


def test_layers_keep_one_vector_a_token(tmp_path: Path) -> None:
    model = load_model(write_folder(tmp_path, config_of("deepseek_v3")), ReferenceBackend())
    assert model.cache_groups == (CacheGroup(CacheKind.LATENT, (0, 1, 2), 1, 64),)


@pytest.mark.parametrize("case", CASES)
def test_a_header_s_check_takes_what_a_load_takes(case: str, tmp_path: Path) -> None:
    check_model(write_folder(tmp_path / "folder", config_of(case)))
    check_model(write_gguf(tmp_path / "new.gguf", config_of(case)))
    check_model(write_gguf(tmp_path / "old.gguf", config_of(case), whole=True))


PUBLISHED = {
    "deepseek_v2 lite": {
        "architectures": ["DeepseekV2ForCausalLM"],
        "auto_map": {"AutoConfig": "configuration_deepseek.DeepseekV2Config"},
        "attention_bias": False,
        "attention_dropout": 0.0,
        "aux_loss_alpha": 0.001,
        "ep_size": 1,
        "moe_layer_freq": 1,
        "pretraining_tp": 1,
        "scoring_func": "softmax",
        "seq_aux": True,
        "torch_dtype": "bfloat16",
        "use_cache": True,
    },
    "deepseek_v3": {"architectures": ["DeepseekV3ForCausalLM"], "ep_size": 1, "moe_layer_freq": 1, "head_dim": 16},
    "glm4_moe_lite": {
        "architectures": ["Glm4MoeLiteForCausalLM"],
        "eos_token_id": [2, 3],
        "num_nextn_predict_layers": 1,
        "partial_rotary_factor": 1.0,
        "topk_method": "noaux_tc",
        "dtype": "bfloat16",
    },
}
"""What the models' own files say besides."""


@pytest.mark.parametrize("case", PUBLISHED)
def test_settings_of_published_files_change_nothing(case: str, tmp_path: Path) -> None:
    backend, path = ReferenceBackend(), write_folder(tmp_path, config_of(case))
    (path / "config.json").write_text(json.dumps({**config_of(case), **PUBLISHED[case]}))
    assert error(case, load_model(path, backend), backend) < 1e-4


def test_kimi_k2_is_a_deepseek_v3_by_another_name(tmp_path: Path) -> None:
    backend, path = ReferenceBackend(), write_folder(tmp_path, config_of("deepseek_v3"))
    (path / "config.json").write_text(json.dumps({**config_of("deepseek_v3"), "model_type": "kimi_k2"}))
    assert error("deepseek_v3", load_model(path, backend), backend) < 1e-4


@pytest.mark.parametrize("name", ["deepseek_v4"])
def test_what_reads_a_choice_of_tokens_is_refused_by_name(name: str, tmp_path: Path) -> None:
    path = write_folder(tmp_path, config_of("deepseek_v3"))
    (path / "config.json").write_text(json.dumps({**config_of("deepseek_v3"), "model_type": name}))
    with pytest.raises(ModelError, match=rf"{name}.*the nearest that it has is 'deepseek_v3'"):
        check_model(path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"scoring_func": "tanh"}, "scores its experts by 'tanh'"),
        ({"n_group": 3}, "16 experts in 3 groups"),
        ({"topk_group": 5}, "of 5 groups each token would use 3"),
        ({"n_group": 16, "topk_group": 2}, "16 experts in 16 groups; of 2 groups each token would use 3"),
        ({"num_experts_per_tok": 17}, "each token would use 17"),
        ({"qk_rope_head_dim": 15}, "turns 15 of 47 dimensions"),
        ({"attention_bias": True}, "the setting 'attention_bias'"),
        ({"moe_layer_freq": 2}, "the setting 'moe_layer_freq'"),
        ({"kv_lora_rank": 0}, "1 or more"),
        ({"kv_lora_rank": 32}, r"asks for \(256, 32\)"),
        ({"v_head_dim": 16}, r"kv_b_proj.weight' of shape"),
        ({"mlp_layer_types": ["dense"]}, "has 1 mlp_layer_types for 3 layers"),
    ],
)
def test_settings_that_make_no_model_are_named(changes: dict[str, object], reason: str, tmp_path: Path) -> None:
    path = write_folder(tmp_path, config_of("deepseek_v3"))
    (path / "config.json").write_text(json.dumps({**config_of("deepseek_v3"), **changes}))
    with pytest.raises(ModelError, match=reason):
        check_model(path)


def test_a_bias_that_chooses_experts_must_be_there(tmp_path: Path) -> None:
    tensors = tensors_of(config_of("deepseek_v3"))
    del tensors["model.layers.2.mlp.gate.e_score_correction_bias"]
    path = write_folder(tmp_path, config_of("deepseek_v3"))
    (path / "model.safetensors").write_bytes(safetensors(tensors))
    with pytest.raises(ModelError, match=r"lacks the tensor 'model\.layers\.2\.mlp\.gate\.e_score_correction_bias'"):
        check_model(path)
