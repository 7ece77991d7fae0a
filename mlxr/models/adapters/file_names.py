"""What adapters' files in folders are called, which says what a folder holds without looking into it."""

from __future__ import annotations

CONFIG = "adapter_config.json"

PEFT_WEIGHTS, PEFT_PICKLE = "adapter_model.safetensors", "adapter_model.bin"
MLX_WEIGHTS = "adapters.safetensors"
WEIGHTS = (PEFT_WEIGHTS, PEFT_PICKLE, MLX_WEIGHTS)


def holds_adapter(names: set[str]) -> bool:
    """Tells by its files' names whether a folder is an adapter: a model may lie beside one's settings."""
    return CONFIG in names and not names.isdisjoint(WEIGHTS)
