"""An adapter that can't be applied is refused in one line, which names the file, the tensor and the way out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlxr.metal.specs import AttentionSpec
from mlxr.models.adapters.fitting import AdapterBase
from mlxr.models.adapters.loading import check_adapter
from mlxr.models.architectures.spec import DecoderSpec
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.loading import read_adapter_base
from tests.models.adapters.adapters import write_gguf_adapter, write_mlx, write_peft
from tests.models.architectures.checkpoints import CASES, config_of, safetensors, write_folder, write_gguf

PREFIX = "base_model.model.model.layers"


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> AdapterBase:
    return read_adapter_base(write_folder(tmp_path_factory.mktemp("base") / "llama", config_of("llama")))


def refused(path: Path, base: AdapterBase, message: str, kind: type[Exception] = UnsupportedModelError) -> None:
    with pytest.raises(kind, match=message) as caught:
        check_adapter(path, base)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"use_dora": True}, "use_dora: DoRA.*merge it"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save: whole modules"),
        ({"bias": "all"}, "bias 'all'.*merge it"),
        ({"lora_bias": True}, "lora_bias"),
        ({"fan_in_fan_out": True}, "fan_in_fan_out"),
        ({"layer_replication": [[0, 2], [1, 3]]}, "layer_replication"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices"),
        ({"target_parameters": ["mlp.experts.gate_up_proj"]}, "target_parameters"),
        ({"alora_invocation_tokens": [1, 2]}, "activated LoRA.*use a plain one"),
        ({"init_lora_weights": "pissa_niter_4"}, "init_lora_weights 'pissa_niter_4'.*path_initial_model"),
        ({"peft_type": "LOHA"}, "type 'LOHA'; mlxr knows 'LORA'"),
        ({"use_something_new": True}, "setting 'use_something_new', which mlxr does not know"),
        ({"rank_pattern": {"(a+)+": 2}}, r"rank_pattern '\(a\+\)\+'; mlxr takes names of modules"),
    ],
)
def test_a_kind_of_adapter_that_mlxr_lacks_is_named(
    settings: dict[str, Any], message: str, base: AdapterBase, tmp_path: Path
) -> None:
    refused(write_peft(tmp_path / "adapter", "llama", more=settings), base, message)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"r": 4}, r"rank 4, and 'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight' has the shape"),
        ({"r": "many"}, "'many' for 'r'"),
        ({"lora_alpha": None}, "lacks the key 'lora_alpha'"),
        ({"alpha_pattern": {"q_proj": "x"}}, "alpha_pattern of x for 'q_proj'"),
        ({"rank_pattern": [1]}, "rank_pattern that is no object"),
    ],
)
def test_settings_that_make_no_sense_are_named(
    settings: dict[str, Any], message: str, base: AdapterBase, tmp_path: Path
) -> None:
    refused(write_peft(tmp_path / "adapter", "llama", more=settings), base, message, ModelFileError)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (
            {
                "base_model.model.lm_head.lora_A.weight": ones(8, 64),
                "base_model.model.lm_head.lora_B.weight": ones(100, 8),
            },
            "'base_model.model.lm_head.lora_A.weight' for 'lm_head.weight', which llama has no place for; mlxr applies "
            "adapters to its layers' query, key, value, output, gate, up, down",
        ),
        (
            {
                f"{PREFIX}.7.mlp.up_proj.lora_A.weight": ones(8, 64),
                f"{PREFIX}.7.mlp.up_proj.lora_B.weight": ones(96, 8),
            },
            "'model.layers.7.mlp.up_proj.weight', which llama has no place for",
        ),
        ({"base_model.model.model.embed_tokens.lora_embedding_A": ones(8, 100)}, "lora_embedding_A', which is no part"),
        ({f"{PREFIX}.0.input_layernorm.weight": ones(64)}, "input_layernorm.weight', which is no part"),
        (
            {
                f"{PREFIX}.0.mlp.up_proj.lora_A.weight": ones(8, 64),
                f"{PREFIX}.0.mlp.up_proj.lora_B.weight": ones(90, 8),
            },
            r"up_proj.lora_B.weight' of shape \(90, 8\), for a matrix of \(90, 64\); that of llama is \(96, 64\), so "
            "use it with the model that it was trained for, tiny/llama",
        ),
        (
            {f"{PREFIX}.0.mlp.up_proj.lora_A.weight": ones(8, 6), f"{PREFIX}.0.mlp.up_proj.lora_B.weight": ones(96, 8)},
            r"up_proj.lora_A.weight' of shape \(8, 6\)",
        ),
    ],
)
def test_a_tensor_that_has_no_place_is_named(
    tensors: dict[str, np.ndarray], message: str, base: AdapterBase, tmp_path: Path
) -> None:
    refused(write_peft(tmp_path / "adapter", "llama", **tensors), base, message)


@pytest.mark.parametrize(
    ("rank", "up", "kind", "message"),
    [
        (600, (96, 600), UnsupportedModelError, "rank 600; mlxr takes at most 512, so merge"),
        (8, (96, 7), ModelFileError, "differ in rank"),
        (8, (96, 8, 1), UnsupportedModelError, "mlxr reads matrices only"),
    ],
)
def test_ranks_are_checked(
    rank: int, up: tuple[int, ...], kind: type[Exception], message: str, base: AdapterBase, tmp_path: Path
) -> None:
    name = f"{PREFIX}.0.mlp.up_proj"
    tensors = {f"{name}.lora_A.weight": ones(rank, 64), f"{name}.lora_B.weight": ones(*up)}
    path = write_peft(tmp_path / "adapter", "llama", more={"rank_pattern": {"up_proj": rank}}, **tensors)
    refused(path, base, message, kind)


def test_half_a_pair_is_named(base: AdapterBase, tmp_path: Path) -> None:
    path = write_peft(tmp_path / "a", "llama", **{f"{PREFIX}.0.mlp.up_proj.lora_A.weight": ones(8, 64)})
    refused(path, base, "up_proj.lora_A.weight' without its other half", ModelFileError)


def test_a_pickle_is_never_read(base: AdapterBase, tmp_path: Path) -> None:
    path = write_peft(tmp_path / "adapter", "llama")
    (path / "adapter_model.safetensors").rename(path / "adapter_model.bin")
    refused(path, base, "adapter_model.bin, a pickle, which mlxr never reads")


def test_an_adapter_without_tensors_is_refused(base: AdapterBase, tmp_path: Path) -> None:
    path = write_peft(tmp_path / "adapter", "llama")
    (path / "adapter_model.safetensors").write_bytes(safetensors({}))
    refused(path, base, "holds no tensors", ModelFileError)


def test_an_adapter_of_another_model_is_refused(base: AdapterBase, tmp_path: Path) -> None:
    other = write_gguf_adapter(tmp_path / "qwen2.gguf", "qwen2")
    refused(other, base, "architecture 'qwen2', and llama is 'llama'; use it with the model.*Tiny qwen2")
    refused(write_peft(tmp_path / "phi3", "phi3"), base, "qkv_proj.*no place for")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"type": "control"}, "type 'control'; mlxr knows 'lora'"),
        ({"invocation": [1, 2]}, "activated LoRA"),
        ({"tensors": {"output_norm.weight": ones(64)}}, "'output_norm.weight', which is no part"),
        (
            {"tensors": {"token_embd.weight.lora_a": ones(8, 64), "token_embd.weight.lora_b": ones(100, 8)}},
            "for 'token_embd.weight', which llama has no place for",
        ),
    ],
)
def test_gguf_adapters_of_other_kinds_are_refused(
    metadata: dict[str, Any], message: str, base: AdapterBase, tmp_path: Path
) -> None:
    refused(write_gguf_adapter(tmp_path / "a.gguf", "llama", **metadata), base, message)


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"fine_tune_type": "dora"}, UnsupportedModelError, "fine_tune_type 'dora'"),
        ({"fine_tune_type": "full"}, UnsupportedModelError, "fine_tune_type 'full'"),
        ({"lora_parameters": None}, ModelFileError, "lacks lora_parameters"),
        ({"lora_parameters": {"rank": 8}}, ModelFileError, "lacks the key 'scale'"),
    ],
)
def test_mlx_adapters_of_other_kinds_are_refused(
    settings: dict[str, Any], kind: type[Exception], message: str, base: AdapterBase, tmp_path: Path
) -> None:
    refused(write_mlx(tmp_path / "adapter", "llama", **settings), base, message, kind)


def test_a_model_is_no_adapter(base: AdapterBase, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    refused(write_gguf(path, config_of("llama")), base, "of the type 'model', and no adapter")


def test_truncated_files_are_named(base: AdapterBase, tmp_path: Path) -> None:
    gguf, folder = write_gguf_adapter(tmp_path / "a.gguf", "llama"), write_peft(tmp_path / "peft", "llama")
    for file in (gguf, folder / "adapter_model.safetensors"):
        file.write_bytes(file.read_bytes()[:-1000])
        refused(gguf if file == gguf else folder, base, "truncated", ModelFileError)
    (folder / "adapter_config.json").write_text(json.dumps([1]))
    refused(folder, base, "no JSON object", ModelFileError)


def test_families_say_whether_their_gguf_files_have_rows_in_another_order(tmp_path: Path) -> None:
    known = {}
    for case in [case for case in CASES if case not in ("gpt_oss", "qwen3_moe with a dense layer")]:
        folder = read_adapter_base(write_folder(tmp_path / case / "m", config_of(case)))
        file = read_adapter_base(write_gguf(tmp_path / case / "m.gguf", config_of(case)))
        styles = [
            {layer.mixer.rope.style for layer in spec.layers if rope_of(layer.mixer)} for spec in specs(folder, file)
        ]
        known[case] = (styles[0] != styles[1], folder.family.reordered)
    assert {case for case, (differ, told) in known.items() if differ != told} == set()
    assert any(differ for differ, _ in known.values())


def specs(*bases: AdapterBase) -> list[DecoderSpec]:
    return [base.spec for base in bases]


def rope_of(mixer: Any) -> Any:
    return mixer.rope if isinstance(mixer, AttentionSpec) else None
