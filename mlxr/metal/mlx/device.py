"""What MLX computes on here, and which of its ways is fastest there: one small table, by measurement."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mlx.core as mx

from mlxr.metal.gpu.kernel import Language
from mlxr.metal.pool import DeviceMemory

ENDLESS = sys.maxsize

SETTINGS = {"MLX_MAX_MB_PER_BUFFER": "1000000", "MLX_MAX_OPS_PER_BUFFER": "40"}
"""When MLX ends a CUDA graph and starts it: not for the size of what it touches, since a KV pool would end it every
other layer, but early, so that the GPU begins while the rest of a step is queued. For Metal MLX's own are kept."""

NVIDIA_LIBRARY, PROCESSORS = "libcuda.so.1", 16
"""The driver's, and its number for that attribute of a device."""

MULTI_PROCESS, MULTI_PROCESS_FOLDER = "CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps"
"""Where NVIDIA's multi-process service listens, by its own variable and else there."""

NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True, slots=True)
class Ways:
    """How things are computed on a kind of device.

    ``least_rows``: a step of more than one token and fewer than these is filled up to them.
    ``dense_rows``: from how many rows on a product dequantizes its matrix first and multiplies floats.
    ``query_grid``: prompts are padded to multiples of this many tokens, so that kernels made for one length serve
    others.
    ``blocks``: a product that feeds a sum is computed in parts where fewer blocks of 128 outputs than these would work
    on it, 0 for never.
    ``wide_sums``: products are computed in float32, since MLX adds 16-bit numbers up in 16 bits there.
    ``masked_queries``: MLX's attention kernels take masks for single queries; plain operations are used where not.
    ``step_tokens``, ``first_steps``: as in ``Backend``. On CUDA products have kernels for one row and for up to 8, 16
    and 32; MLX has others for prompts below ``dense_rows`` tokens and above. Those that come first are wanted first.
    ``modes``: MLX's modes of floating codes to multiply in, and ``blocks``, those of GGUF files as they lie there, by
    kernels of our own (``mlxr.metal.gpu.matmul``). What is left out is held as affine codes: on CUDA that of
    MXFP4, whose values 5-bit codes hold exactly, by kernels that were measured there.

    The rest are ways that a check on the device may rule out, with the plain way that is then taken:
    ``attention``: MLX's attention kernels; plain operations.
    ``rope``: MLX's kernel; plain operations.
    ``fused``: element-by-element chains joined by ``mx.compile``; one kernel an operation.
    ``in_place``: kernels that write to the pool; scatters.
    ``paged_decode``: the kernel for single queries of several sequences; gathers and what ``attention`` says.
    ``few_rows``: a kernel of our own for products of few rows with affine codes (on Metal with 16-bit floats too), and
    what stands around them (``mlxr.metal.gpu.affine_matmul``); MLX's.
    ``experts``: kernels of our own for few rows of a mixture of codes or floats, from the norm to the sum over experts
    (``mlxr.metal.gpu.experts``); MLX's products with matrices that are picked.
    ``grouped_experts``: MLX's products of a prompt's rows in the order of their experts, whose matrices ``tables``
    makes floats; its products with matrices that are picked.
    ``sampling``: a kernel of our own that draws tokens without sorting (``mlxr.metal.gpu.sampling``); MLX's operations.
    ``paged_prefill``: one for prompts in layers with a soft cap (``mlxr.metal.gpu.attention``); plain operations.
    ``recurrence``: kernels of our own for few tokens of what keeps a state (``mlxr.metal.gpu.recurrence``), on CUDA in
    place; MLX's operations.
    ``step_attention``: one of our own for what is between two products in a step of one token a sequence
    (``mlxr.metal.gpu.attention``); what the others say.
    ``tables``: ones of our own for rows that are looked up, whole matrices as floats and the best token of a row
    (``mlxr.metal.gpu.tables``, ``sampling``); MLX's operations.
    ``dense_layers``: one for whole dense layers of such a step (``mlxr.metal.gpu.decoder_layer``), where ``few_rows``
    and ``step_attention`` take all of their parts, of up to ``joined_rows`` sequences; those.
    ``attention_halves``: that one for the first half of such a step's layers whose second is a mixture; likewise.
    """

    least_rows: int
    dense_rows: int
    query_grid: int
    blocks: int
    wide_sums: bool
    masked_queries: bool
    step_tokens: int
    first_steps: tuple[tuple[int, int], ...] = ()
    modes: tuple[str, ...] = ("mxfp4", "mxfp8", "nvfp4")
    attention: bool = True
    rope: bool = True
    fused: bool = True
    in_place: bool = True
    paged_decode: bool = False
    few_rows: bool = False
    experts: bool = False
    grouped_experts: bool = False
    sampling: bool = False
    recurrence: bool = False
    paged_prefill: bool = False
    step_attention: bool = False
    tables: bool = False
    dense_layers: bool = False
    attention_halves: bool = False
    joined_rows: int = 0

    @property
    def joins_layers(self) -> bool:
        """Whether a kernel whose blocks wait for each other is taken for anything."""
        return self.dense_layers or self.attention_halves

    def without(self, names: frozenset[str]) -> Ways:
        """These ways but those of ``names``, which are fields."""
        left_out: dict[str, Any] = dict.fromkeys(names, False)
        return replace(self, **left_out)


WAYS = {
    "cuda": Ways(
        8,
        192,
        64,
        128,
        wide_sums=False,
        masked_queries=False,
        step_tokens=4096,
        first_steps=((1, 1), (1, 40), (8, 1), (1, 256), (9, 1), (17, 1)),
        modes=("mxfp8", "nvfp4"),
        paged_decode=True,
        few_rows=True,
        experts=True,
        grouped_experts=True,
        recurrence=True,
        step_attention=True,
        tables=True,
        dense_layers=True,
        attention_halves=True,
        joined_rows=8,
    ),
    "metal": Ways(
        1,
        ENDLESS,
        1,
        0,
        wide_sums=False,
        masked_queries=True,
        step_tokens=2048,
        first_steps=((1, 1), (1, 40), (4, 1)),
        modes=("mxfp4", "mxfp8", "nvfp4", "blocks"),
        few_rows=True,
        step_attention=True,
        sampling=True,
        recurrence=True,
        paged_prefill=True,
    ),
    "cpu": Ways(1, ENDLESS, 1, 0, wide_sums=True, masked_queries=True, step_tokens=512, fused=False, in_place=False),
}


def prepare() -> None:
    """Settings of MLX's that count from the first computation of the process on; what its user set stays."""
    if kind() != "cuda":
        return
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


def keep_kernels(folder: Path) -> None:
    """Has MLX keep kernels that it compiles for CUDA in ``folder``, unless its user says where. By default that is
    the system's temporary folder, and a first answer after that was emptied would wait for a minute. To be
    called before the first kernel."""
    if kind() == "cuda":
        os.environ.setdefault("MLX_PTX_CACHE_DIR", str(folder))


def kind() -> str:
    """``cuda``, ``metal`` or ``cpu``: what MLX computes on by default."""
    if mx.default_device().type != mx.DeviceType.gpu:
        return "cpu"
    return "metal" if mx.metal.is_available() else "cuda"


def language() -> Language:
    """Returns what our own kernels for the GPU here are written in."""
    return Language.METAL if kind() == "metal" else Language.CUDA


def processors() -> int:
    """Returns how many processors an NVIDIA GPU has, each of which has places for blocks. Raises ``OSError`` where its
    driver does not tell."""
    count = ctypes.c_int()
    failed = ctypes.CDLL(NVIDIA_LIBRARY).cuDeviceGetAttribute(ctypes.byref(count), PROCESSORS, 0)
    if failed or count.value < 1:
        raise OSError(f"{NVIDIA_LIBRARY} does not tell how many processors the device has ({failed})")
    return count.value


def shares_processors() -> bool:
    """Whether other processes' kernels may run on the device beside this one's, as NVIDIA's multi-process service has
    them; without it each process has the whole device for a while."""
    return os.path.exists(f"{os.environ.get(MULTI_PROCESS) or MULTI_PROCESS_FOLDER}/control")


def constants(parts: Sequence[mx.array]) -> mx.array:
    """``parts`` as float32, one behind another, in the device's memory, where what MLX does not compute may not be."""
    return mx.concatenate([part.astype(mx.float32) for part in parts]) + 0.0


def described() -> str:
    """Returns the device's own name."""
    info = mx.device_info(mx.default_device())
    return str(info.get("device_name", info.get("architecture", kind())))


def memory() -> DeviceMemory | None:
    """Returns what a GPU has left: on CUDA its own memory, of which what MLX keeps for reuse counts as free; on Metal
    how far MLX may go into the system's. None on a CPU."""
    info = mx.device_info(mx.default_device())
    match kind():
        case "cuda":
            free, total = int(info["free_memory"]) + mx.get_cache_memory(), int(info["total_memory"])
            return DeviceMemory(free, shared=False, held=_held(), total=total)
        case "metal":
            total = int(info["max_recommended_working_set_size"])
            return DeviceMemory(max(0, total - mx.get_active_memory()), shared=True, held=_held(), total=total)
        case _:
            return None


def _held() -> int:
    """What MLX has of the device: arrays, and what it keeps for reuse."""
    return mx.get_active_memory() + mx.get_cache_memory()


def driver() -> str:
    """Returns the version of what runs kernels here, as the system tells it."""
    try:
        return NVIDIA_DRIVER.read_text().splitlines()[0].strip()
    except (OSError, IndexError):
        return platform.mac_ver()[0] or platform.release()
