"""What a layer's halves compute: the settings of mixers and feed-forward, one form for every backend."""

from __future__ import annotations

from mlxr.metal.specs.attention import AttentionSpec, Gate, LatentSpec, Rope, RopeStyle, Temperature
from mlxr.metal.specs.feed_forward import Activation, ExpertsSpec, FeedForwardSpec, MLPSpec, Xielu
from mlxr.metal.specs.inputs import AlternatingSpec, PerLayerEmbeddingSpec, PerLayerInputSpec
from mlxr.metal.specs.norms import NormKind
from mlxr.metal.specs.recurrence import (
    AttentionAndMamba2Spec,
    GatedDeltaNetSpec,
    KimiDeltaSpec,
    Mamba1Spec,
    Mamba2Spec,
    ShortConvSpec,
)

__all__ = [
    "Activation",
    "AlternatingSpec",
    "AttentionAndMamba2Spec",
    "AttentionSpec",
    "ExpertsSpec",
    "FeedForwardSpec",
    "Gate",
    "GatedDeltaNetSpec",
    "KimiDeltaSpec",
    "LatentSpec",
    "MLPSpec",
    "Mamba1Spec",
    "Mamba2Spec",
    "NormKind",
    "PerLayerEmbeddingSpec",
    "PerLayerInputSpec",
    "Rope",
    "RopeStyle",
    "ShortConvSpec",
    "Temperature",
    "Xielu",
]
