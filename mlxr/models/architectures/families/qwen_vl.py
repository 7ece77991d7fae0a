"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL (Qwen Team 2024, 2025), the language model alone: Qwen2's, Qwen3's and the latter's
with experts. The axes of an image's positions are one in text, and what images add to layers is nothing there."""

from __future__ import annotations

from dataclasses import replace

from mlxr.models.architectures.families import qwen2, qwen3, qwen3_moe, qwen3_next
from mlxr.models.architectures.families.family import Family
from mlxr.models.hyperparameters import Format

OF_IMAGES = "of what looks at images"
IN_GGUF = qwen3_next.GGUF_LEFTOVERS.extended(settings={r"n_deepstack_layers": OF_IMAGES})
IN_FOLDERS = qwen3_next.FOLDER_LEFTOVERS.extended(
    settings={
        r"vision_config\..*|(image|video|vision|audio)_(token|start|end).*|spatial_merge_size": OF_IMAGES,
        r"tokens_per_second": OF_IMAGES,
    }
)


def _of_images(family: Family, gguf: str, *folders: str) -> Family:
    """Returns a family's language model by the names it has within a model that looks at images."""
    table = replace(
        family.tables[Format.HUGGING_FACE],
        architectures=(*folders, *(f"{folder}_text" for folder in folders)),
        leftovers=IN_FOLDERS,
    )
    in_gguf = replace(family.tables[Format.GGUF], architectures=(gguf,), leftovers=IN_GGUF)
    return Family(gguf, family.read, {Format.GGUF: in_gguf, Format.HUGGING_FACE: table, Format.MLX: table})


def _with_turned_experts(family: Family) -> Family:
    """Returns the family with the names of folders that keep experts' matrices in one tensor a layer: inputs first in
    published ones, but not where transformers made the model."""
    table = family.tables[Format.HUGGING_FACE]
    gate_up, down = (f"model.layers.{{layer}}.mlp.experts.{part}_proj" for part in ("gate_up", "down"))
    turned = {
        "experts_gate_up_turned": gate_up,
        "experts_down_turned": down,
        "experts_gate_up": gate_up,
        "experts_down_together": down,
    }
    # Of roles with one name the first counts.
    in_folders = replace(table, names={**turned, **table.names, **turned})
    # mlx-lm asks for names that begin so.
    in_mlx = replace(family.tables[Format.MLX], written_below="language_model.")
    return replace(family, tables={**family.tables, Format.HUGGING_FACE: in_folders, Format.MLX: in_mlx})


QWEN2 = _of_images(qwen2.FAMILY, "qwen2vl", "qwen2_vl", "qwen2_5_vl")
QWEN3 = _of_images(qwen3.FAMILY, "qwen3vl", "qwen3_vl")
QWEN3_MOE = _with_turned_experts(_of_images(qwen3_moe.FAMILY, "qwen3vlmoe", "qwen3_vl_moe"))
