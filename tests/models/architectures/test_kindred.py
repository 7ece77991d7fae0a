"""Families that are near others, and those whose states plain operations compute, give the logits of transformers: from
folders, from the GGUF files made of them, on every backend."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.metal.backend import Backend
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.models.conversion import to_gguf
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.loading import LoadedModel, check_model, load_model
from tests.metal.backends import BACKENDS, IDS
from tests.models.architectures import checkpoints, checkpoints_kindred, checkpoints_newest, checkpoints_states
from tests.models.architectures.checkpoints import POSITIONS, TOKENS, safetensors
from tests.models.conversion.test_to_gguf import written
from tests.oracle.fidelity import run_chunks

DATA = Path(__file__).parents[2] / "data"
RECORDED: dict[str, Any] = {
    case: logits
    for name in ("kindred", "states", "newest")
    for case, logits in json.loads((DATA / f"logits_{name}.json").read_text()).items()
}
MODULES = checkpoints_kindred, checkpoints_states, checkpoints_newest
CASES = [(module, case) for module in MODULES for case in module.CASES]
NAMES = [case for _, case in CASES]
UNWRITTEN = (
    *("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe", "deepseek_v32", "glm_moe_dsa", "kimi_linear"),
    *("phimoe", "phimoe with more jitter", "apertus", "mimo_v2_flash"),
    *("mamba with biases", *checkpoints_newest.CASES),
)
"""Cases that mlxr writes no GGUF files of: within models that look at images, with indexers, of 2026."""
WRITTEN = [(module, case) for module, case in CASES if case not in UNWRITTEN]


def error(case: str, logits: NDArray[np.float32]) -> float:
    expected = np.array(RECORDED[case])
    return float(np.abs(logits[list(POSITIONS)] - expected).max() / np.abs(expected).max())


def logits_of(model: LoadedModel, backend: Backend, chunk: int = 13) -> NDArray[np.float32]:
    hidden = run_chunks(model, backend, TOKENS, chunk, page_size=16)
    return np.array(model.logits(hidden, mx.arange(len(TOKENS))))


@pytest.mark.parametrize(("module", "case"), CASES, ids=NAMES)
def test_a_folder_gives_the_logits_of_transformers_however_its_prompt_is_cut(
    module: ModuleType, case: str, tmp_path: Path
) -> None:
    backend, path = ReferenceBackend(), module.write_folder(tmp_path / "model", module.config_of(case))
    check_model(path)
    model = load_model(path, backend)
    for chunk in (13, 1):
        assert error(case, logits_of(model, backend, chunk)) < 1e-4


@pytest.mark.parametrize(("module", "case"), WRITTEN, ids=[case for _, case in WRITTEN])
def test_the_gguf_file_of_a_folder_gives_them_too(
    module: ModuleType, case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(to_gguf, "add_vocabulary", lambda writer, *others: writer.add_tokenizer_model("none"))
    module.write_folder(tmp_path / "folder", module.config_of(case))
    backend, path = ReferenceBackend(), written(tmp_path / "folder", tmp_path / "model.gguf")
    check_model(path)
    assert error(case, logits_of(load_model(path, backend), backend)) < 1e-4


@pytest.mark.parametrize(("module", "case"), CASES, ids=NAMES)
@pytest.mark.parametrize("backend", BACKENDS, ids=IDS)
def test_backends_give_them_but_for_16_bit_numbers(
    backend: Backend, module: ModuleType, case: str, tmp_path: Path
) -> None:
    model = load_model(module.write_folder(tmp_path / "model", module.config_of(case)), backend)
    assert error(case, logits_of(model, backend)) < (0.06 if backend.name == "mlx" else 5e-3)


def test_internlm2_is_llama_with_queries_keys_and_values_by_key_head_in_one_tensor(tmp_path: Path) -> None:
    config = {**checkpoints.SMALL, "model_type": "llama", "hidden_act": "silu", "rope_theta": 10000.0, "head_dim": 16}
    random = np.random.RandomState(3)
    llama = {name: (random.standard_normal(shape) * 0.2).astype(np.float32) for name, shape in _llama_rows(config)}
    alone = tuple(f"{part}_proj.weight" for part in "qkv")
    own = {_called(name): tensor for name, tensor in llama.items() if not name.endswith(alone)}
    for layer in range(3):
        place = f"model.layers.{layer}.self_attn"
        query, key, value = (llama[f"{place}.{part}_proj.weight"].reshape(2, -1, 16, 64) for part in "qkv")
        fused = np.concatenate([query, key, value], axis=1).reshape(-1, 64)
        own[f"model.layers.{layer}.attention.wqkv.weight"] = fused
    backend, found = ReferenceBackend(), []
    changes = {"model_type": "internlm2", "bias": False}
    for name, tensors, settings in (("llama", llama, config), ("internlm2", own, {**config, **changes})):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(settings))
        (folder / "model.safetensors").write_bytes(safetensors(tensors))
        check_model(folder)
        found.append(logits_of(load_model(folder, backend), backend))
    assert np.abs(found[1] - found[0]).max() < 1e-5 * np.abs(found[0]).max()


def test_minicpm_is_llama_with_embeddings_residuals_and_logits_multiplied(tmp_path: Path) -> None:
    config = {**checkpoints.SMALL, "model_type": "llama", "hidden_act": "silu", "rope_theta": 10000.0, "head_dim": 16}
    random = np.random.RandomState(3)
    own = {name: (random.standard_normal(shape) * 0.2).astype(np.float32) for name, shape in _llama_rows(config)}
    factors = {"embed_tokens": 6.0, "o_proj": 1.4 / 3**0.5, "down_proj": 1.4 / 3**0.5, "lm_head": 16 / 64}
    llama = dict(own)
    for name, factor in factors.items():
        llama |= {key: np.float32(factor) * values for key, values in own.items() if name in key}
    changes = {"model_type": "minicpm", "scale_emb": 6.0, "scale_depth": 1.4, "dim_model_base": 16}
    sparse = {"sparse_config": {"dense_len": 128, "topk": 64, "kernel_size": 32, "use_nope": False}}
    backend, found = ReferenceBackend(), []
    for name, tensors, settings in (("llama", llama, config), ("minicpm", own, {**config, **changes, **sparse})):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(settings))
        (folder / "model.safetensors").write_bytes(safetensors(tensors))
        check_model(folder)
        model = load_model(folder, backend)
        found.append((logits_of(model, backend), model.context_length))
    assert np.abs(found[1][0] - found[0][0]).max() < 1e-5 * np.abs(found[0][0]).max()
    assert (found[0][1], found[1][1]) == (512, 128)
    always = {**config, **changes, "sparse_config": {"dense_len": -1, "topk": 64}}
    (tmp_path / "minicpm" / "config.json").write_text(json.dumps(always))
    with pytest.raises(UnsupportedModelError, match="chooses blocks of all that it reads"):
        check_model(tmp_path / "minicpm")


def _llama_rows(config: dict[str, Any]) -> list[tuple[str, tuple[int, ...]]]:
    width, hidden, words = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    rows: list[tuple[str, tuple[int, ...]]] = [
        ("model.embed_tokens.weight", (words, width)),
        ("model.norm.weight", (width,)),
        ("lm_head.weight", (words, width)),
    ]
    for layer in range(config["num_hidden_layers"]):
        shapes = {
            "input_layernorm": (width,),
            "post_attention_layernorm": (width,),
            "self_attn.q_proj": (64, width),
            "self_attn.k_proj": (32, width),
            "self_attn.v_proj": (32, width),
            "self_attn.o_proj": (width, 64),
            "mlp.gate_proj": (hidden, width),
            "mlp.up_proj": (hidden, width),
            "mlp.down_proj": (width, hidden),
        }
        rows += [(f"model.layers.{layer}.{name}.weight", shape) for name, shape in shapes.items()]
    return rows


def _called(name: str) -> str:
    for llama, internlm in (
        ("embed_tokens", "tok_embeddings"),
        ("lm_head", "output"),
        ("input_layernorm", "attention_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("self_attn.o_proj", "attention.wo"),
        ("mlp.gate_proj", "feed_forward.w1"),
        ("mlp.up_proj", "feed_forward.w3"),
        ("mlp.down_proj", "feed_forward.w2"),
    ):
        name = name.replace(llama, internlm)
    return name


def test_experts_are_read_whether_their_inputs_come_first_or_their_outputs(tmp_path: Path) -> None:
    config = checkpoints_kindred.config_of("qwen3_vl_moe")
    path, backend = checkpoints_kindred.write_folder(tmp_path / "model", config), ReferenceBackend()
    tensors = checkpoints_kindred.tensors_of(config)
    turned = {
        name: np.ascontiguousarray(tensor.swapaxes(1, 2)) if ".experts." in name else tensor
        for name, tensor in tensors.items()
    }
    (path / "model.safetensors").write_bytes(safetensors(turned))
    assert error("qwen3_vl_moe", logits_of(load_model(path, backend), backend)) < 1e-4


@pytest.mark.parametrize("case", ["deepseek_v32", "glm_moe_dsa"])
def test_a_model_that_chooses_what_it_reads_has_the_context_within_which_it_reads_everything(
    case: str, tmp_path: Path
) -> None:
    path = checkpoints_kindred.write_folder(tmp_path / "model", checkpoints_kindred.config_of(case))
    model = load_model(path, ReferenceBackend())
    assert model.context_length == 128
    assert any("they choose what attention reads beyond the context" in note for note in model.notes)


@pytest.mark.parametrize(
    ("module", "case", "changes", "reason"),
    [
        (checkpoints_kindred, "sarvam", {"norm_head": True}, "the setting 'norm_head'"),
        (checkpoints_kindred, "sarvam", {"score_function": "tanh"}, "scores its experts by 'tanh'"),
        (checkpoints_kindred, "exaone_moe", {"mlp_layer_types": ["dense"]}, "has 1 mlp_layer_types for 5 layers"),
        (checkpoints_kindred, "afmoe", {"num_limited_groups": 2}, "the setting 'num_limited_groups'"),
        (checkpoints_kindred, "deepseek_v32", {"index_topk": 0}, "index_topk"),
        (checkpoints_newest, "laguna", {"gating": "per-layer"}, "gates attention 'per-layer'"),
        (
            checkpoints_newest,
            "laguna",
            {"num_attention_heads_per_layer": [4, 5, 6, 6, 4]},
            "5 query heads, which 2 key",
        ),
        (checkpoints_newest, "lfm3", {"layer_types": ["conv"]}, "lists 1 layer_types for 6 layers"),
        (checkpoints_newest, "granite_swa", {"layer_rope_theta": [0, -1, 1, 1, 1]}, "rope base -1.0; it is above 0"),
        (checkpoints_states, "mamba", {"conv_kernel": 1}, "convolutions of one tap"),
        (checkpoints_states, "jamba", {"attn_layer_offset": 4}, "attn_layer_offset 4, which is not below"),
        (checkpoints_states, "kimi_linear", {"mla_use_nope": False}, "the setting 'mla_use_nope'"),
        (checkpoints_states, "kimi_linear", {"moe_router_activation_func": "softmax"}, "uses the activation 'softmax'"),
    ],
)
def test_what_a_family_lacks_is_named(
    module: ModuleType, case: str, changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    path = module.write_folder(tmp_path / "model", module.config_of(case))
    (path / "config.json").write_text(json.dumps({**module.config_of(case), **changes}))
    with pytest.raises((ModelFileError, UnsupportedModelError), match=reason):
        check_model(path)
