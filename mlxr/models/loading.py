"""From a path to a model on a backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlxr.metal.cache import CacheGroup
from mlxr.models.adapters.fitting import AdapterBase
from mlxr.models.architectures import config_json, decoder, encoder
from mlxr.models.architectures.decoder import Decoder
from mlxr.models.architectures.encoder import Encoder
from mlxr.models.architectures.families import FAMILIES, by_architecture
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.families.nearest import nearest
from mlxr.models.architectures.pooling_head import Pooling, PoolingHead, PreparedPoolingHead, check_pooling_head
from mlxr.models.architectures.spec import DecoderSpec, EncoderSpec
from mlxr.models.architectures.tensors import FormatTable, NamedTensors
from mlxr.models.architectures.weights import HeaderWeights, Progress, Weights
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.footprint import Footprint, SizedWeights, footprint
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.formats.gguf.split import holds_gguf
from mlxr.models.formats.quantized import mlx as mlx_quantized
from mlxr.models.formats.safetensors.folder import ModelFolder
from mlxr.models.hyperparameters import Format, Hyperparameters
from mlxr.models.modelfile import StoredTensor
from mlxr.models.pooling_heads import folder_logit_score, folder_pooling_head, gguf_pooling_head
from mlxr.models.sentence_transformers import LogitScore, Modules, folder_settings, read_modules
from mlxr.models.vocabulary_size import folder_tokens

if TYPE_CHECKING:
    import mlx.core as mx

    from mlxr.metal.backend import Backend, Forward
    from mlxr.metal.batch import Batch
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
        """What pooling takes: ``hidden`` after the final norm, ``[T, width]``."""
        return self.model.pooled_input(hidden)


def ignore_progress(stage: str, fraction: float) -> None:
    """For callers who only want the model."""


def load_model(
    path: str | Path,
    backend: Backend,
    progress: Progress = ignore_progress,
    families: Sequence[Family] = FAMILIES,
    admit: Callable[[Footprint], None] = lambda footprint: None,
) -> LoadedModel:
    """Load a GGUF file, or a folder with ``config.json`` and ``*.safetensors``. ``admit``: is told what the model will
    take before a weight is read, and may raise.

    Raises ``ModelError`` for what is wrong with it, ``OSError`` where it can't be opened.
    """
    header = _read_header(Path(path), families)
    # Everything the header claims is looked at before the first weight is read.
    sized = SizedWeights(header.path, header.tensors, backend.sizes)
    spec, head, vocabulary = _checked(header, sized)
    admit(_footprint(header, sized, spec, vocabulary))
    weights = Weights(header.path, header.tensors, backend, progress)
    tensors = NamedTensors(weights, header.table, encoder=isinstance(spec, EncoderSpec))
    model = Decoder(spec, tensors, backend) if isinstance(spec, DecoderSpec) else Encoder(spec, tensors, backend)
    prepared = PreparedPoolingHead(head, weights, backend)
    compiled = backend.compiled(model.layers)
    base = _adapter_base(header, spec)
    notes = (*header.notes, *weights.notes(), *header.table.leftovers.left_out(weights))
    nbytes = weights.resident_bytes
    return LoadedModel(
        header.path, header.architecture, spec, model, prepared, vocabulary, nbytes, compiled, base, notes
    )


def check_model(path: str | Path, families: Sequence[Family] = FAMILIES) -> None:
    """Look whether ``load_model`` would take this, by its headers alone; raises as it does. Makes no use of MLX."""
    _checked(_read_header(Path(path), families))


def read_footprint(path: str | Path, sizes: BackendSizes, families: Sequence[Family] = FAMILIES) -> Footprint:
    """Reads by a model's headers what it takes on the backend of those ``sizes``; raises as ``load_model``. Makes no
    use of MLX."""
    header = _read_header(Path(path), families)
    weights = SizedWeights(header.path, header.tensors, sizes)
    spec, _, rows = _checked(header, weights)
    return _footprint(header, weights, spec, rows)


def _footprint(header: _Header, weights: SizedWeights, spec: DecoderSpec | EncoderSpec, rows: int) -> Footprint:
    """``weights``: of which all were asked for. ``rows``: of the vocabulary."""
    lacks_head = "head" not in NamedTensors(weights, header.table)
    tied = isinstance(spec, DecoderSpec) and (lacks_head if spec.tied is None else spec.tied)
    return footprint(spec, weights, rows, header.table.names["embedding"], tied)


def read_adapter_base(path: str | Path, families: Sequence[Family] = FAMILIES) -> AdapterBase:
    """Reads by a model's headers what adapters must know of it; raises as ``load_model``, and ``UnsupportedModelError``
    for one that takes none."""
    header = _read_header(Path(path), families)
    spec, _, _ = _checked(header)
    base = _adapter_base(header, spec)
    if base is None:
        raise UnsupportedModelError(header.path, "is an embedding model, to which mlxr applies no adapters")
    return base


def _adapter_base(header: _Header, spec: DecoderSpec | EncoderSpec) -> AdapterBase | None:
    if not isinstance(spec, DecoderSpec):
        return None
    tensors = NamedTensors(HeaderWeights(header.path, header.tensors), header.table)
    places = decoder.adaptable_places(spec, tensors)
    return AdapterBase(header.path, header.architecture, header.family, header.parameters.format, spec, places)


@dataclass(frozen=True, slots=True)
class _Header:
    """A model as its headers have it. ``tokens``: how many its vocabulary names. ``modules``: of sentence-transformers,
    beside a folder's model; ``score``: how a text model in a folder ranks, None where it does not. ``notes``: what is
    to be said of how its tensors are read."""

    path: Path
    architecture: str
    family: Family
    parameters: Hyperparameters
    tensors: Mapping[str, StoredTensor]
    tokens: int
    modules: Modules = field(default_factory=Modules)
    score: LogitScore | None = None
    notes: tuple[str, ...] = ()

    @property
    def table(self) -> FormatTable:
        return self.family.tables[self.parameters.format]


def _read_header(path: Path, families: Sequence[Family]) -> _Header:
    return _gguf_header(path, families) if holds_gguf(path) else _folder_header(path, families)


def _gguf_header(path: Path, families: Sequence[Family]) -> _Header:
    file = GGUFFile.open(path)
    path = file.path
    architecture = Hyperparameters(path, file.metadata).text("general.architecture")
    family = _family(path, architecture, Format.GGUF, families)
    parameters = Hyperparameters(path, file.metadata, f"{architecture}.")
    tokens = file.metadata.get("tokenizer.ggml.tokens", ())
    count = len(tokens) if isinstance(tokens, Sequence) else 0
    return _Header(path, architecture, family, parameters, file.tensors, count)


def _folder_header(path: Path, families: Sequence[Family]) -> _Header:
    folder = ModelFolder.open(path)
    model_type = Hyperparameters(path, folder.config).text("model_type")
    architecture = config_json.architecture_of(model_type, folder.config)
    by_mlx = mlx_quantized.SETTING in folder.config or (folder.by_mlx and _changed_by_mlx(architecture, families))
    format = Format.MLX if by_mlx else Format.HUGGING_FACE
    family = _family(path, architecture, format, families)
    table = family.tables[format]
    own = config_json.flattened(config_json.text_settings(folder_settings(folder)))
    settings = {**table.defaults, **{table.keys.get(key, key): value for key, value in own.items()}}
    parameters = Hyperparameters(path, settings, format=format, keys=config_json.KEYS)
    tensors = config_json.renamed(config_json.text_tensors(folder.tensors), table.renamed)
    if len(tensors) < len(folder.tensors):
        raise ModelFileError(path, "has the tensors of its language model twice, by two kinds of names")
    modules = read_modules(path)
    score = folder_logit_score(path, modules)
    all_tensors = {**tensors, **modules.tensors}
    count = folder_tokens(path)
    return _Header(path, architecture, family, parameters, all_tensors, count, modules, score, folder.notes)


def _changed_by_mlx(architecture: str, families: Sequence[Family]) -> bool:
    """Tells whether MLX's packages may have changed the tensors of a folder that they wrote: those of an encoder that
    is no family of theirs they write as they were."""
    theirs, family = by_architecture(Format.MLX, families), by_architecture(Format.HUGGING_FACE, families)
    return architecture in theirs or not (architecture in family and family[architecture].encodes)


def _family(path: Path, architecture: str, format: Format, families: Sequence[Family]) -> Family:
    known = by_architecture(format, families)
    if architecture not in known:
        shown, names = repr(architecture[:60]), ", ".join(sorted(known))
        where = [format for format in Format if architecture in by_architecture(format, families)]
        reason = f"which mlxr runs from {' and '.join(where)}" if where else "which mlxr lacks"
        close = nearest(architecture[:60], known)
        raise UnsupportedModelError(
            path,
            f"is of the architecture {shown}, {reason}; the nearest that it has is {close!r}, and in this format it "
            f"runs {names}",
        )
    return known[architecture]


def _checked(
    header: _Header, weights: HeaderWeights | None = None
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
    if header.tokens > rows:  # an id beyond the table would read whatever lies behind it
        raise ModelFileError(header.path, f"names {header.tokens} tokens, and its embedding has {rows}")
    return spec, head, rows
