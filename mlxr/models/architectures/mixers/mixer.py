"""What a kind of mixer is for the decoder: which tensors it has, and how a backend prepares it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlxr.metal.backend import Backend
from mlxr.metal.operations import MixerOperation
from mlxr.models.architectures.spec import LayerSpec
from mlxr.models.architectures.tensors import NamedTensors


@dataclass(frozen=True, slots=True)
class Mixer:
    """One kind of mixer; S stands for its spec, W for its weights.

    ``weights(layer, spec, width, tensors)``: asks for a layer's tensors, ``spec`` being ``layer.mixer``; returns a W.
    ``prepare(backend, weights, spec, number)``: returns the operation of the layer with this number in the model.
    """

    weights: Callable[[LayerSpec, Any, int, NamedTensors], Any]
    prepare: Callable[[Backend, Any, Any, int], MixerOperation]
