"""Quantized files against those of llama.cpp's own quantizer: the same bytes, for every type."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlxr.metal.tensors import Tensor
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.quantization.encoding import decoded, write_model
from mlxr.models.quantization.file_types import FILE_TYPES, file_type
from mlxr.models.quantization.ggml import Ggml
from mlxr.models.quantization.importance import Importance
from mlxr.models.quantization.quantize import Model, plan
from tests.models import model_path
from tests.models.quantization.models import small_model, values_in

pytestmark = pytest.mark.peers

OWN = ("NVFP4",)
"""Types that llama.cpp makes in its converter alone."""
REFUSED = {("Q1_0", "narrow rows"): "no tensor type fallback is defined for type q1_0"}
"""What llama.cpp makes no file of, and we do."""
TIES = ("IQ1_M",)
"""Types whose candidates for a block ggml sums up in another order since its release that ``libggml-python`` has: where
two are as good as one another, either may be taken."""
MOST_TIES = 1e-3
"""Of a tensor's bytes."""
SHAPES: dict[str, dict[str, Any]] = {
    "shared keys": {"heads": 8, "key_heads": 2},
    "as many keys": {"heads": 8, "key_heads": 8, "layers": 17},
    "eight experts": {"experts": 8, "layers": 9},
    "four experts": {"experts": 4, "layers": 9, "tied": True},
    "tied": {"tied": True},
    "narrow rows": {"width": 160, "heads": 5, "key_heads": 1, "layers": 3},
}


def quantizing(source: Path, target: Path, number: int, importance: Path | None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.peers.llama_quantize", str(source), str(target), str(number)]
    return subprocess.run([*command, *([str(importance)] if importance else [])], capture_output=True, text=True)


def llama_quantize(source: Path, target: Path, number: int, importance: Path | None = None) -> float:
    """Returns the seconds that it took."""
    run = quantizing(source, target, number, importance)
    assert run.returncode == 0, run.stderr[-500:]
    return float(run.stdout.splitlines()[-1])


def ours(source: Path, target: Path, type: str, importance: Importance | None = None) -> Path:
    made = plan(Model.of_gguf(source), file_type(type), importance, requantize=True)
    with target.open("wb") as file:
        write_model(file, made.pairs, made.outputs, 2, lambda done, total: None)
    return target


def importances(source: Path) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    found = {}
    for name, values in values_in(source).items():
        if values.ndim > 1 and not name.startswith(("token_embd", "output")):
            shape = (values.shape[0] if values.ndim > 2 else 1, values.shape[-1])
            found[name] = rng.uniform(0.01, 1, shape).astype(np.float32)
    return found


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("type", [type for type in FILE_TYPES if type.name not in OWN], ids=lambda type: type.name)
def test_a_file_has_the_tensors_of_llama_quantize(type: Any, shape: str, tmp_path: Path) -> None:
    source = small_model(tmp_path / "source.gguf", **SHAPES[shape])
    weights = importances(source)
    np.savez(tmp_path / "weights.npz", **weights)
    theirs = tmp_path / "theirs.gguf"
    made = ours(source, tmp_path / "ours.gguf", type.name, Importance(tmp_path / "weights.npz", weights))
    if said := REFUSED.get((type.name, shape)):
        assert said in quantizing(source, theirs, type.number, tmp_path / "weights.npz").stderr
        assert tensors_in(made)["blk.0.ffn_down.weight"].type is not tensors_in(source)["blk.0.ffn_down.weight"].type
        return
    llama_quantize(source, theirs, type.number, tmp_path / "weights.npz")
    expected, got = tensors_in(theirs), tensors_in(made)
    assert list(got) == list(expected)
    for name, tensor in expected.items():
        assert got[name].type is tensor.type, name
        if tensor.type.name in TIES:
            require_as_good(got[name], tensor, tensors_in(source)[name])
        else:
            np.testing.assert_array_equal(got[name].data, tensor.data, err_msg=name)


def require_as_good(got: Tensor, expected: Tensor, source: Tensor) -> None:
    """The same bytes but for ties, which cost the same."""
    assert np.mean(got.data != expected.data) <= MOST_TIES
    ggml = Ggml()
    ggml.prepare(got.type)
    errors = [float(np.square(decoded(ggml, each) - decoded(ggml, source)).sum()) for each in (got, expected)]
    assert errors[0] == pytest.approx(errors[1], rel=MOST_TIES)


def tensors_in(path: Path) -> dict[str, Tensor]:
    return {name: tensor.read_rows(0, tensor.rows) for name, tensor in GGUFFile.open(path).tensors.items()}


@pytest.mark.parametrize("type", ["Q4_K_M", "Q5_K_S", "Q3_K_L", "Q2_K", "Q8_0", "IQ4_NL", "F16"])
@pytest.mark.parametrize("model", ["smollm2", "gemma3"])
def test_a_real_model_s_file_is_that_of_llama_quantize_byte_for_byte(model: str, type: str, tmp_path: Path) -> None:
    source, theirs = model_path(model), tmp_path / "theirs.gguf"
    llama_quantize(source, theirs, file_type(type).number)
    assert ours(source, tmp_path / "ours.gguf", type).read_bytes() == theirs.read_bytes()


SAYS = """
import sys, llama_cpp

def parameters(made=llama_cpp.llama_model_default_params):
    # Its AMX code breaks on any file, also those that it has made itself.
    found = made()
    found.use_extra_bufts = False
    return found

llama_cpp.llama.llama_cpp.llama_model_default_params = parameters
llm = llama_cpp.Llama(sys.argv[1], n_ctx=256, verbose=False)
print(llm("The capital of France is", max_tokens=8, temperature=0.0)["choices"][0]["text"])
"""


def test_llama_cpp_loads_what_is_written_and_goes_on_in_words(tmp_path: Path) -> None:
    # Another process: one can hold one ggml.
    made = ours(model_path("smollm2"), tmp_path / "made.gguf", "Q5_K_M")
    run = subprocess.run([sys.executable, "-c", SAYS, str(made)], capture_output=True, text=True)
    assert "Paris" in run.stdout, run.stderr[-500:]
