"""Code World Model (Meta 2025): Llama's shape, with windows between layers that see everything."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import AttentionSpec
from mlxr.models.architectures.families import llama
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.spec import DecoderSpec
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

PATTERN = 4
"""Every so many-th layer, from the first on, sees everything, where a folder does not list kinds of layers."""


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    spec = llama.read(parameters, weights)
    if "layer_types" in parameters:
        return spec
    layers = []
    for number, layer in enumerate(spec.layers):
        assert isinstance(layer.mixer, AttentionSpec)
        sees_all = number % PATTERN == 0
        layers.append(replace(layer, mixer=replace(layer.mixer, window=0)) if sees_all else layer)
    return replace(spec, layers=tuple(layers))


IN_FOLDERS = replace(llama.IN_FOLDERS, architectures=("cwm",))
FAMILY = Family("cwm", read, {Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS}, written=False)
