"""Folders of models that look at images or listen run as the language model within."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.loading import check_model, load_model
from tests.models.architectures import checkpoints, checkpoints_newest
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
