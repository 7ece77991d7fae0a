"""Recurrent mixers of plain MLX operations between a backend's products: what such a mixer is, whichever it is.

A mixer that every backend can run from the day it is written, at the price of going from token to token here; one whose
speed matters has an operation of each backend's own instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from mlxr.metal.weights import Weight

if TYPE_CHECKING:
    import mlx.core as mx

    from mlxr.metal.operations import RowOperation

Advance: TypeAlias = "Callable[[mx.array, mx.array], tuple[mx.array, mx.array]]"
"""Inputs float32 ``[B, L, in]`` and states ``[B, size]`` of B sequences to what they give, ``[B, L, out]``, and their
states then. Each token's result is of the same operations however a text is cut."""


@dataclass(frozen=True, slots=True)
class PlainRecurrence:
    """The half of a layer: ``x + output(advance(project(norm(x))))``.

    ``norm``, ``norm_eps``: of its input.
    ``project``: makes ``advance``'s inputs of the normed rows.
    ``size``: numbers of a sequence's state.
    """

    norm: mx.array
    norm_eps: float
    project: RowOperation
    advance: Advance
    size: int
    output: Weight
    output_bias: mx.array | None = None
