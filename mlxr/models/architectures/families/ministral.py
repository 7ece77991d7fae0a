"""Ministral 8B (Mistral AI 2024): Llama's shape, with windows in the layers that ``layer_types`` lists. GGUF files are
Llama's, and say of no layer how far it sees."""

from __future__ import annotations

from dataclasses import replace

from mlxr.models.architectures.families import llama
from mlxr.models.architectures.families.family import Family
from mlxr.models.hyperparameters import Format

IN_FOLDERS = replace(llama.IN_FOLDERS, architectures=("ministral",))
FAMILY = Family("ministral", llama.read, {Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS}, written=False)
