"""all-MiniLM-L6-v2 from its safetensors folder, held against sentence-transformers' own vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.models.architectures.pooling_head import Pooling
from mlxr.models.errors import UnsupportedModelError, UnusableModelError
from mlxr.models.loading import LoadedModel, load_model
from mlxr.models.tokenizers import load_directory
from tests.actors.registry.packages import tiny_bert
from tests.metal.backends import BACKENDS, IDS
from tests.metal.batches import ragged
from tests.models import model_path

RECORDED: list[dict[str, Any]] = json.loads((Path(__file__).parents[3] / "data" / "minilm.json").read_text())


@pytest.fixture(scope="module", params=[ReferenceBackend(), *BACKENDS], ids=["reference", *IDS])
def model(request: pytest.FixtureRequest) -> LoadedModel:
    return load_model(model_path("minilm"), request.param)


def embedded(model: LoadedModel, inputs: list[list[int]]) -> NDArray[np.float32]:
    """Mean of each input's hidden states, of length 1; all inputs in one step."""
    lengths = [len(tokens) for tokens in inputs]
    batch = ragged(lengths, [0] * len(inputs), 16, 200)
    flat = mx.array([token for tokens in inputs for token in tokens], dtype=mx.int32)
    hidden = np.array(model.pooled_input(model.forward(flat, batch, None)))
    vectors = np.stack([part.mean(axis=0) for part in np.split(hidden, np.cumsum(lengths)[:-1])])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_embeddings_are_those_of_sentence_transformers(model: LoadedModel) -> None:
    tokenizer = load_directory(model_path("minilm"))
    vectors = embedded(model, [tokenizer.encode(row["text"]) for row in RECORDED])
    for row, vector in zip(RECORDED, vectors, strict=True):
        assert vector @ np.array(row["vector"]) > 0.99999, row["text"]


def test_an_input_gives_the_same_vector_alone_and_in_a_batch(model: LoadedModel) -> None:
    inputs = [[101, 1037, 2158, 102], [101, 102], [101, 5650, 2001, 2927, 2000, 102], [101, 1996, 4937, 102]]
    together = embedded(model, inputs)
    for tokens, vector in zip(inputs, together, strict=True):
        assert np.array_equal(embedded(model, [tokens])[0], vector)


def test_the_folder_says_how_to_pool_and_how_long_an_input_may_be(model: LoadedModel) -> None:
    assert (model.architecture, model.pooling, model.context_length) == ("bert", (Pooling.MEAN,), 256)
    assert model.pooling_head.parts.outputs(model.spec.width) == 384
    assert not model.cache_groups


def test_an_encoder_generates_no_text(model: LoadedModel) -> None:
    with pytest.raises(UnsupportedModelError, match="generates no text"):
        model.logits(mx.zeros((1, 384)), mx.array([0]))


def bert(folder: Path, more: dict[str, tuple[int, ...]] | None = None, **files: object) -> Path:
    """A small model folder with tensors more, and other JSON files by their names' stems."""
    for name, content in tiny_bert(more).items():
        (folder / name).write_bytes(content)
    for stem, value in files.items():
        path = folder / f"{stem}.json"
        before = json.loads(path.read_bytes()) if path.exists() else {}
        path.write_text(json.dumps({**before, **value} if isinstance(value, dict) else value))
    return folder


def test_heads_that_come_after_the_hidden_states_may_be_left_out(tmp_path: Path) -> None:
    names = ("embeddings.position_ids", "pooler.dense.weight", "cls.predictions.bias", "cls.seq_relationship.weight")
    load_model(bert(tmp_path, dict.fromkeys(names, (4,))), ReferenceBackend())


@pytest.mark.parametrize(
    "name",
    [
        "classifier.weight",
        "encoder.layer.1.output.dense.weight",
        "encoder.layer.0.attention.self.distance_embedding.weight",
        "encoder.layer.0.crossattention.self.query.weight",
        "embeddings.rotary.inv_freq",
        "weight.scale",
    ],
)
def test_a_tensor_that_nobody_uses_is_an_error_that_names_it(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match=f"has the tensor '{name}', which mlxr's 'bert' does not use"):
        load_model(bert(tmp_path, {name: (4,)}), ReferenceBackend())


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"config": {"is_decoder": True}}, "sets is_decoder"),
        ({"config": {"quantization_config": {}}}, "has the quant_method 'None'"),
        ({"config": {"position_embedding_type": "relative_key"}}, "relative positions"),
        ({"config": {"hidden_size": 1 << 40}}, "should be at most"),
        ({"config": {"layer_norm_eps": -1}}, "from 0 to 1"),
        ({"config": {"hidden_size": [4]}}, "an array of 1"),
        ({"config": {"vocab_size": 7}}, "its metadata asks for"),
        ({"sentence_bert_config": {"do_lower_case": True}}, "lowers the case"),
        ({"sentence_bert_config": {"max_seq_length": "9"}}, "should be a whole number"),
        ({"modules": [{"type": "x.Pooling", "path": "../.."}]}, "a path within the folder"),
        ({"modules": [{"type": "x.Pooling", "path": "gone"}]}, "is missing"),
        ({"modules": [{"type": "x.Pooling"}]}, "is no list of stages"),
    ],
)
def test_what_changes_the_numbers_is_kept_to_or_refused(files: dict[str, object], reason: str, tmp_path: Path) -> None:
    with pytest.raises(UnusableModelError, match=reason):
        load_model(bert(tmp_path, **files), ReferenceBackend())
