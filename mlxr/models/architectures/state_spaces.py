"""Sizes and tensors of Mamba's and Mamba-2's layers, by the names that formats and families have for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mlxr.metal.specs import Mamba1Spec, Mamba2Spec
from mlxr.models.architectures.sizes import MAX_HEAD_DIM, MAX_HEADS, MAX_HIDDEN
from mlxr.models.architectures.tensors import Names
from mlxr.models.hyperparameters import Format, Hyperparameters

MOST_TAPS = 64

GGUF_NAMES: Names = {
    "ssm_input": "blk.{layer}.ssm_in.weight",
    "ssm_conv": "blk.{layer}.ssm_conv1d.weight",
    "ssm_conv_bias": "blk.{layer}.ssm_conv1d.bias",
    "ssm_step_bias": "blk.{layer}.ssm_dt.bias",
    "ssm_decay": "blk.{layer}.ssm_a",
    "ssm_skip": "blk.{layer}.ssm_d",
    "ssm_norm": "blk.{layer}.ssm_norm.weight",
    "ssm_output": "blk.{layer}.ssm_out.weight",
}


def folder_names(place: str) -> Names:
    """Returns where folders have a layer's tensors, of which ``place`` tells the module."""
    return {
        "ssm_input": f"{place}.in_proj.weight",
        "ssm_input_bias": f"{place}.in_proj.bias",
        "ssm_conv": f"{place}.conv1d.weight",
        "ssm_conv_bias": f"{place}.conv1d.bias",
        "ssm_step_bias": f"{place}.dt_bias",
        "ssm_log_decay": f"{place}.A_log",
        "ssm_skip": f"{place}.D",
        "ssm_norm": f"{place}.norm.weight",
        "ssm_output": f"{place}.out_proj.weight",
        "ssm_output_bias": f"{place}.out_proj.bias",
    }


GGUF_NAMES_OF_FIRST: Names = {
    **{role: name for role, name in GGUF_NAMES.items() if role != "ssm_norm"},
    "ssm_parameters": "blk.{layer}.ssm_x.weight",
    "ssm_step": "blk.{layer}.ssm_dt.weight",
}
"""Mamba's."""

GGUF_NORMS_OF_FIRST: Names = {
    "ssm_step_norm": "blk.{layer}.ssm_dt_norm.weight",
    "ssm_write_norm": "blk.{layer}.ssm_b_norm.weight",
    "ssm_read_norm": "blk.{layer}.ssm_c_norm.weight",
}
"""Of Mamba's time steps, B and C, where a family norms them."""


def folder_names_of_first(place: str) -> Names:
    """Returns where folders have the tensors of a layer of Mamba's, but for norms."""
    shared = folder_names(place)
    return {
        **{role: name for role, name in shared.items() if role != "ssm_norm"},
        "ssm_parameters": f"{place}.x_proj.weight",
        "ssm_step": f"{place}.dt_proj.weight",
        "ssm_step_bias": f"{place}.dt_proj.bias",
    }


def step_rank(parameters: Hyperparameters, key: str, width: int) -> int:
    """Returns how many numbers Mamba's time steps are made of: a 16th of the width where a folder says ``auto``."""
    usual = -(-width // 16)
    if parameters.format is not Format.GGUF and parameters.values.get(key) == "auto":
        return usual
    return parameters.positive(key, usual, MAX_HEADS)


def mamba1_spec(
    parameters: Hyperparameters,
    keys: Mapping[str, str],
    inner: int,
    width: int,
    norm_eps: float,
    inner_eps: float | None,
) -> Mamba1Spec:
    """Returns what a file describes of Mamba's, a ``config.json`` by the family's ``keys`` for GGUF's. ``inner``: of a
    folder; ``inner_eps``: of the norms of time steps, B and C, None where there are none."""
    gguf = parameters.format is Format.GGUF
    state, taps, rank = (f"ssm.{key}" if gguf else keys[key] for key in ("state_size", "conv_kernel", "time_step_rank"))
    return Mamba1Spec(
        parameters.positive("ssm.inner_size", most=MAX_HIDDEN) if gguf else inner,
        parameters.positive(state, 16, MAX_HEAD_DIM),
        step_rank(parameters, rank, width),
        taps_of(parameters, taps),
        norm_eps,
        inner_eps,
    )


FOLDER_KEYS = {
    "head_size": "mamba_d_head",
    "time_step_rank": "mamba_n_heads",
    "group_count": "mamba_n_groups",
    "state_size": "mamba_d_state",
    "conv_kernel": "mamba_d_conv",
}
"""What folders of most models with Mamba-2 beside attention have for GGUF's names of its sizes, and for that of a head,
which GGUF has none for."""


def biases(
    parameters: Hyperparameters, projected: str = "mamba_proj_bias", convolved: str = "mamba_conv_bias"
) -> frozenset[str]:
    """Returns the roles of the biases that a layer has. ``projected``, ``convolved``: settings that say whether its
    projections have some, and its convolution, as it usually has in a folder."""
    roles = {"ssm_input_bias", "ssm_output_bias"} if parameters.flag(projected, False) else set()
    if parameters.flag(convolved, parameters.format is not Format.GGUF):
        roles |= {"ssm_conv_bias"}
    return frozenset(roles)


def taps_of(parameters: Hyperparameters, key: str, usual: int | None = 4) -> int:
    """Returns how many tokens a convolution sees. Raises ``ModelFileError`` for one."""
    taps = parameters.positive(key, usual, MOST_TAPS)
    if taps < 2:
        raise parameters.error("has convolutions of one tap, which see no token but their own")
    return taps


def mamba2_spec(
    parameters: Hyperparameters,
    keys: Mapping[str, str],
    norm_eps: float,
    gate_eps: float,
    inner: int | None = None,
) -> Mamba2Spec:
    """Returns what a file describes, a ``config.json`` by the family's ``keys`` for GGUF's. ``inner``: how many numbers
    a folder's heads have together, where it says so beside their size, which may then be ``auto``.

    Raises ``ModelFileError`` for sizes that do not fit together.
    """
    gguf = parameters.format is Format.GGUF
    head_dim = 0

    def size(key: str, most: int) -> int:
        return parameters.positive(f"ssm.{key}" if gguf else keys[key], most=most)

    heads, groups = size("time_step_rank", MAX_HEADS), size("group_count", MAX_HEADS)
    if gguf:
        inner = size("inner_size", MAX_HEADS * MAX_HEAD_DIM)
        head_dim = inner // heads
        if heads * head_dim != inner:
            raise parameters.error(f"has state spaces of {inner} numbers, which {heads} heads can't share")
    else:
        head_dim = _head_size(parameters, keys["head_size"], heads, inner)
    if heads % groups:
        reason = f"has state spaces of {heads} heads, which {groups} groups can't share evenly"
        raise parameters.error(reason)
    taps = taps_of(parameters, "ssm.conv_kernel" if gguf else keys["conv_kernel"], None)
    limits = None if gguf else parameters.limits("time_step_limit")
    spec = Mamba2Spec(heads, head_dim, groups, size("state_size", MAX_HEAD_DIM), taps, norm_eps, gate_eps)
    return spec if limits is None else replace(spec, step_limits=limits)


def _head_size(parameters: Hyperparameters, key: str, heads: int, inner: int | None) -> int:
    """Returns how many numbers a head has in a folder. Raises ``ModelFileError`` where all do not make ``inner``."""
    if inner is not None and parameters.values.get(key, "auto") == "auto":
        parameters.text(key, "auto")
        size = inner // heads
    else:
        size = parameters.positive(key, most=MAX_HEAD_DIM)
    if inner is not None and heads * size != inner:
        raise parameters.error(f"has state spaces of {inner} numbers, but {heads} heads of {size} in them")
    return size
