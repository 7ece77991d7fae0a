"""Adapters of every format give what PEFT gives, on models from folders and from GGUF files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.metal.adapters import AdapterStack, AdapterUse
from mlxr.metal.backend import Backend
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.select import select_backend
from mlxr.models.adapters.loading import load_adapter
from mlxr.models.adapters.opening import is_adapter, open_adapter
from mlxr.models.loading import LoadedModel, load_model
from tests.models.adapters.adapters import RECIPES, merged, write_gguf_adapter, write_mlx, write_peft
from tests.models.architectures.checkpoints import POSITIONS, TOKENS, config_of, safetensors, write_folder, write_gguf
from tests.oracle.fidelity import run_chunks

RECORDED = json.loads((Path(__file__).parents[2] / "data" / "adapters.json").read_text())
REFERENCE = ReferenceBackend()
NATIVE, _ = select_backend()
EVEN = [case for case in RECIPES if "rank_pattern" not in RECIPES[case] and "use_rslora" not in RECIPES[case]]
"""Those whose scaling is one and the same, and alpha over rank: the other formats have no more than that."""


def model_of(case: str, form: str, folder: Path, backend: Backend) -> LoadedModel:
    config = config_of(case)
    path = write_gguf(folder / "model.gguf", config) if form == "gguf" else write_folder(folder / "model", config)
    return load_model(path, backend)


def logits_with(model: LoadedModel, backend: Backend, adapters: AdapterStack) -> NDArray[np.float32]:
    hidden = run_chunks(model, backend, TOKENS, chunk=13, page_size=16, adapters=adapters)
    return np.array(model.logits(hidden, mx.array(POSITIONS)))


def adapted(model: LoadedModel, backend: Backend, path: Path, scale: float = 1.0) -> NDArray[np.float32]:
    assert model.adapter_base is not None
    loaded = load_adapter(path, model.adapter_base, backend)
    return logits_with(model, backend, (AdapterUse(loaded.handle, scale),))


def error(logits: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    return float(np.abs(logits - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("form", ["folder", "gguf"])
@pytest.mark.parametrize("case", RECIPES)
def test_a_peft_adapter_gives_the_logits_of_peft(case: str, form: str, tmp_path: Path) -> None:
    model = model_of(case, form, tmp_path, REFERENCE)
    logits = adapted(model, REFERENCE, write_peft(tmp_path / "adapter", case))
    expected = np.array(RECORDED[case])
    assert error(logits, expected) < 1e-4
    assert error(logits_with(model, REFERENCE, ()), expected) > 1e-2


@pytest.mark.parametrize("form", ["folder", "gguf"])
@pytest.mark.parametrize("case", RECIPES)
def test_the_backend_of_this_machine_gives_them_too(case: str, form: str, tmp_path: Path) -> None:
    model = model_of(case, form, tmp_path, NATIVE)
    logits = adapted(model, NATIVE, write_peft(tmp_path / "adapter", case))
    # An adapter's numbers are 16-bit there.
    assert error(logits, np.array(RECORDED[case])) < 5e-3


@pytest.mark.parametrize("form", ["folder", "gguf"])
@pytest.mark.parametrize("case", EVEN)
@pytest.mark.parametrize("write", [write_gguf_adapter, write_mlx])
def test_llama_cpp_s_and_mlx_lm_s_adapters_give_them_too(
    case: str, form: str, write: Callable[[Path, str], Path], tmp_path: Path
) -> None:
    model = model_of(case, form, tmp_path, REFERENCE)
    logits = adapted(model, REFERENCE, write(tmp_path / "adapter", case))
    assert error(logits, np.array(RECORDED[case])) < 1e-4


@pytest.mark.parametrize("scale", [0.5, -1.0, 2.0])
def test_an_adapter_with_a_scale_is_the_merged_model(scale: float, tmp_path: Path) -> None:
    case = "llama"
    model = model_of(case, "folder", tmp_path, REFERENCE)
    logits = adapted(model, REFERENCE, write_peft(tmp_path / "adapter", case), scale)
    path = write_folder(tmp_path / "merged", config_of(case))
    (path / "model.safetensors").write_bytes(safetensors(merged(case, scale)))
    other = load_model(path, REFERENCE)
    assert error(logits, logits_with(other, REFERENCE, ())) < 1e-4


def test_greedy_text_of_an_adapted_row_is_the_merged_model_s(tmp_path: Path) -> None:
    case = "qwen3"
    model = model_of(case, "folder", tmp_path, REFERENCE)
    path = write_folder(tmp_path / "merged", config_of(case))
    (path / "model.safetensors").write_bytes(safetensors(merged(case)))
    assert model.adapter_base is not None
    loaded = load_adapter(write_peft(tmp_path / "adapter", case), model.adapter_base, REFERENCE)

    def greedy(model: LoadedModel, adapters: AdapterStack) -> list[int]:
        tokens = TOKENS[:5]
        for _ in range(24):
            hidden = run_chunks(model, REFERENCE, tokens, chunk=64, page_size=16, adapters=adapters)
            logits = model.logits(hidden, mx.array([len(tokens) - 1]))
            tokens = [*tokens, int(np.array(logits)[0].argmax())]
        return tokens

    assert greedy(model, (AdapterUse(loaded.handle, 1.0),)) == greedy(load_model(path, REFERENCE), ())


def test_what_an_adapter_is_shows_in_its_files(tmp_path: Path) -> None:
    folder, gguf = write_peft(tmp_path / "peft", "llama"), write_gguf_adapter(tmp_path / "a.gguf", "llama")
    model, whole = write_folder(tmp_path / "model", config_of("llama")), tmp_path / "m.gguf"
    write_gguf(whole, config_of("llama"))
    assert [is_adapter(path) for path in (folder, gguf, model, whole)] == [True, True, False, False]
    assert open_adapter(folder).base == "tiny/llama"
    assert open_adapter(gguf).architecture == "llama"
    assert open_adapter(gguf).rank == 8
