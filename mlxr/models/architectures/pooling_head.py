"""What stands behind a model's hidden states where it makes no text: pooling, and stages that turn the pooled vector
into an embedding or a score. Values and what a backend makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import ModelFileError

if TYPE_CHECKING:
    import mlx.core as mx

    from mlxr.metal.backend import Backend


class Pooling(StrEnum):
    """How hidden states become one vector, by sentence-transformers' names.

    ``WEIGHTED_MEAN``: the mean in which the n-th token counts n times.
    ``MEAN_SQRT``: their sum over the root of their number.
    """

    MEAN = "mean"
    CLS = "cls"
    LAST = "lasttoken"
    MAX = "max"
    WEIGHTED_MEAN = "weightedmean"
    MEAN_SQRT = "mean_sqrt_len_tokens"


@dataclass(frozen=True, slots=True)
class Dense:
    """``activation(x @ weight.T + bias)``.

    ``weight``, ``bias``: the tensors' names in the file; no bias where None.
    ``rows``: the rows of the tensor that are the matrix; None for all of them.
    """

    weight: str
    outputs: int
    inputs: int
    bias: str | None = None
    activation: str = "identity"
    rows: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class LayerNorm:
    """A layer norm; no bias where that is None."""

    weight: str
    size: int
    eps: float
    bias: str | None = None


@dataclass(frozen=True, slots=True)
class Normalize:
    """Makes the vector of length 1."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first number less the second: the log-odds of two answers."""


Stage: TypeAlias = Dense | LayerNorm | Normalize | Difference


@dataclass(frozen=True, slots=True)
class PoolingHead:
    """``pooling``: ways whose vectors stand one after another. ``stages``: what the vector goes through. ``ranks``:
    whether the one number that comes out is the score of a query and a document, as a logit."""

    pooling: tuple[Pooling, ...]
    stages: tuple[Stage, ...] = ()
    ranks: bool = False

    def outputs(self, width: int) -> int:
        """Returns how many numbers come out for hidden states of ``width``."""
        size = width * len(self.pooling)
        for stage in self.stages:
            size = stage.outputs if isinstance(stage, Dense) else 1 if isinstance(stage, Difference) else size
        return size


RowsOperation: TypeAlias = "Callable[[mx.array], mx.array]"


class PreparedPoolingHead:
    """A head's stages on a backend."""

    def __init__(self, head: PoolingHead, weights: Weights, backend: Backend) -> None:
        self.parts = head
        self._stages = [_prepared(stage, weights, backend) for stage in head.stages]

    def __call__(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns what comes out for pooled vectors ``[N, width]``, each by itself; stages compute in float32."""
        if not self._stages or not len(vectors):
            return vectors
        import mlx.core as mx

        x = mx.array(vectors.astype(np.float32))
        for stage in self._stages:
            x = stage(x)
        return np.array(x).astype(np.float64)


def check_pooling_head(head: PoolingHead, weights: Weights, width: int) -> None:
    """Asks for every tensor as ``PreparedPoolingHead`` does, and makes nothing of them. ``width``: of hidden states.
    Raises ``ModelFileError`` where a stage takes another number of inputs than the one before gives."""
    size = width * len(head.pooling)
    for stage in head.stages:
        if isinstance(stage, Dense | LayerNorm):
            wanted = stage.inputs if isinstance(stage, Dense) else stage.size
            if wanted != size:
                reason = f"has a stage {stage.weight!r} that takes {wanted} numbers, and the one before it gives {size}"
                raise ModelFileError(weights.path, reason)
        _tensors(stage, weights)
        size = stage.outputs if isinstance(stage, Dense) else 1 if isinstance(stage, Difference) else size


def _tensors(stage: Stage, weights: Weights) -> tuple[object, mx.array | None] | None:
    match stage:
        case Dense(rows=None):
            matrix: object = weights.matrix(stage.weight, stage.outputs, stage.inputs)
            return matrix, None if stage.bias is None else weights.vector(stage.bias, stage.outputs)
        case Dense(rows=rows):
            assert rows is not None
            return weights.some_rows(stage.weight, rows, stage.inputs), None
        case LayerNorm():
            bias = None if stage.bias is None else weights.vector(stage.bias, stage.size)
            return weights.vector(stage.weight, stage.size), bias
        case _:
            return None


def _prepared(stage: Stage, weights: Weights, backend: Backend) -> RowsOperation:
    made = _tensors(stage, weights)
    match stage:
        case Dense():
            assert made is not None
            multiply, activate = backend.linear(*made), activation(stage.activation)  # type: ignore[arg-type]
            return lambda x: activate(multiply(x))
        case LayerNorm():
            assert made is not None
            return backend.layer_norm(*made, stage.eps)  # type: ignore[arg-type]
        case Normalize():
            return normalized
        case Difference():
            return lambda x: x[:, :1] - x[:, 1:2]


def normalized(x: mx.array) -> mx.array:
    import mlx.core as mx

    return x / mx.maximum(mx.sqrt((x * x).sum(axis=-1, keepdims=True)), 1e-12)


ACTIVATIONS: Sequence[str] = ("identity", "tanh", "gelu", "gelu_tanh", "relu", "silu", "sigmoid")


def activation(name: str) -> RowsOperation:
    import mlx.core as mx

    known: dict[str, RowsOperation] = {
        "identity": lambda x: x,
        "tanh": mx.tanh,
        "gelu": lambda x: 0.5 * x * (1 + mx.erf(x * 0.7071067811865476)),
        "gelu_tanh": lambda x: 0.5 * x * (1 + mx.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))),
        "relu": lambda x: mx.maximum(x, 0),
        "silu": lambda x: x * mx.sigmoid(x),
        "sigmoid": mx.sigmoid,
    }
    return known[name]
