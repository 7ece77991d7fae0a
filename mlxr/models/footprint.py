"""What a model will hold in memory, worked out from its headers by the same walk over its tensors as a load makes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.cache import CacheGroup
from mlxr.metal.sizes import FLOAT_BYTES, BackendSizes, MatrixForm
from mlxr.metal.specs import AttentionAndMamba2Spec, AttentionSpec, LatentSpec
from mlxr.metal.tensors import Tensor, TensorType
from mlxr.metal.weights import Weight
from mlxr.models.architectures.header_weights import HeaderWeights
from mlxr.models.architectures.spec import DecoderSpec, EncoderSpec, Experts
from mlxr.models.modelfile import StoredTensor
from mlxr.models.page_type_setting import PageType
from mlxr.models.page_types import typed_groups

if TYPE_CHECKING:
    import mlx.core as mx


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a model takes on one backend, in bytes where nothing else is said.

    ``weights``: all that the backend holds of them, what ``LoadedModel.nbytes`` will be.
    ``experts``: the part of them that is experts.
    ``reads``: what computing one token of an answer reads of the weights, by the storage type that they had: of experts
    those that a token is given to.
    ``numbers``, ``read_numbers``: how many weights there are in matrices, and how many of them a token meets.
    ``loading``: the most that is held while weights are read: a tensor is there as its file has it, too, while the
    backend makes its own form of it.
    ``width``, ``hidden``: numbers in a hidden state, and in the widest row between two matrices.
    ``vocabulary``: numbers in a row of logits.
    ``operations``: halves of layers, which run one after another for every token.
    ``context_length``: most tokens of a sequence.
    ``attention``: for each window, (multiplications and additions of a token with each that it sees, most tokens
    that it sees, 0 for all); what recurrences compute is not in it.
    ``groups``: what is kept of a sequence; empty for an encoder.
    ``architecture``: what its file calls it.
    ``drafting``: weights of the layer behind the last that drafts, 0 where there is none: they are no part of the rest.
    ``drafting_groups``: what that keeps of a sequence.
    """

    weights: int
    experts: int
    reads: dict[TensorType, int]
    numbers: int
    read_numbers: int
    loading: int
    width: int
    hidden: int
    vocabulary: int
    operations: int
    context_length: int
    groups: tuple[CacheGroup, ...]
    architecture: str = ""
    attention: tuple[tuple[int, int], ...] = ()
    drafting: int = 0
    drafting_groups: tuple[CacheGroup, ...] = ()

    @property
    def read(self) -> int:
        """Bytes of all ``reads``."""
        return sum(self.reads.values())

    def typed(self, wanted: PageType) -> Footprint:
        """Returns the same with the types that pages have."""
        groups, drafting = (
            typed_groups(each, wanted, self.architecture) for each in (self.groups, self.drafting_groups)
        )
        return replace(self, groups=groups, drafting_groups=drafting)


class Size:
    """Bytes of matrices as the backend holds them, by the type that they had, and how many numbers they have."""

    def __init__(self, type: TensorType | None = None, nbytes: int = 0, numbers: int = 0) -> None:
        self.types: dict[TensorType, int] = {} if type is None else {type: nbytes}
        self.numbers = numbers

    @property
    def nbytes(self) -> int:
        return sum(self.types.values())

    def add(self, other: Size, times: float = 1.0) -> None:
        for type, nbytes in other.types.items():
            self.types[type] = self.types.get(type, 0) + round(nbytes * times)
        self.numbers += round(other.numbers * times)


class SizedWeights(HeaderWeights):
    """The tensors of a model that is only looked at, whose ``resident_bytes`` are what a backend would hold of them.

    ``sizes``: that backend's.
    ``whole``: of all matrices; ``experts_part``: of experts; ``tables``: of those whose rows are looked up alone.
    ``most_bytes``: the most that would be there at once.
    """

    def __init__(self, path: Path, tensors: Mapping[str, StoredTensor], sizes: BackendSizes) -> None:
        super().__init__(path, tensors)
        self.sizes = sizes
        self._stored = {tensor.name: tensor for tensor in tensors.values()}
        self._sized: dict[str, Size] = {}
        self.whole, self.experts_part, self.tables = Size(), Size(), Size()
        self.most_bytes = 0

    def size_of(self, name: str) -> Size:
        """Returns what is held of the tensor that a model calls ``name``."""
        return self._sized.get(self.tensors[name].name, Size())

    def experts(self, name: str, count: int, outputs: int, inputs: int) -> Weight:
        return self._counted(super().experts(name, count, outputs, inputs))[0]

    def expert_parts(
        self, name: str, count: int, outputs: Sequence[int], inputs: int, mixed: bool = False
    ) -> list[Weight]:
        return self._counted(*super().expert_parts(name, count, outputs, inputs, mixed))

    def turned_experts(self, name: str, count: int, outputs: int, inputs: int) -> Weight:
        return self._counted(super().turned_experts(name, count, outputs, inputs))[0]

    def turned_gates_and_ups(self, name: str, count: int, hidden: int, inputs: int, mixed: bool) -> list[Weight]:
        return self._counted(*super().turned_gates_and_ups(name, count, hidden, inputs, mixed))

    def stacked(self, names: Sequence[str], outputs: int, inputs: int) -> Weight:
        return self._counted(super().stacked(names, outputs, inputs))[0]

    def experts_apart(self, names: Sequence[str], count: int, outputs: int, inputs: int) -> list[Weight]:
        return self._counted(*super().experts_apart(names, count, outputs, inputs))

    def _counted(self, *weights: Weight) -> list[Weight]:
        for weight in weights:
            self.experts_part.add(weight.handle)
        return list(weights)

    def _made(self, tensor: Tensor, encoder: bool = False, lookup: bool = False) -> Weight:
        stored = self._stored[tensor.name]
        rows, columns = tensor.shape
        share = stored.nbytes * rows * columns // math.prod(stored.shape)
        form = MatrixForm(tensor.type, rows, columns, share, stored.scales)
        nbytes = self.sizes.table(form) if lookup else self.sizes.matrix(form, encoder)
        self.resident_bytes += nbytes
        self.most_bytes = max(self.most_bytes, self.resident_bytes + stored.nbytes)
        size = Size(tensor.type, nbytes, rows * columns)
        self.whole.add(size)
        self._sized.setdefault(tensor.name, Size()).add(size)
        if lookup:
            self.tables.add(size)
        return Weight((rows, columns), size, nbytes)

    def _vector(
        self, size: int, read: Callable[[], Tensor], made: Callable[[mx.array], mx.array] | None = None
    ) -> mx.array:
        self.resident_bytes += size * FLOAT_BYTES
        return super()._vector(size, read, made)


def footprint(
    spec: DecoderSpec | EncoderSpec, weights: SizedWeights, rows: int, embedding: str, tied: bool, architecture: str
) -> Footprint:
    """Returns what the model takes of which all ``weights`` were asked for. ``rows``: of its vocabulary. ``embedding``:
    the name of that tensor, which is the output projection too where it is ``tied``. ``architecture``: as in
    ``Footprint``."""
    read = Size()
    read.add(weights.whole)
    read.add(weights.tables, -1)
    if isinstance(spec, DecoderSpec):
        # Of experts, which all layers that have some have as many of, a token goes to a few; of the embedding to a row.
        read.add(weights.experts_part, _used(spec) - 1)
        read.add(Size() if tied else weights.size_of(embedding), -1)
        operations = sum((layer.mixer is not None) + (layer.feed_forward is not None) for layer in spec.layers)
        groups = spec.cache_groups()
    else:
        operations, groups = 2 * len(spec.layers), ()
    return Footprint(
        weights=weights.resident_bytes,
        experts=weights.experts_part.nbytes,
        reads=read.types,
        numbers=weights.whole.numbers,
        read_numbers=read.numbers,
        loading=weights.most_bytes,
        width=spec.width,
        hidden=max((max(tensor.shape[-2:]) for tensor in _in_layers(weights, embedding)), default=spec.width),
        vocabulary=rows,
        operations=operations,
        context_length=spec.context_length,
        groups=groups,
        architecture=architecture,
        attention=attention_operations(spec),
    )


def attention_operations(spec: DecoderSpec | EncoderSpec) -> tuple[tuple[int, int], ...]:
    """Returns ``Footprint.attention``."""
    found: dict[int, int] = {}
    for layer in spec.layers:
        mixer = layer.mixer.attention if isinstance(layer.mixer, AttentionAndMamba2Spec) else layer.mixer
        if isinstance(mixer, AttentionSpec):
            # A query with a key, and what it weighs with a value.
            found[mixer.window] = found.get(mixer.window, 0) + 4 * mixer.heads * mixer.head_dim
        elif isinstance(mixer, LatentSpec):
            # With keys and values that are made of latents, the way of fewer operations.
            dims = mixer.plain_dims + mixer.rope_dims + mixer.value_dims
            found[0] = found.get(0, 0) + 2 * mixer.heads * dims
    return tuple((operations, window) for window, operations in sorted(found.items()))


def _used(spec: DecoderSpec) -> float:
    """The part of its experts that a token is given to."""
    mixtures: list[Any] = [half.spec for layer in spec.layers if isinstance(half := layer.feed_forward, Experts)]
    return sum(mixture.used for mixture in mixtures) / sum(mixture.experts for mixture in mixtures) if mixtures else 1.0


def _in_layers(weights: SizedWeights, embedding: str) -> list[StoredTensor]:
    """Matrices but those that are as high as the vocabulary."""
    rows = weights.tensors[embedding].shape[0]
    return [tensor for tensor in weights.tensors.values() if len(tensor.shape) > 1 and rows not in tensor.shape]


class EarlyReads(HeaderWeights):
    """The tensors of a model of which no weights are there. ``read``: those whose numbers a check looks at."""

    def __init__(self, path: Path, tensors: Mapping[str, StoredTensor]) -> None:
        super().__init__(path, tensors)
        self.read: list[StoredTensor] = []

    def optional_values(self, name: str, size: int) -> NDArray[np.float64] | None:
        if name in self.tensors:
            self.read.append(self.tensors[name])
        return super().optional_values(name, size)

    def adds_nothing(self, name: str) -> bool:
        self.read.append(self.tensors[name])
        return super().adds_nothing(name)
