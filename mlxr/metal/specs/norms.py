"""Norms."""

from __future__ import annotations

from enum import StrEnum


class NormKind(StrEnum):
    """RMS norm (Zhang and Sennrich 2019), or layer norm (Ba et al. 2016), which takes the mean away first."""

    RMS = "rms"
    LAYER = "layer"
