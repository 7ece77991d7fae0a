"""Every encoder gives the hidden states, embeddings and scores that transformers gives, from a folder and from a GGUF
file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.actors.executor.pooling import Gathered
from mlxr.metal.backend import Backend
from mlxr.metal.batch import Batch
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.models.architectures.pooling_head import Pooling
from mlxr.models.architectures.spec import DecoderSpec
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.loading import LoadedModel, check_model, load_model
from tests.metal.backends import BACKENDS, IDS
from tests.metal.batches import ragged
from tests.models.architectures.checkpoints_encoders import (
    CASES,
    DENSE,
    IN_GGUF,
    RANKERS,
    SECOND,
    TOKENS,
    tensors_of,
    values_of,
    write_dense,
    write_encoder,
    write_encoder_gguf,
    write_text_reranker,
)
from tests.oracle.fidelity import run_chunks

RECORDED: dict[str, dict[str, Any]] = json.loads((Path(__file__).parents[2] / "data" / "encoders.json").read_text())
ENCODERS = [case for case in CASES if case not in RANKERS]
IN_FOLDERS = [case for case in ENCODERS if case != "nomic-bert-moe"]
"""Its folders keep experts in a way that mlxr does not read."""
SEGMENTED = [case for case in ENCODERS if "segments" in RECORDED[case]]
NO_POOLER = {"bert ranker"}
"""llama.cpp's converter leaves BERT's pooler out, without which its file makes another score."""

REFERENCE = ReferenceBackend()
ALL = [REFERENCE, *BACKENDS]
ALL_IDS = ["reference", *IDS]


def slack(backend: Backend) -> float:
    """The largest error that a backend's own numbers allow, relative to the largest value: the reference computes in
    float32, the others keep keys, values or more as 16-bit floats."""
    return {"reference": 1e-4, "cpu": 3e-3}.get(backend.name, 3e-2)


def folder_of(case: str, folder: Path) -> Path:
    written = write_encoder(folder, CASES[case], tensors_of(RECORDED[case]["tensors"]))
    return write_text_reranker(written) if case == "qwen3 reranker" else written


def gguf_of(case: str, path: Path, pooling: int = 0) -> Path:
    pooling = 4 if case.startswith("qwen3") else pooling
    return write_encoder_gguf(path, case, CASES[case], tensors_of(RECORDED[case]["tensors"]), pooling)


def hidden_of(model: LoadedModel, backend: Backend, segments: list[int] | None = None) -> NDArray[np.float32]:
    if isinstance(model.spec, DecoderSpec):
        return np.array(model.pooled_input(run_chunks(model, backend, TOKENS, chunk=13, page_size=16)))
    return together(model, [TOKENS], [segments])[0]


def together(
    model: LoadedModel, inputs: list[list[int]], segments: list[list[int] | None]
) -> list[NDArray[np.float32]]:
    """Hidden states of each input, all of them in one step."""
    lengths = [len(tokens) for tokens in inputs]
    plain = ragged(lengths, [0] * len(inputs), 64, 64)
    of = [own or [0] * length for own, length in zip(segments, lengths, strict=True)]
    flat = np.array([number for own in of for number in own], np.int32) if any(segments) else None
    batch = Batch(plain.query_starts, plain.context_lengths, plain.positions, plain.groups, segments=flat)
    tokens = mx.array([token for own in inputs for token in own], dtype=mx.int32)
    hidden = np.array(model.pooled_input(model.forward(tokens, batch, None)))
    return np.split(hidden, np.cumsum(lengths)[:-1])


def segments_of(tokens: list[int]) -> list[int]:
    return [int(position >= SECOND) for position in range(len(tokens))]


def error(found: NDArray[Any], recorded: Any) -> float:
    expected = np.array(recorded)
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def pooled(model: LoadedModel, hidden: NDArray[np.float32]) -> NDArray[np.float64]:
    """What the model's head makes of an input's hidden states."""
    gathered = Gathered()
    gathered.add(hidden, 0, model.pooling)
    return model.pooling_head(np.concatenate([gathered.pooled(way) for way in model.pooling])[None])[0]


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
@pytest.mark.parametrize("case", IN_FOLDERS)
def test_a_folder_gives_the_hidden_states_of_transformers(case: str, backend: Backend, tmp_path: Path) -> None:
    model = load_model(folder_of(case, tmp_path / "model"), backend)
    assert error(hidden_of(model, backend)[::6], RECORDED[case]["hidden"]) < slack(backend)
    if case in SEGMENTED:
        assert error(hidden_of(model, backend, segments_of(TOKENS))[::6], RECORDED[case]["segments"]) < slack(backend)


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
@pytest.mark.parametrize("case", [case for case in ENCODERS if case in IN_GGUF])
def test_a_gguf_file_of_the_same_weights_gives_them_too(case: str, backend: Backend, tmp_path: Path) -> None:
    model = load_model(gguf_of(case, tmp_path / "model.gguf", pooling=1), backend)
    assert error(hidden_of(model, backend)[::6], RECORDED[case]["hidden"]) < slack(backend)
    if case in SEGMENTED:
        assert error(hidden_of(model, backend, segments_of(TOKENS))[::6], RECORDED[case]["segments"]) < slack(backend)
    assert model.pooling == (Pooling.MEAN,)


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
@pytest.mark.parametrize("case", RANKERS)
def test_a_ranker_gives_the_score_of_transformers(case: str, backend: Backend, tmp_path: Path) -> None:
    paths = [folder_of(case, tmp_path / "model")]
    if case in IN_GGUF and case not in NO_POOLER:
        paths.append(gguf_of(case, tmp_path / "model.gguf"))
    segments = segments_of(TOKENS) if CASES[case].get("type_vocab_size", 0) > 1 else None
    for path in paths:
        model = load_model(path, backend)
        (score,) = pooled(model, hidden_of(model, backend, segments))
        assert model.pooling_head.parts.ranks
        assert abs(score - RECORDED[case]["score"]) < 10 * slack(backend)


@pytest.mark.parametrize("case", IN_FOLDERS)
def test_an_input_is_the_same_alone_and_in_company(case: str, tmp_path: Path) -> None:
    native = next(backend for backend in BACKENDS if backend.name == "cpu")
    model = load_model(folder_of(case, tmp_path / "model"), native)
    inputs = [TOKENS, TOKENS[:3], TOKENS[5:30], TOKENS[:1]]
    segments: list[list[int] | None] = [segments_of(TOKENS) if case in SEGMENTED else None, None, None, None]
    for tokens, own, found in zip(inputs, segments, together(model, inputs, segments), strict=True):
        assert np.array_equal(found, together(model, [tokens], [own])[0])


def test_dense_stages_follow_the_pooling(tmp_path: Path) -> None:
    case = "embedding gemma"
    model = load_model(write_dense(folder_of(case, tmp_path / "model")), REFERENCE)
    assert error(pooled(model, hidden_of(model, REFERENCE)), RECORDED[case]["embedding"]) < 1e-4
    tensors = tensors_of(RECORDED[case]["tensors"])
    dense = {f"dense_{place[0]}.weight": values_of(f"{place}/linear.weight", shape) for place, shape in DENSE.items()}
    path = write_encoder_gguf(tmp_path / "model.gguf", case, CASES[case], tensors | dense, 1)
    model = load_model(path, REFERENCE)
    vector = pooled(model, hidden_of(model, REFERENCE))
    assert error(vector / np.linalg.norm(vector), RECORDED[case]["embedding"]) < 1e-4


@pytest.mark.parametrize(
    ("case", "prefix"),
    [("bert", "bert."), ("xlm-roberta", "roberta."), ("embedding gemma", "model."), ("qwen3 ranker", "")],
)
def test_names_may_have_the_prefix_of_a_model_with_a_head_or_none(case: str, prefix: str, tmp_path: Path) -> None:
    tensors = {
        name if name.startswith("score") else prefix + name.removeprefix("model."): values
        for name, values in tensors_of(RECORDED[case]["tensors"]).items()
    }
    load_model(write_encoder(tmp_path / "model", CASES[case], tensors), REFERENCE)


@pytest.mark.parametrize(
    ("case", "changes", "reason"),
    [
        ("bert", {"is_decoder": True}, "sets is_decoder"),
        ("bert ranker", {"architectures": ["BertForTokenClassification"]}, "the tensors 'classifier.bias'"),
        ("jina-bert-v2", {"feed_forward_type": "original"}, "sets feed_forward_type to 'original'"),
        ("nomic_bert", {"prenorm": True}, "sets prenorm to 'True'"),
        ("nomic_bert", {"hidden_act": "relu"}, "uses the activation 'relu'"),
        ("nomic-bert-moe", {}, "has experts, which mlxr runs from a GGUF file"),
        ("gte", {"logn_attention_scale": True}, "sets logn_attention_scale"),
        ("modernbert", {"norm_bias": True}, "sets norm_bias"),
        ("modernbert ranker", {"classifier_activation": "silu"}, "a classifier with the activation 'silu'"),
        ("xlm-roberta", {"pad_token_id": 65}, "has 66 positions, of which the first is number 66"),
    ],
)
def test_what_changes_the_numbers_is_refused(case: str, changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    tensors = tensors_of(RECORDED[case]["tensors"])
    with pytest.raises(Exception, match=reason):
        check_model(write_encoder(tmp_path / "model", {**CASES[case], **changes}, tensors))


def test_a_classifier_of_several_labels_ranks_nothing(tmp_path: Path) -> None:
    tensors = tensors_of(RECORDED["bert ranker"]["tensors"])
    tensors |= {"classifier.weight": values_of("w", (3, 64)), "classifier.bias": values_of("b", (3,))}
    with pytest.raises(UnsupportedModelError, match="has a classifier with 3 outputs; mlxr runs those that rank"):
        check_model(write_encoder(tmp_path / "model", CASES["bert ranker"], tensors))


def test_stages_that_do_not_fit_together_are_named(tmp_path: Path) -> None:
    case = "embedding gemma"
    tensors = tensors_of(RECORDED[case]["tensors"]) | {"dense_2.weight": values_of("d", (128, 32))}
    with pytest.raises(ModelFileError, match=r"'dense_2.weight' that takes 32 numbers, and the one before it gives 64"):
        check_model(write_encoder_gguf(tmp_path / "model.gguf", case, CASES[case], tensors, 1))
