"""Models quantized by every scheme compute what their dequantized weights do, on every backend.

Phi-3 keeps several matrices in one, Qwen3's mixtures have experts in tensors of their own.
"""

from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.backend import Backend
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.models.architectures.spec import DecoderSpec, Experts
from mlxr.models.loading import LoadedModel, load_model
from tests.metal.backends import BACKENDS, IDS, slack
from tests.models.architectures.checkpoints import TOKENS, config_of, write_folder
from tests.models.formats.quantized.writers import SCHEMES, quantized_folder
from tests.oracle.fidelity import run_chunks

FAMILIES = {
    "qwen3": {"intermediate_size": 128},
    "phi3": {"intermediate_size": 128},
    "qwen3_moe": {"moe_intermediate_size": 64, "num_hidden_layers": 2},
    "qwen2_moe": {"moe_intermediate_size": 64, "shared_expert_intermediate_size": 64, "num_hidden_layers": 2},
    "mixtral": {"intermediate_size": 64, "num_hidden_layers": 2},
}


def is_router(name: str) -> bool:
    return name.endswith((".gate.weight", ".shared_expert_gate.weight"))


def logits(model: LoadedModel, backend: Backend) -> np.ndarray:
    hidden = run_chunks(model, backend, TOKENS, chunk=13, page_size=16)
    return np.array(model.logits(hidden, mx.arange(len(TOKENS))))


@pytest.fixture(scope="module", params=list(FAMILIES))
def plain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = {**config_of(request.param), **FAMILIES[request.param]}
    return write_folder(tmp_path_factory.mktemp("plain"), config)


@pytest.mark.parametrize("name", SCHEMES)
def test_a_quantized_model_computes_what_its_numbers_say(name: str, plain: Path, tmp_path: Path) -> None:
    scheme = SCHEMES[name]
    folder = quantized_folder(plain, tmp_path / "quantized", scheme, keep=is_router)
    for backend, id in zip([ReferenceBackend(), *BACKENDS], ["reference", *IDS], strict=True):
        model, means = load_model(folder, backend), load_model(folder / "means", backend)
        out, expected = logits(model, backend), logits(means, backend)
        errors = np.abs(out - expected).max(axis=1) / np.abs(expected).max()
        # Where two experts are nearly equal, rounding chooses between them, and what follows is different, too.
        error = np.quantile(errors, 0.25) if mixture(model) else errors.max()
        # MLX has no form for FP8 and NF4, and holds them as 8-bit codes; this model is small and random.
        rounded = name.startswith("FP8") or name.endswith("NF4")
        assert error < (1e-5 if backend.name == "reference" else 5e-3 * slack(backend, 15 if rounded else 3)), id


def mixture(model: LoadedModel) -> bool:
    assert isinstance(model.spec, DecoderSpec)
    return any(isinstance(layer.feed_forward, Experts) for layer in model.spec.layers)


def test_what_is_read_or_held_otherwise_is_said(tmp_path: Path) -> None:
    plain = write_folder(tmp_path / "plain", {**config_of("qwen3"), "intermediate_size": 128})
    backend = next(backend for backend in BACKENDS if backend.name == "cpu")
    said = {
        name: load_model(quantized_folder(plain, tmp_path / name, SCHEMES[name]), backend).notes
        for name in ("FP8 per tensor", "GPTQ", "MLX mxfp8", "bitsandbytes NF4")
    }
    matrices = 7 * config_of("qwen3")["num_hidden_layers"]
    assert said["FP8 per tensor"] == (
        "scales of activations are left out: they keep more bits here than the 8 that those are for",
    )
    assert said["GPTQ"] == (
        f"{matrices} matrices of 4-bit codes are held as blocks of 32 codes, scales rounded to 16 bits",
    )
    assert said["MLX mxfp8"] == (f"{matrices + 2} matrices of MXFP8 are held as FP8 with its scales, exact",)
    assert said["bitsandbytes NF4"] == ()
