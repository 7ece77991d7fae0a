"""Models that mix attention with the gated delta rule give the logits of transformers, from files of every format."""

from __future__ import annotations

import json
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.metal.backend import Backend
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.loading import LoadedModel, check_model, load_model
from mlxr.runtime.messages.kv import CacheKind
from tests.metal.backends import BACKENDS, IDS
from tests.models.architectures.checkpoints_hybrid import (
    CASES,
    POSITIONS,
    TOKENS,
    config_of,
    write_folder,
    write_gguf,
    write_mlx_folder,
    write_seeing_folder,
)
from tests.oracle.fidelity import run_chunks

RECORDED = json.loads((Path(__file__).parents[2] / "data" / "logits_hybrid.json").read_text())


def logits_of(model: LoadedModel, backend: Backend, chunk: int = 37) -> NDArray[np.float32]:
    hidden = run_chunks(model, backend, TOKENS, chunk=chunk, page_size=16)
    return np.array(model.logits(hidden, mx.array(POSITIONS)))


def error(case: str, logits: NDArray[np.float32]) -> float:
    """The largest difference, relative to the largest logit."""
    expected = np.array(RECORDED[case])
    return float(np.abs(logits - expected).max() / np.abs(expected).max())


WRITERS = {
    "folder": write_folder,
    "folder of a model that looks at images": write_seeing_folder,
    "MLX folder": write_mlx_folder,
    "GGUF file": lambda path, config: write_gguf(path.with_suffix(".gguf"), config),
    "GGUF file with a drafting layer": lambda path, config: write_gguf(path.with_suffix(".gguf"), config, True),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_gives_the_logits_of_transformers(case: str, kind: str, tmp_path: Path) -> None:
    backend = ReferenceBackend()
    path = WRITERS[kind](tmp_path / "model", config_of(case))
    check_model(path)
    assert error(case, logits_of(load_model(path, backend), backend)) < 1e-4


ON_BACKENDS = [
    pytest.param(backend, case, id=f"{id}-{case}")
    for id, backend in zip(IDS, BACKENDS, strict=True)
    for case in CASES
    if backend.name != "mlx" or "num_experts" not in CASES[case]
]
"""Of 16-bit numbers a token may get another expert than of the reference's."""


@pytest.mark.parametrize(("backend", "case"), ON_BACKENDS)
def test_every_backend_gives_them_but_for_its_16_bit_numbers(backend: Backend, case: str, tmp_path: Path) -> None:
    model = load_model(write_folder(tmp_path / "model", config_of(case)), backend)
    assert error(case, logits_of(model, backend)) < (3e-2 if backend.name == "mlx" else 3e-3)


@pytest.mark.parametrize("case", CASES)
def test_a_quantized_mlx_folder_gives_what_its_matrices_dequantized_give(case: str, tmp_path: Path) -> None:
    """Every matrix in 4 bits, also those whose rows stand in another order or above one another."""
    backend, settings = ReferenceBackend(), {"group_size": 32, "bits": 4}
    plain = write_mlx_folder(tmp_path / "plain", config_of(case))
    packed, dense = {}, {}
    for name, values in mx.load(str(plain / "model.safetensors")).items():
        if values.ndim < 2 or "conv1d" in name or values.shape[-1] % 32:
            packed[name] = dense[name] = values
            continue
        codes, scales, biases = mx.quantize(values, **settings)
        stem = name.removesuffix(".weight")
        packed |= {name: codes, f"{stem}.scales": scales, f"{stem}.biases": biases}
        dense[name] = mx.dequantize(codes, scales, biases, **settings)
    outs = []
    for place, tensors, config in (("p", packed, {"quantization": settings}), ("d", dense, {})):
        (tmp_path / place).mkdir()
        (tmp_path / place / "config.json").write_text(json.dumps({**config_of(case), **config}))
        mx.save_safetensors(str(tmp_path / place / "model.safetensors"), tensors, {"format": "mlx"})
        outs.append(logits_of(load_model(tmp_path / place, backend), backend))
    assert np.abs(outs[0] - outs[1]).max() < 1e-4 * np.abs(outs[1]).max()


def test_recurrent_layers_keep_states_beside_the_keys_of_the_others(tmp_path: Path) -> None:
    model = load_model(write_folder(tmp_path / "model", config_of("qwen3_5")), ReferenceBackend())
    state, full = model.cache_groups
    assert (state.kind, state.layers) == (CacheKind.STATE, (0, 1, 2, 4))
    assert (full.kind, full.layers) == (CacheKind.FULL, (3,))
    channels, heads = 2 * 2 * 16 + 6 * 16, 6 * 16 * 16
    assert state.state_size == 3 * channels + heads


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"attn_output_gate": False}, "the setting 'attn_output_gate'"),
        ({"attention_bias": True}, "the setting 'attention_bias'"),
        ({"layer_types": ["linear_attention"] * 4}, "lists 4 layer_types for 5 layers"),
        ({"layer_types": ["sliding_attention"] * 5}, "layers of the type 'sliding_attention'"),
        ({"linear_num_key_heads": 4}, "which 4 key heads can't share evenly"),
        ({"linear_conv_kernel_dim": 0}, "1 or more"),
        ({"linear_key_head_dim": 17}, "its metadata asks for"),
        ({"rope_parameters": {"partial_rotary_factor": 0.72}}, "turns 0.72 of the 32 dimensions"),
        ({"hidden_act": "gelu"}, "uses the activation 'gelu'"),
    ],
)
def test_what_changes_the_numbers_is_kept_to_or_refused(
    changes: dict[str, object], reason: str, tmp_path: Path
) -> None:
    path = write_folder(tmp_path / "model", config_of("qwen3_5"))
    (path / "config.json").write_text(json.dumps({**config_of("qwen3_5"), **changes}))
    with pytest.raises((UnsupportedModelError, ModelFileError), match=reason):
        check_model(path)
