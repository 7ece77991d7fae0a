"""From a path to a model on a backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlxr.metal.cache import CacheGroup
from mlxr.models.adapters.fitting import AdapterBase
from mlxr.models.architectures import decoder, encoder
from mlxr.models.architectures.decoder import Decoder
from mlxr.models.architectures.drafting_head import (
    DraftingHead,
    ask_tensors,
    drafting_layer,
    groups_of,
    has_drafting_head,
)
from mlxr.models.architectures.encoder import Encoder
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.header_weights import HeaderWeights
from mlxr.models.architectures.pooling_head import Pooling, PoolingHead, PreparedPoolingHead, check_pooling_head
from mlxr.models.architectures.spec import DecoderSpec, EncoderSpec
from mlxr.models.architectures.tensors import NamedTensors
from mlxr.models.architectures.weights import Progress, Weights
from mlxr.models.errors import ONE_VERSION, ModelFileError, UnsupportedModelError, UnusableModelError
from mlxr.models.footprint import EarlyReads, Footprint, SizedWeights, footprint
from mlxr.models.header import ModelHeader, read_header
from mlxr.models.hyperparameters import Format, Hyperparameters
from mlxr.models.pooling_heads import folder_pooling_head, gguf_pooling_head

if TYPE_CHECKING:
    import mlx.core as mx

    from mlxr.metal.backend import Backend
    from mlxr.metal.batch import Batch
    from mlxr.metal.operations import Forward
    from mlxr.metal.pool import Pool
    from mlxr.metal.sizes import BackendSizes


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to run.

    ``architecture``: what its file calls it.
    ``spec``: what it is made of.
    ``pooling_head``: what makes an embedding or a score of its hidden states.
    ``vocab_size``: numbers in a row of logits.
    ``nbytes``: what the backend holds of its weights.
    ``compiled``: its layers, as the backend runs them.
    ``adapter_base``: what adapters must know of it; None where it takes none (encoders).
    ``notes``: what of its weights is read or held in another form than the file has, or left out, a sentence each.
    ``drafting_head``: the layer behind the last that drafts, where it was asked for and there is one.
    """

    path: Path
    architecture: str
    spec: DecoderSpec | EncoderSpec
    model: Decoder | Encoder
    pooling_head: PreparedPoolingHead
    vocab_size: int
    nbytes: int
    compiled: Forward
    adapter_base: AdapterBase | None = None
    notes: tuple[str, ...] = ()
    drafting_head: DraftingHead | None = None

    @property
    def cache_groups(self) -> tuple[CacheGroup, ...]:
        """What it keeps of a sequence; empty where nothing is kept (encoders)."""
        return self.spec.cache_groups() if isinstance(self.spec, DecoderSpec) else ()

    @property
    def context_length(self) -> int:
        return self.spec.context_length

    @property
    def pooling(self) -> tuple[Pooling, ...]:
        """How hidden states become one vector."""
        return self.pooling_head.parts.pooling

    def forward(self, tokens: mx.array, batch: Batch, pool: Pool | None) -> mx.array:
        """Hidden states float32 ``[T, width]`` of ``tokens`` int32 ``[T]``; their keys and values go to the pool."""
        return self.compiled(tokens, batch, pool)

    def logits(self, hidden: mx.array, rows: mx.array) -> mx.array:
        """Float32 ``[R, vocab_size]`` for the rows (int32 ``[R]``) of ``hidden``. Raises ``UnsupportedModelError`` for
        an encoder."""
        if isinstance(self.model, Encoder):
            raise UnsupportedModelError(self.path, "is an embedding model and generates no text")
        return self.model.logits(hidden, rows)

    def pooled_input(self, hidden: mx.array) -> mx.array:
        """Returns what pooling takes: ``hidden`` after the final norm, ``[T, width]``."""
        return self.model.pooled_input(hidden)


def ignore_progress(stage: str, fraction: float) -> None:
    """For callers who only want the model."""


def load_model(
    path: str | Path,
    backend: Backend,
    progress: Progress = ignore_progress,
    families: Sequence[Family] | None = None,
    admit: Callable[[Footprint], None] = lambda footprint: None,
    drafts: bool = False,
) -> LoadedModel:
    """Loads a GGUF file, or a folder with ``config.json`` and ``*.safetensors``. ``admit``: is told what the model will
    take before a weight is read, and may raise. ``drafts``: with the layer that drafts, if it has one.

    Raises ``ModelError`` for what is wrong with it, ``OSError`` where it can't be opened.
    """
    header = read_header(Path(path), families)
    # Everything the header claims is looked at before the first weight is read.
    sized = SizedWeights(header.path, header.tensors, backend.sizes)
    spec, head, vocabulary = _checked(header, sized)
    admit(_footprint(header, sized, spec, vocabulary))
    weights = Weights(header.path, header.tensors, backend, progress)
    tensors = NamedTensors(weights, header.table, encoder=isinstance(spec, EncoderSpec))
    model = Decoder(spec, tensors, backend) if isinstance(spec, DecoderSpec) else Encoder(spec, tensors, backend)
    drafting: DraftingHead | None = None
    if drafts and isinstance(spec, DecoderSpec) and isinstance(model, Decoder) and _can_draft(header, spec):
        drafting = DraftingHead(spec, model, tensors, backend)
    prepared = PreparedPoolingHead(head, weights, backend)
    compiled = backend.compiled(model.layers)
    base = _adapter_base(header, spec)
    notes = (*header.notes, *weights.notes(), *header.table.leftovers.left_out(weights))
    nbytes = weights.resident_bytes
    return LoadedModel(
        header.path, header.architecture, spec, model, prepared, vocabulary, nbytes, compiled, base, notes, drafting
    )


def check_model(path: str | Path, families: Sequence[Family] | None = None) -> None:
    """Looks whether ``load_model`` would take this, by its headers alone; raises as it does. Makes no use of MLX."""
    _checked(read_header(Path(path), families))


def read_footprint(path: str | Path, sizes: BackendSizes, families: Sequence[Family] | None = None) -> Footprint:
    """Reads by a model's headers what it takes on the backend of those ``sizes``; raises as ``load_model``. Makes no
    use of MLX."""
    header = read_header(Path(path), families)
    weights = SizedWeights(header.path, header.tensors, sizes)
    spec, _, rows = _checked(header, weights)
    return _footprint(header, weights, spec, rows)


def early_reads(path: str | Path, families: Sequence[Family] | None = None) -> list[tuple[str, int, int]]:
    """Returns what a check of a model looks at beside headers, by file, first byte and count: a few short vectors.
    Their numbers need not be there; with them there may be more. Raises as ``load_model`` for what is no model."""
    header = read_header(Path(path), families)
    weights = EarlyReads(header.path, header.tensors)
    with suppress(UnusableModelError):
        _checked(header, weights)
    return [(str(tensor.file.path), tensor.start, tensor.nbytes) for tensor in weights.read]


def _footprint(header: ModelHeader, weights: SizedWeights, spec: DecoderSpec | EncoderSpec, rows: int) -> Footprint:
    """``weights``: of which all were asked for. ``rows``: of the vocabulary."""
    lacks_head = "head" not in NamedTensors(weights, header.table)
    tied = isinstance(spec, DecoderSpec) and (lacks_head if spec.tied is None else spec.tied)
    found = footprint(spec, weights, rows, header.table.names["embedding"], tied, header.architecture)
    if not isinstance(spec, DecoderSpec) or not _can_draft(header, spec):
        return found
    beside = SizedWeights(header.path, header.tensors, weights.sizes)
    ask_tensors(spec, NamedTensors(beside, header.table))
    layer = drafting_layer(spec)
    groups = groups_of(layer) if layer is not None else ()
    return replace(found, drafting=beside.resident_bytes, drafting_groups=groups)


def _can_draft(header: ModelHeader, spec: DecoderSpec) -> bool:
    return has_drafting_head(spec, NamedTensors(HeaderWeights(header.path, header.tensors), header.table))


def read_adapter_base(path: str | Path, families: Sequence[Family] | None = None) -> AdapterBase:
    """Reads by a model's headers what adapters must know of it; raises as ``load_model``, and ``UnsupportedModelError``
    for one that takes none."""
    header = read_header(Path(path), families)
    spec, _, _ = _checked(header)
    base = _adapter_base(header, spec)
    if base is None:
        raise UnsupportedModelError(header.path, "is an embedding model, to which mlxr applies no adapters")
    return base


def _adapter_base(header: ModelHeader, spec: DecoderSpec | EncoderSpec) -> AdapterBase | None:
    if not isinstance(spec, DecoderSpec):
        return None
    tensors = NamedTensors(HeaderWeights(header.path, header.tensors), header.table)
    places = decoder.adaptable_places(spec, tensors)
    return AdapterBase(header.path, header.architecture, header.family, header.parameters.format, spec, places)


def _checked(
    header: ModelHeader, weights: HeaderWeights | None = None
) -> tuple[DecoderSpec | EncoderSpec, PoolingHead, int]:
    """The model's spec, its head and the size of its vocabulary. All of the file is used, and its embedding has a row
    for every token. ``weights``: who is asked for all tensors."""
    weights = weights or HeaderWeights(header.path, header.tensors)
    spec = header.family.read(header.parameters, weights)
    if header.parameters.format is Format.GGUF:
        head = gguf_pooling_head(header.parameters, weights, spec)
    else:
        head = folder_pooling_head(header.parameters, weights, header.table, spec, header.modules, header.score)
    tensors = NamedTensors(weights, header.table, encoder=isinstance(spec, EncoderSpec))
    if head.ranks and isinstance(spec, DecoderSpec) and "head" not in tensors:
        spec = replace(spec, tied=True)  # what ranks makes no text, and its files need no output projection
    check: Callable[[Any, NamedTensors], int] = (
        decoder.check_tensors if isinstance(spec, DecoderSpec) else encoder.check_tensors
    )
    rows = check(spec, tensors)
    check_pooling_head(head, weights, spec.width)
    layers = len(spec.layers) if isinstance(spec, DecoderSpec) else 0
    header.table.leftovers.check(header.architecture, header.parameters, weights, layers)
    _require_vocabulary(header.parameters, rows)
    if header.tokens > rows:  # an id beyond the table would read whatever lies behind it
        raise ModelFileError(header.path, f"names {header.tokens} tokens, and its embedding has {rows}; {ONE_VERSION}")
    return spec, head, rows


def _require_vocabulary(parameters: Hyperparameters, rows: int) -> None:
    """Raises ``ModelFileError`` where a ``config.json`` counts other tokens than the embedding's ``rows``, to which
    some round it up."""
    if parameters.format is Format.GGUF or "vocab_size" not in parameters:
        return
    count, multiple = parameters.positive("vocab_size"), parameters.positive("pad_vocab_size_multiple", 1)
    if rows not in (count, -(-count // multiple) * multiple):
        reason = f"has the vocab_size {count}, and its model's embedding has {rows} tokens"
        raise ModelFileError(parameters.path, f"{reason}; {ONE_VERSION}")
