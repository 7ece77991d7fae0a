"""sentence-transformers' files beside a model: stages, poolings, limits and prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from mlxr.models.architectures.pooling_head import Dense, LayerNorm, Normalize, Pooling, PoolingHead
from mlxr.models.errors import ModelFileError, UnsupportedModelError, UnusableModelError
from mlxr.models.formats.safetensors.folder import ModelFolder
from mlxr.models.pooling_heads import PROMPT_KEY, QWEN3_PROMPT, folder_logit_score, gguf_prompt
from mlxr.models.sentence_transformers import (
    FLAGS,
    LogitScore,
    Modules,
    Prompts,
    folder_settings,
    read_modules,
    read_prompts,
)

DENSE = {"in_features": 4, "out_features": 2, "activation_function": "torch.nn.modules.activation.Tanh"}


def staged(folder: Path, *stages: tuple[str, dict[str, Any]]) -> Modules:
    """The stages' files, each with its configuration, as they are read."""
    modules = []
    for number, (kind, config) in enumerate(stages):
        place = "" if kind == "Transformer" else f"{number}_{kind}"
        modules.append({"idx": number, "path": place, "type": f"sentence_transformers.models.{kind}"})
        (folder / place).mkdir(exist_ok=True)
        (folder / place / "config.json").write_text(json.dumps(config))
        if kind in ("Dense", "LayerNorm"):
            name = "linear" if kind == "Dense" else "norm"
            tensors = {f"{name}.weight": np.ones((2, 4), np.float32), f"{name}.bias": np.ones(2, np.float32)}
            save_file(tensors, folder / place / "model.safetensors")
    (folder / "modules.json").write_text(json.dumps(modules))
    return read_modules(folder)


MEAN: tuple[str, dict[str, Any]] = ("Pooling", {"pooling_mode_mean_tokens": True})


@pytest.mark.parametrize(
    ("config", "ways"),
    [
        *(({flag: True}, (way,)) for flag, way in FLAGS.items()),
        *(({"pooling_mode": way.value}, (way,)) for way in Pooling),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, (Pooling.CLS,)),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}, (Pooling.CLS, Pooling.MEAN)),
        ({"pooling_mode": ["mean", "max"], "include_prompt": True}, (Pooling.MEAN, Pooling.MAX)),
    ],
)
def test_poolings_are_told_by_flags_or_by_name(
    config: dict[str, Any], ways: tuple[Pooling, ...], tmp_path: Path
) -> None:
    assert staged(tmp_path, ("Transformer", {}), ("Pooling", config)).pooling == ways


def test_stages_behind_the_pooling_come_in_their_order(tmp_path: Path) -> None:
    stages = [
        ("Transformer", {}),
        MEAN,
        ("Dense", DENSE),
        ("Dropout", {"dropout": 0.1}),
        ("LayerNorm", {"dimension": 2}),
        ("Normalize", {}),
    ]
    made = staged(tmp_path, *stages)
    dense = Dense("2_Dense/linear.weight", 2, 4, "2_Dense/linear.bias", "tanh")
    norm = LayerNorm("4_LayerNorm/norm.weight", 2, 1e-5, "4_LayerNorm/norm.bias")
    assert made.stages == (dense, norm, Normalize())
    assert made.tensors["2_Dense/linear.weight"].shape == (2, 4)
    assert PoolingHead(made.pooling, made.stages).outputs(4) == 2


def test_a_plain_folder_has_no_stages(tmp_path: Path) -> None:
    assert read_modules(tmp_path) == Modules()
    assert read_prompts(tmp_path) == Prompts()


@pytest.mark.parametrize(
    ("stages", "reason"),
    [
        ([("WordEmbeddings", {})], "a stage 'WordEmbeddings'"),
        ([("Pooling", {"pooling_mode_of_the_future": True})], "pools by pooling_mode_of_the_future"),
        ([("Pooling", {"pooling_mode": "attention"})], "pools by attention"),
        ([("Pooling", {})], "pools by nothing"),
        ([("Normalize", {}), MEAN], "the stage 'Normalize' before the stage 'Pooling'"),
        ([MEAN, ("Transformer", {})], "has a stage 'Transformer' behind others"),
        ([MEAN, ("Dense", {**DENSE, "use_residual": True})], "use_residual"),
        ([MEAN, ("Dense", {**DENSE, "activation_function": "torch.nn.Softplus"})], "uses the activation 'Softplus'"),
        ([MEAN, ("Dense", {**DENSE, "module_input_name": "token_embeddings"})], "has module_input_name"),
        ([MEAN, ("Dense", {**DENSE, "out_features": 0})], "should be 1 or more"),
    ],
)
def test_what_mlxr_lacks_is_named(stages: list[tuple[str, dict[str, Any]]], reason: str, tmp_path: Path) -> None:
    with pytest.raises(UnusableModelError, match=reason):
        staged(tmp_path, *stages)


def test_prompts_that_pooling_leaves_out_are_refused_where_there_are_any(tmp_path: Path) -> None:
    config = {"pooling_mode_mean_tokens": True, "include_prompt": False}
    staged(tmp_path, ("Pooling", config))
    (tmp_path / "config_sentence_transformers.json").write_text('{"prompts": {"query": "query: "}}')
    with pytest.raises(UnsupportedModelError, match="leaves prompts out"):
        staged(tmp_path, ("Pooling", config))


def test_a_list_of_stages_has_a_form(tmp_path: Path) -> None:
    for content in ('{"type": 1}', '[{"type": "x.Pooling"}]', '[{"type": "x.Pooling", "path": "../.."}]'):
        (tmp_path / "modules.json").write_text(content)
        with pytest.raises(ModelFileError, match="is no list of stages"):
            read_modules(tmp_path)


def test_the_longest_input_is_told(tmp_path: Path) -> None:
    save_file({"w": np.ones(3, np.float32)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"model_type": "bert", "hidden_size": 3}')
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 99}')
    settings = folder_settings(ModelFolder.open(tmp_path))
    assert (settings["max_seq_length"], settings["hidden_size"]) == (99, 3)


def test_prompts_have_names_and_one_may_be_the_usual(tmp_path: Path) -> None:
    path = tmp_path / "config_sentence_transformers.json"
    path.write_text('{"prompts": {"query": "query: ", "document": ""}, "default_prompt_name": "query"}')
    assert read_prompts(tmp_path) == Prompts({"query": "query: ", "document": ""}, "query")
    path.write_text('{"prompts": {"query": "query: "}, "default_prompt_name": "passage"}')
    with pytest.raises(ModelFileError, match="puts the prompt 'passage' before every text, and has none"):
        read_prompts(tmp_path)
    path.write_text('{"prompts": ["query: "]}')
    with pytest.raises(ModelFileError, match="prompts that are no texts"):
        read_prompts(tmp_path)


def test_a_text_model_ranks_by_tokens_where_its_stages_or_its_model_card_say_so(tmp_path: Path) -> None:
    assert folder_logit_score(tmp_path, Modules()) is None
    score = staged(tmp_path, ("Transformer", {}), ("LogitScore", {"true_token_id": 7, "false_token_id": 5}))
    assert folder_logit_score(tmp_path, score) == LogitScore(7, 5)
    (tmp_path / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Qwen3-Reranker-0.6B\n")
    (tmp_path / "tokenizer.json").write_text('{"model": {"vocab": {"yes": 3, "no": 2}}}')
    assert folder_logit_score(tmp_path, Modules()) == LogitScore(3, 2)
    (tmp_path / "tokenizer.json").write_text('{"model": {"vocab": {"yes": 3}}}')
    with pytest.raises(ModelFileError, match="no tokens 'yes' and 'no'"):
        folder_logit_score(tmp_path, Modules())


def test_a_gguf_file_s_own_prompt_comes_before_that_of_its_family() -> None:
    own = {"general.architecture": "qwen3", PROMPT_KEY: "Q {query} D {document}"}
    assert gguf_prompt(own) == "Q {query} D {document}"
    assert gguf_prompt({**own, PROMPT_KEY: "no places"}) == QWEN3_PROMPT
    assert gguf_prompt({"general.architecture": "bert"}) is None
