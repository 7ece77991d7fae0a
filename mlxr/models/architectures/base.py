"""What every architecture offers to the executor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from mlxr.models.architectures.leftovers import Leftovers
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.hyperparameters import Hyperparameters

if TYPE_CHECKING:
    import mlx.core as mx

    from mlxr.metal.backend import DeviceBatch
    from mlxr.metal.pool import Pool

MAX_LAYERS = 1 << 10
MAX_WIDTH = 1 << 17
MAX_HIDDEN = 1 << 20
MAX_HEADS = 1 << 12
MAX_HEAD_DIM = 1 << 12
MAX_VOCABULARY = 1 << 22
"""What no model comes near. Files are held to it before anything is made of their numbers."""

POOLINGS = {0: "last", 1: "mean", 2: "cls", 3: "last"}
"""GGUF's ``pooling_type``; 0 says "none", and a decoder's last token has seen the whole input."""


@dataclass(frozen=True, slots=True)
class PoolShape:
    """What a token keeps in the KV pool: a key and a value for each layer and head."""

    layers: int
    kv_heads: int
    head_dim: int


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Sizes that a server needs to know. ``pooling``: mean, cls or last."""

    width: int
    vocab_size: int
    context_length: int
    pool: PoolShape | None
    pooling: str = "last"


class Model(Protocol):
    """A model on a backend; ``LoadedModel`` documents the methods. ``leftovers``: what it may leave out of a file.

    Making one asks ``weights`` for every tensor, and runs no operation: so a header can be checked without weights.
    """

    leftovers: ClassVar[Leftovers]
    shape: ModelShape

    def __init__(self, parameters: Hyperparameters, weights: Weights) -> None: ...

    def forward(self, tokens: mx.array, batch: DeviceBatch, pool: Pool | None) -> mx.array: ...

    def logits(self, hidden: mx.array, rows: mx.array) -> mx.array: ...

    def pooled_input(self, hidden: mx.array) -> mx.array: ...


def check_heads(parameters: Hyperparameters, heads: int, kv_heads: int, head_dim: int, rope_dims: int) -> None:
    """Raises ``ModelFileError`` where query heads can't share the key heads, or the rope does not fit a head,
    ``UnsupportedModelError`` where values are not as long as keys."""
    if heads % kv_heads:
        raise ModelFileError(parameters.path, f"has {heads} query heads, which {kv_heads} key heads can't share evenly")
    if rope_dims % 2 or rope_dims > head_dim:
        raise ModelFileError(
            parameters.path, f"turns {rope_dims} dimensions by its rope; a head has {head_dim}, in pairs"
        )
    if (values := parameters.positive("attention.value_length", head_dim)) != head_dim:
        reason = f"has values of {values} numbers a head and keys of {head_dim}; mlxr runs equal ones"
        raise UnsupportedModelError(parameters.path, reason)


def scale_of(parameters: Hyperparameters, size: int) -> float:
    """What scores are multiplied by: the file's number, else one over the root of ``size``."""
    return parameters.number("attention.scale", 0.0) or float(size**-0.5)


def pooling_of(parameters: Hyperparameters) -> str:
    """What a decoder's file says of pooling. Raises ``UnsupportedModelError`` for rankers and unknown kinds."""
    kind = parameters.integer("pooling_type", 0)
    if kind not in POOLINGS:
        raise UnsupportedModelError(parameters.path, f"pools by type {kind}; mlxr knows {sorted(POOLINGS)}")
    return POOLINGS[kind]
