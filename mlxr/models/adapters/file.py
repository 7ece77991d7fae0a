"""What an adapter's files hold, whatever their format. Headers are read, weights only when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.hyperparameters import Format
from mlxr.models.modelfile import StoredTensor

MAX_RANK = 512
"""As vLLM's largest. What mlxr adds costs as many products for each row as the rank says; beyond this it is better
merged into the weights."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The two tensors for one matrix of the model.

    ``down`` ``[rank, in]`` and ``up`` ``[out, rank]``; the other way round each where ``transposed``.
    ``scaling``: what their product is multiplied by, alpha over rank mostly.
    """

    down: StoredTensor
    up: StoredTensor
    scaling: float
    transposed: bool = False

    @property
    def rank(self) -> int:
        return self.down.shape[-1 if self.transposed else 0]

    @property
    def shape(self) -> tuple[int, int]:
        """Outputs and inputs of the matrix that it is for."""
        axis = -1 if self.transposed else 0
        return self.up.shape[axis], self.down.shape[-1 - axis]


@dataclass(frozen=True, slots=True)
class AdapterFile:
    """An adapter.

    ``format``: whose names for a model's tensors it uses.
    ``architecture``: of the models that it is for, '' where its files do not say.
    ``base``: the model that it was trained on, as its files call it; '' likewise.
    ``pairs``: by the name of the model's tensor, as ``format`` has it.
    """

    path: Path
    format: Format
    architecture: str
    base: str
    pairs: Mapping[str, Pair]

    @property
    def nbytes(self) -> int:
        return sum(pair.down.nbytes + pair.up.nbytes for pair in self.pairs.values())

    @property
    def parameters(self) -> int:
        return sum(pair.rank * sum(pair.shape) for pair in self.pairs.values())

    @property
    def rank(self) -> int:
        """The largest of its ranks."""
        return max(pair.rank for pair in self.pairs.values())


def checked(path: Path, format: Format, architecture: str, base: str, pairs: Mapping[str, Pair]) -> AdapterFile:
    """Returns the adapter. Raises ``ModelFileError`` where it has no pairs, or one whose tensors do not belong
    together, and ``UnsupportedModelError`` for types and ranks that mlxr does not take."""
    if not pairs:
        raise ModelFileError(path, "holds no tensors of an adapter; fetch it again, or train it with target_modules")
    for pair in pairs.values():
        for tensor in (pair.down, pair.up):
            if len(tensor.shape) != 2:
                reason = f"has a tensor {tensor.name!r} of shape {tensor.shape}; of adapters mlxr reads matrices only"
                raise UnsupportedModelError(path, f"{reason}, so merge it into the model's weights")
            tensor.require_type()
        if pair.rank != pair.up.shape[0 if pair.transposed else -1]:
            shapes = f"{pair.down.name!r} of shape {pair.down.shape} and {pair.up.name!r} of shape {pair.up.shape}"
            raise ModelFileError(path, f"has the tensors {shapes}, which differ in rank; export the adapter again")
        if pair.rank > MAX_RANK:
            reason = f"has a tensor {pair.down.name!r} of rank {pair.rank}; mlxr takes at most {MAX_RANK}"
            raise UnsupportedModelError(path, f"{reason}, so merge the adapter into the model's weights")
    return AdapterFile(path, format, architecture, base, pairs)


def paired(
    path: Path, downs: Mapping[str, StoredTensor], ups: Mapping[str, StoredTensor]
) -> dict[str, tuple[StoredTensor, StoredTensor]]:
    """Returns tensors of the same name side by side. Raises ``ModelFileError`` for one that is alone."""
    for name in [*downs, *ups]:
        if name not in downs or name not in ups:
            alone = downs.get(name) or ups[name]
            raise ModelFileError(path, f"has the tensor {alone.name!r} without its other half; export it again")
    return {name: (downs[name], ups[name]) for name in downs}
