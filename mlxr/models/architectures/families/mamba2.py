"""Mamba-2 (Dao and Gu 2024): state spaces alone, as Mamba's, whose heads share their inputs in groups."""

from __future__ import annotations

from mlxr.models.architectures import names, state_spaces
from mlxr.models.architectures.families import mamba
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.spec import DecoderSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

KEYS = {
    "head_size": "head_dim",
    "time_step_rank": "num_heads",
    "group_count": "n_groups",
    "state_size": "state_size",
    "conv_kernel": "conv_kernel",
}


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    width, eps = mamba.width_of(parameters), mamba.epsilon_of(parameters)
    mixer = state_spaces.mamba2_spec(parameters, KEYS, eps, eps)
    return mamba.decoder(parameters, width, eps, mixer)


IN_GGUF = FormatTable(("mamba2",), {**mamba.ENDS, **state_spaces.GGUF_NAMES}, mamba.GGUF_NOTES)
IN_FOLDERS = FormatTable(
    ("mamba2",),
    {**names.BACKBONE, **state_spaces.folder_names(mamba.MIXER)},
    mamba.NOTES,
    defaults={"head_dim": 64},
)
FAMILY = Family("mamba2", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})
