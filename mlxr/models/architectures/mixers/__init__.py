"""What the decoder does for each kind of mixer, a file a kind."""

from __future__ import annotations

from collections.abc import Mapping

from mlxr.metal.specs import (
    AttentionAndMamba2Spec,
    AttentionSpec,
    GatedDeltaNetSpec,
    KimiDeltaSpec,
    LatentSpec,
    Mamba1Spec,
    Mamba2Spec,
    ShortConvSpec,
)
from mlxr.models.architectures.mixers import (
    attention,
    attention_and_mamba2,
    gated_delta_net,
    kimi_delta,
    latent,
    mamba1,
    mamba2,
    short_conv,
)
from mlxr.models.architectures.mixers.mixer import Mixer

MIXERS: Mapping[type, Mixer] = {
    AttentionSpec: attention.MIXER,
    AttentionAndMamba2Spec: attention_and_mamba2.MIXER,
    GatedDeltaNetSpec: gated_delta_net.MIXER,
    KimiDeltaSpec: kimi_delta.MIXER,
    LatentSpec: latent.MIXER,
    Mamba1Spec: mamba1.MIXER,
    Mamba2Spec: mamba2.MIXER,
    ShortConvSpec: short_conv.MIXER,
}
"""By the type of a layer's ``MixerSpec``."""
