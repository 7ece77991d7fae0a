"""Older decoders give the logits of transformers: from folders, from the GGUF files made of them, on every backend."""

from __future__ import annotations

import json
from pathlib import Path
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
from tests.models.architectures.checkpoints import POSITIONS, TOKENS
from tests.models.architectures.checkpoints_older import CASES, config_of, write_folder
from tests.models.conversion.test_to_gguf import written
from tests.oracle.fidelity import run_chunks

RECORDED: dict[str, Any] = json.loads((Path(__file__).parents[2] / "data" / "logits_older.json").read_text())


def error(case: str, logits: NDArray[np.float32]) -> float:
    expected = np.array(RECORDED[case])
    return float(np.abs(logits[list(POSITIONS)] - expected).max() / np.abs(expected).max())


def logits_of(model: LoadedModel, backend: Backend, chunk: int = 13) -> NDArray[np.float32]:
    hidden = run_chunks(model, backend, TOKENS, chunk, page_size=16)
    return np.array(model.logits(hidden, mx.arange(len(TOKENS))))


@pytest.mark.parametrize("case", CASES)
def test_a_folder_gives_the_logits_of_transformers(case: str, tmp_path: Path) -> None:
    backend, path = ReferenceBackend(), write_folder(tmp_path / "model", config_of(case))
    check_model(path)
    assert error(case, logits_of(load_model(path, backend), backend)) < 1e-4


@pytest.mark.parametrize("case", CASES)
def test_the_gguf_file_of_a_folder_gives_them_too(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(to_gguf, "add_vocabulary", lambda writer, *others: writer.add_tokenizer_model("none"))
    write_folder(tmp_path / "folder", config_of(case))
    backend, path = ReferenceBackend(), written(tmp_path / "folder", tmp_path / "model.gguf")
    check_model(path)
    assert error(case, logits_of(load_model(path, backend), backend)) < 1e-4


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("backend", BACKENDS, ids=IDS)
def test_backends_give_them_but_for_16_bit_numbers(backend: Backend, case: str, tmp_path: Path) -> None:
    model = load_model(write_folder(tmp_path / "model", config_of(case)), backend)
    assert error(case, logits_of(model, backend)) < (0.05 if backend.name == "mlx" else 5e-3)


@pytest.mark.parametrize("case", CASES)
def test_a_prompt_may_be_cut_anywhere(case: str, tmp_path: Path) -> None:
    backend = ReferenceBackend()
    model = load_model(write_folder(tmp_path / "model", config_of(case)), backend)
    whole, cut = (logits_of(model, backend, chunk) for chunk in (len(TOKENS), 1))
    assert np.abs(whole - cut).max() < 1e-4 * np.abs(whole).max()


@pytest.mark.parametrize(
    ("case", "changes", "reason"),
    [
        ("falcon", {"alibi": True}, "tells places by ALiBi"),
        ("falcon", {"parallel_attn": False}, "a Falcon with two norms a layer"),
        ("falcon 2", {"num_ln_in_parallel_attn": 2}, "a Falcon with two norms a layer"),
        ("falcon 2", {"num_kv_heads": 3}, "3 key heads can't share evenly"),
        ("falcon", {"activation": "relu"}, "uses the activation 'relu'"),
        ("olmo", {"clip_qkv": 8.0}, "the setting 'clip_qkv'"),
        ("gpt_neox", {"hidden_act": "relu"}, "uses the activation 'relu'"),
    ],
)
def test_what_a_family_lacks_is_named(case: str, changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path = write_folder(tmp_path / "model", config_of(case))
    (path / "config.json").write_text(json.dumps({**config_of(case), **changes}))
    with pytest.raises((ModelFileError, UnsupportedModelError), match=reason):
        check_model(path)
