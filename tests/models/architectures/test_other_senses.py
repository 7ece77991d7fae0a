"""Folders of models that look at images or listen run as the language model within."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.models.architectures.header_weights import HeaderWeights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.header import read_header
from mlxr.models.loading import check_model, load_model
from tests.models.architectures import checkpoints, checkpoints_decoders, checkpoints_newest
from tests.models.architectures.checkpoints import TOKENS, safetensors
from tests.oracle.fidelity import run_chunks

PREFIXES = {
    "llava": ("language_model.model.", "language_model.lm_head."),
    "internvl": ("model.language_model.", "lm_head."),
    "smolvlm": ("model.text_model.", "lm_head."),
}
SEEN = {"model.vision_tower.patch.weight": (4, 4), "model.connector.proj.weight": (4, 4), "model.image_newline": (4,)}


def logits_of(path: Path) -> NDArray[np.float32]:
    backend = ReferenceBackend()
    check_model(path)
    model = load_model(path, backend)
    return np.array(model.logits(run_chunks(model, backend, TOKENS, 13, page_size=16), mx.arange(len(TOKENS))))


def written(folder: Path, config: dict[str, Any], tensors: dict[str, NDArray[np.float32]]) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(safetensors(tensors))
    return folder


@pytest.mark.parametrize("kind", PREFIXES)
def test_text_is_read_as_the_language_model_reads_it_alone(kind: str, tmp_path: Path) -> None:
    config = {**checkpoints_newest.CASES["ministral"], "model_type": "mistral"}
    tensors, (inner, head) = checkpoints_newest.tensors_of({**config, "model_type": "ministral"}), PREFIXES[kind]
    within = {
        name.replace("lm_head.", head) if name.startswith("lm_head.") else name.replace("model.", inner, 1): tensor
        for name, tensor in tensors.items()
    } | {name: np.ones(shape, np.float32) for name, shape in SEEN.items()}
    outer = {
        "model_type": kind,
        "text_config": config,
        "vision_config": {"model_type": "siglip_vision_model", "hidden_size": 4},
        "image_token_id": 7,
        "scale_factor": 2,
        "tie_word_embeddings": False,
    }
    if kind == "smolvlm":  # as folders of 2024 have it
        outer["text_config"] = {
            **config,
            "perceiver_config": {"depth": 6},
            "qk_layer_norms": False,
            "use_resampler": False,
        }
    alone = logits_of(written(tmp_path / "alone", config, tensors))
    assert np.array_equal(logits_of(written(tmp_path / "within", outer, within)), alone)


OTHERS: dict[str, tuple[Mapping[str, Any], str, dict[str, Any]]] = {
    "exaone4_5": (
        checkpoints_decoders.config_of("exaone4"),
        "exaone4_5_text",
        {"mtp.layers.0.mlp.up_proj.weight": (4, 4), "model.visual.merger.mlp.0.weight": (4, 4)},
    ),
    "granite4_vision": (
        checkpoints.CASES["granite"],
        "granite4_vision_text",
        {
            "model.layerwise_projectors.0.norm.weight": (4,),
            "model.spatial_projectors.3.query": (1, 4, 4),
            "model.image_newline": (4,),
        },
    ),
}
"""A language model's settings, what the folder around it calls it, and what that folder holds besides."""


@pytest.mark.parametrize("kind", OTHERS)
def test_a_language_model_by_another_name_is_read_as_it_is_alone(kind: str, tmp_path: Path) -> None:
    config, name, besides = OTHERS[kind]
    config = {**config, "tie_word_embeddings": False}
    module = checkpoints_decoders if kind == "exaone4_5" else checkpoints
    tensors = module.tensors_of(config)
    text = {**config, "model_type": name}
    if kind == "exaone4_5":  # its last type is of the layer that drafts
        text |= {"layer_types": [*config["layer_types"], "full_attention"], "num_nextn_predict_layers": 1}
        text |= {"_num_mtp_layers": 1, "mtp_share_layers": True, "mtp_loss_scaling_factor": 0.05}
    outer = {"model_type": kind, "text_config": text, "vision_config": {"hidden_size": 4}, "tie_word_embeddings": False}
    path = written(tmp_path / "within", outer, in_language_model(tensors, besides))
    assert np.array_equal(logits_of(path), logits_of(written(tmp_path / "alone", config, tensors)))


def test_what_qwen2_audio_leaves_out_is_as_transformers_has_it(tmp_path: Path) -> None:
    text = {
        "model_type": "qwen2",
        "intermediate_size": 11008,
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000,
        "sliding_window": 32768,
        "use_mrope": False,
        "vocab_size": 156032,
    }
    config = {"model_type": "qwen2_audio", "audio_config": {"model_type": "qwen2_audio_encoder"}, "text_config": text}
    heard = {"audio_tower.conv1.weight": (4, 4), "multi_modal_projector.linear.weight": (4, 4)}
    tensors = {name: np.ones(shape, np.float32) for name, shape in heard.items()}
    header = read_header(written(tmp_path / "model", config, tensors))
    assert header.architecture == "qwen2"
    weights = HeaderWeights(header.path, header.tensors)
    layers = header.family.read(header.parameters, weights).layers
    header.table.leftovers.check("qwen2", header.parameters, weights, len(layers))
    sizes = "embedding_length", "block_count", "attention.head_count", "feed_forward_length"
    assert [header.parameters.integer(key) for key in sizes] == [4096, 32, 32, 11008]


@pytest.mark.parametrize(("inner", "outer"), [(True, False), (False, True), (True, None)])
@pytest.mark.parametrize("has_head", [True, False])
def test_where_a_folder_contradicts_itself_tensors_tell_whether_the_embedding_is_the_output(
    inner: bool, outer: bool | None, has_head: bool, tmp_path: Path
) -> None:
    config = {**checkpoints_newest.CASES["ministral"], "model_type": "mistral"}
    tensors = checkpoints_newest.tensors_of({**config, "model_type": "ministral"})
    if not has_head:
        del tensors["lm_head.weight"]
    told: dict[str, Any] = {"model_type": "llava", "text_config": {**config, "tie_word_embeddings": inner}}
    if outer is not None:
        told["tie_word_embeddings"] = outer
    alone = {**config, "tie_word_embeddings": not has_head}
    found = logits_of(written(tmp_path / "within", told, in_language_model(tensors, {})))
    assert np.array_equal(found, logits_of(written(tmp_path / "alone", alone, tensors)))


def in_language_model(tensors: dict[str, NDArray[np.float32]], besides: dict[str, Any]) -> dict[str, Any]:
    """Returns the tensors as newer folders name them, and others around them."""
    within = {name.replace("model.", "model.language_model.", 1): tensor for name, tensor in tensors.items()}
    return within | {name: np.ones(shape, np.float32) for name, shape in besides.items()}


def test_a_tensor_of_no_known_sense_is_named(tmp_path: Path) -> None:
    config = {**checkpoints_newest.CASES["ministral"], "model_type": "mistral"}
    tensors = checkpoints_newest.tensors_of({**config, "model_type": "ministral"})
    tensors["model.smell.weight"] = np.ones((4, 4), np.float32)
    path = written(tmp_path / "model", {"model_type": "llava", "text_config": config}, tensors)
    with pytest.raises(UnsupportedModelError, match=r"model\.smell\.weight"):
        check_model(path)


def test_a_language_model_that_mlxr_lacks_is_named_with_the_nearest_that_it_has(tmp_path: Path) -> None:
    inner = {**checkpoints.SMALL, "model_type": "llama9"}
    path = written(tmp_path / "model", {"model_type": "llava", "text_config": inner}, {})
    with pytest.raises(UnsupportedModelError, match=r"'llama9'.*the nearest that it has is 'llama"):
        check_model(path)
