"""Layers behind the model's own that draft tokens (multi-token prediction) change no number and are left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.tensors import TensorType
from mlxr.models.architectures.spec import DecoderSpec
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.loading import check_model, load_model
from tests.models.architectures.checkpoints import config_of, write_folder
from tests.models.files import Sizes, write_model

CASE = "qwen3"


def folder(path: Path, drafting: int, layers: int = 3) -> Path:
    """Of four layers, with a configuration that calls ``layers`` of them the model's and ``drafting`` others."""
    write_folder(path, {**config_of(CASE), "num_hidden_layers": 4})
    config = {**config_of(CASE), "num_hidden_layers": layers, "num_nextn_predict_layers": drafting}
    (path / "config.json").write_text(json.dumps(config))
    return path


def layers_of(path: Path) -> int:
    spec = load_model(path, ReferenceBackend()).spec
    assert isinstance(spec, DecoderSpec)
    return len(spec.layers)


def test_a_folder_s_are_left_out(tmp_path: Path) -> None:
    assert layers_of(folder(tmp_path / "model", 1)) == 3


def test_a_gguf_file_counts_them_among_its_layers(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(settings={"nextn_predict_layers": 1}))
    assert layers_of(path) == 1
    path = write_model(tmp_path / "n.gguf", "llama", TensorType.Q8_0, Sizes(settings={"nextn_predict_layers": 2}))
    with pytest.raises(ModelFileError, match="has 2 layers, of which 2 would draft tokens"):
        check_model(path)


def test_a_tensor_of_another_layer_is_still_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match=r"has the tensors 'model\.layers\.3\."):
        check_model(folder(tmp_path / "none", 0))
    with pytest.raises(UnsupportedModelError, match=r"has the tensors 'model\.layers\.3\."):
        check_model(folder(tmp_path / "fewer", 1, layers=2))
