"""gpt-oss runs from every way in which its experts are kept: MXFP4 as OpenAI publishes them, floats, and mlx-lm's."""

from __future__ import annotations

import json
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.metal.backend import Backend
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.select import select_backend
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.loading import check_model, load_model
from tests.models.architectures.checkpoints import TOKENS, config_of, tensors_of, write_folder
from tests.models.formats.raw import Raw, write_raw
from tests.oracle.fidelity import run_chunks

CONFIG = config_of("gpt_oss")
EXPERTS, WIDTH, HIDDEN = CONFIG["num_local_experts"], CONFIG["hidden_size"], CONFIG["intermediate_size"]
VALUES = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)
"""E2M1's (OCP Microscaling Formats 2023)."""

Array = NDArray[np.float32]


def logits(path: Path, backend: Backend) -> Array:
    model = load_model(path, backend)
    return np.array(model.logits(run_chunks(model, backend, TOKENS, 13, 16), mx.arange(len(TOKENS))))


def blocks(seed: int, outputs: int, inputs: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], Array]:
    """Random codes ``[experts, outputs, inputs / 32, 16]``, their scales, and the numbers that they stand
    for, ``[experts, outputs, inputs]``: the low half of a byte comes first."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, 256, (EXPERTS, outputs, inputs // 32, 16), dtype=np.uint8)
    scales = random.integers(121, 125, (EXPERTS, outputs, inputs // 32), dtype=np.uint8)
    halves = np.stack([codes & 15, codes >> 4], axis=-1).reshape(*scales.shape, 32)
    numbers = VALUES[halves] * np.exp2(scales.astype(np.float32) - 127)[..., None]
    return codes, scales, numbers.reshape(EXPERTS, outputs, inputs).astype(np.float32)


def write(folder: Path, config: dict[str, object], tensors: dict[str, NDArray[np.generic]]) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    write_raw(folder / "model.safetensors", {name: Raw.of(values) for name, values in tensors.items()})
    return folder


def mxfp4_and_floats(tmp_path: Path) -> tuple[Path, Path]:
    """The same model with experts as OpenAI publishes them, and as transformers makes floats of those."""
    packed: dict[str, NDArray[np.generic]] = dict(tensors_of(CONFIG))
    plain = dict(packed)
    for layer in range(CONFIG["num_hidden_layers"]):
        for seed, (part, outputs, inputs) in enumerate(
            [("gate_up_proj", 2 * HIDDEN, WIDTH), ("down_proj", WIDTH, HIDDEN)], 2 * layer
        ):
            name = f"model.layers.{layer}.mlp.experts.{part}"
            codes, scales, numbers = blocks(seed, outputs, inputs)
            del packed[name]
            packed |= {f"{name}_blocks": codes, f"{name}_scales": scales}
            plain[name] = np.ascontiguousarray(numbers.swapaxes(1, 2))
    quantized = {**CONFIG, "quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}}
    return write(tmp_path / "mxfp4", quantized, packed), write(tmp_path / "floats", CONFIG, plain)


def test_openai_s_blocks_are_the_numbers_that_they_stand_for(tmp_path: Path) -> None:
    packed, plain = mxfp4_and_floats(tmp_path)
    backend = ReferenceBackend()
    expected = logits(plain, backend)
    assert np.abs(logits(packed, backend) - expected).max() < 1e-5 * np.abs(expected).max()
    check_model(packed)


def test_the_backend_of_this_machine_computes_with_the_blocks(tmp_path: Path) -> None:
    packed, _ = mxfp4_and_floats(tmp_path)
    backend, _ = select_backend()
    expected = logits(packed, ReferenceBackend())
    # One row whose experts are chosen otherwise, for keys and values of 16 bits, says nothing of the rest.
    errors = np.abs(logits(packed, backend) - expected).max(axis=1)
    assert np.median(errors) < 5e-2 * np.abs(expected).max()


def test_mlx_lm_s_folders_have_gates_and_ups_apart(tmp_path: Path) -> None:
    tensors: dict[str, NDArray[np.generic]] = dict(tensors_of(CONFIG))
    for layer in range(CONFIG["num_hidden_layers"]):
        at = f"model.layers.{layer}.mlp.experts"
        both, biases = tensors.pop(f"{at}.gate_up_proj"), tensors.pop(f"{at}.gate_up_proj_bias")
        for first, part in enumerate(("gate_proj", "up_proj")):
            tensors[f"{at}.{part}.weight"] = np.ascontiguousarray(both[:, :, first::2].swapaxes(1, 2))
            tensors[f"{at}.{part}.bias"] = np.ascontiguousarray(biases[:, first::2])
        down = tensors.pop(f"{at}.down_proj")
        tensors[f"{at}.down_proj.weight"] = np.ascontiguousarray(down.swapaxes(1, 2))
        tensors[f"{at}.down_proj.bias"] = tensors.pop(f"{at}.down_proj_bias")
    backend = ReferenceBackend()
    expected = logits(write_folder(tmp_path / "floats", CONFIG), backend)
    ours = logits(write(tmp_path / "mlx", CONFIG, tensors), backend)
    assert np.abs(ours - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"swiglu_limit": 9.0}, "swiglu_limit"),
        ({"attention_bias": False}, "attention_bias"),
        ({"hidden_act": "gelu"}, "gelu"),
    ],
)
def test_what_changes_the_numbers_is_refused(changes: dict[str, object], reason: str, tmp_path: Path) -> None:
    path = write_folder(tmp_path / "model", CONFIG)
    (path / "config.json").write_text(json.dumps({**CONFIG, **changes}))
    with pytest.raises(UnsupportedModelError, match=reason):
        check_model(path)
