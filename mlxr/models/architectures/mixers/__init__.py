"""What the decoder does for each kind of mixer, a file a kind."""

from __future__ import annotations

from collections.abc import Mapping

from mlxr.metal.specs import AttentionSpec, LatentSpec
from mlxr.models.architectures.mixers import attention, latent
from mlxr.models.architectures.mixers.mixer import Mixer

MIXERS: Mapping[type, Mixer] = {
    AttentionSpec: attention.MIXER,
    LatentSpec: latent.MIXER,
}
"""By the type of a layer's ``MixerSpec``."""
