"""Tiny random adapters for the tiny checkpoints, as PEFT, mlx-lm and llama.cpp's converter write them.

NumPy alone, so that ``record_peft.py`` makes the same ones where peft is installed and mlxr is not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter
from numpy.typing import NDArray

from tests.models.architectures.checkpoints import (
    ARCHITECTURES,
    config_of,
    gguf_name,
    gguf_values,
    safetensors,
    tensors_of,
)

Array = NDArray[np.float32]

RECIPES: dict[str, dict[str, Any]] = {
    "llama": {"r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj"]},
    "llama with biases": {"r": 4, "lora_alpha": 12, "target_modules": ["q_proj", "gate_proj", "up_proj", "down_proj"]},
    "qwen2": {"r": 16, "lora_alpha": 8, "use_rslora": True, "target_modules": ["k_proj", "v_proj", "down_proj"]},
    "qwen3": {
        "r": 8,
        "lora_alpha": 8,
        "target_modules": ["q_proj", "v_proj", "up_proj"],
        "rank_pattern": {"v_proj": 2, "model.layers.1.self_attn.q_proj": 5},
        "alpha_pattern": {"up_proj": 20, "layers.0.self_attn.v_proj": 3},
    },
    "gemma3": {"r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "o_proj", "gate_proj"]},
    "phi3": {"r": 8, "lora_alpha": 16, "target_modules": ["qkv_proj", "gate_up_proj", "down_proj"]},
}
"""PEFT's settings by the checkpoint that they are for."""


def settings(case: str) -> dict[str, Any]:
    """A whole ``adapter_config.json``."""
    common = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "bias": "none", "base_model_name_or_path": f"tiny/{case}"}
    return {**common, "lora_dropout": 0.0, "inference_mode": True, "modules_to_save": None, **RECIPES[case]}


def modules(case: str) -> dict[str, tuple[int, int]]:
    """Modules of the model that the adapter is for, with outputs and inputs."""
    targets = RECIPES[case]["target_modules"]
    names = {name.removesuffix(".weight"): values.shape for name, values in tensors_of(config_of(case)).items()}
    return {name: (shape[0], shape[1]) for name, shape in names.items() if name.rpartition(".")[2] in targets}


def patterned(case: str, module: str) -> tuple[int, float]:
    """Rank and alpha of one module."""
    recipe = RECIPES[case]

    def of(pattern: str, default: str) -> Any:
        found = [value for key, value in recipe.get(pattern, {}).items() if f".{module}".endswith(f".{key}")]
        return found[0] if found else recipe[default]

    return of("rank_pattern", "r"), of("alpha_pattern", "lora_alpha")


def pairs(case: str, seed: int = 3) -> dict[str, tuple[Array, Array]]:
    """Random ``lora_A`` ``[rank, in]`` and ``lora_B`` ``[out, rank]`` by module."""
    random = np.random.RandomState(seed)

    def pair(module: str, outputs: int, inputs: int) -> tuple[Array, Array]:
        rank, _ = patterned(case, module)
        down = random.standard_normal((rank, inputs)) / math.sqrt(inputs)
        return down.astype(np.float32), (random.standard_normal((outputs, rank)) * 0.3).astype(np.float32)

    return {module: pair(module, *shape) for module, shape in modules(case).items()}


def scaling(case: str, module: str) -> float:
    rank, alpha = patterned(case, module)
    return alpha / math.sqrt(rank) if RECIPES[case].get("use_rslora") else alpha / rank


def merged(case: str, scale: float = 1.0, seed: int = 3) -> dict[str, Array]:
    """The checkpoint's tensors with the adapter in them, by its definition."""
    tensors = tensors_of(config_of(case))
    for module, (down, up) in pairs(case, seed).items():
        change = up.astype(np.float64) @ down * scaling(case, module) * scale
        tensors[f"{module}.weight"] = (tensors[f"{module}.weight"] + change).astype(np.float32)
    return tensors


def write_peft(folder: Path, case: str, seed: int = 3, more: Mapping[str, Any] | None = None, **tensors: Array) -> Path:
    """``more``: settings, ``tensors``: tensors that the adapter has besides."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps({**settings(case), **(more or {})}))
    own: dict[str, Array] = {}
    for module, (down, up) in pairs(case, seed).items():
        own[f"base_model.model.{module}.lora_A.weight"] = down
        own[f"base_model.model.{module}.lora_B.weight"] = up
    (folder / "adapter_model.safetensors").write_bytes(safetensors({**own, **tensors}))
    return folder


def write_mlx(folder: Path, case: str, seed: int = 3, **settings: Any) -> Path:
    """As mlx-lm saves one; every module's scaling must be the same."""
    folder.mkdir(parents=True, exist_ok=True)
    own: dict[str, Array] = {}
    scales = set()
    for module, (down, up) in pairs(case, seed).items():
        own[f"{module}.lora_a"] = np.ascontiguousarray(down.T)
        own[f"{module}.lora_b"] = np.ascontiguousarray(up.T)
        scales.add(scaling(case, module))
    (scale,) = scales
    config = {
        "fine_tune_type": "lora",
        "num_layers": 3,
        "lora_parameters": {"rank": RECIPES[case]["r"], "scale": scale, "dropout": 0.0},
        "model": f"tiny/{case}",
    }
    (folder / "adapter_config.json").write_text(json.dumps({**config, **settings}))
    (folder / "adapters.safetensors").write_bytes(safetensors(own))
    return folder


def write_gguf_adapter(path: Path, case: str, seed: int = 3, architecture: str = "", **metadata: Any) -> Path:
    """As ``convert_lora_to_gguf.py`` writes one: rows of ``lora_B`` go where the converter puts the model's."""
    config = config_of(case)
    own = ARCHITECTURES.get(config["model_type"], config["model_type"])
    writer = GGUFWriter(path, architecture or own)
    writer.add_type("adapter")
    writer.add_string("adapter.type", metadata.get("type", "lora"))
    writer.add_float32("adapter.lora.alpha", float(RECIPES[case]["lora_alpha"]))
    writer.add_string("general.base_model.0.name", f"Tiny {case}")
    if "invocation" in metadata:
        writer.add_array("adapter.alora.invocation_tokens", metadata["invocation"])
    for module, (down, up) in pairs(case, seed).items():
        name = gguf_name(f"{module}.weight", own)
        writer.add_tensor(f"{name}.lora_a", down)
        writer.add_tensor(f"{name}.lora_b", np.ascontiguousarray(gguf_values(f"{module}.weight", up, own, config)))
    for name, values in metadata.get("tensors", {}).items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
