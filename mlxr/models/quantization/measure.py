"""Measures an importance matrix: a model reads a text, and each matrix tells of what it is multiplied by.

The model runs on the reference backend, whose matrices stay as the file has them and are decoded for each product, so
that a model takes little more memory than its file. A text is read in chunks, each by itself, as ``llama-imatrix``
does it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.pool import PoolSpec
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.reference.products import Watched
from mlxr.metal.tensors import Tensor
from mlxr.metal.weights import Weight
from mlxr.models.conversion.tensor_places import Place, name_of, places_of
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.formats.gguf.split import holds_gguf
from mlxr.models.header import ModelHeader, read_header
from mlxr.models.hyperparameters import Format
from mlxr.models.loading import load_model
from mlxr.models.quantization.encoding import decoded
from mlxr.models.quantization.ggml import Ggml
from mlxr.models.quantization.importance import Measured
from mlxr.models.tokenizers import Tokenizer, load_directory, load_gguf
from mlxr.runtime.messages.kv import CacheKind

if TYPE_CHECKING:
    from mlxr.models.loading import LoadedModel

Floats = NDArray[np.float32]

CHUNK = 512
"""Tokens that are read at once, as by ``llama-imatrix``."""
PAGE = 64


@dataclass(slots=True)
class Sums:
    """Sums of squares float64 ``[experts, columns]`` and rows ``[experts]`` of a matrix so far."""

    squares: NDArray[np.float64]
    counts: NDArray[np.float64]


@dataclass(slots=True)
class Recorder:
    """Adds up what matrices are multiplied by. ``experts``: how many a matrix holds."""

    experts: int
    found: dict[str, Sums] = field(default_factory=dict)

    def note(self, tensor: Tensor, rows: Floats, expert: int) -> None:
        count = self.experts if _holds_experts(tensor.name) else 1
        sums = self.found.get(tensor.name)
        if sums is None:
            sums = Sums(np.zeros((count, rows.shape[1])), np.zeros(count))
            self.found[tensor.name] = sums
        sums.squares[expert] += np.square(rows, dtype=np.float64).sum(axis=0)
        sums.counts[expert] += len(rows)


def _holds_experts(name: str) -> bool:
    return "_exps." in name or ".experts." in name or "switch_mlp" in name or "block_sparse_moe" in name


class WatchingBackend(ReferenceBackend):
    """The reference, with matrices that tell ``recorder``."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._ggml = Ggml()

    def weight(self, tensor: Tensor, encoder: bool = False) -> Weight:
        if len(tensor.shape) != 2:
            raise ValueError(f"{tensor.name} has the shape {tensor.shape} and is no matrix")
        handle = Watched(tensor, self._recorder.note, lambda each: decoded(self._ggml, each))
        return Weight((tensor.shape[0], tensor.shape[1]), handle, tensor.nbytes)


def chunks_of(path: Path, text: str, size: int = CHUNK) -> list[list[int]]:
    """Returns a text's tokens in whole chunks, each with the BOS before it that the model's prompts begin with. Raises
    ``TokenizerError``, and ``ValueError`` for a text that makes none."""
    tokenizer = _tokenizer(path)
    special = tokenizer.special
    tokens = tokenizer.encode(text, add_special=False, parse_special=False)
    before = [special.bos] if special.add_bos and special.bos is not None else []
    step = size - len(before)
    made = [before + tokens[at : at + step] for at in range(0, len(tokens) - step + 1, step)]
    if not made:
        raise ValueError(f"the text makes {len(tokens)} tokens, and {size} are needed at least; give a longer one")
    return made


def measure(path: Path, chunks: Sequence[list[int]], advanced: Callable[[int, int], None]) -> dict[str, Measured]:
    """Returns what each matrix of the model at ``path`` was multiplied by, by GGUF's names.

    ``advanced`` hears how many tokens of how many are read. Raises as ``load_model`` does, and ``NoEncoder``.
    """
    header = read_header(path)
    recorder = Recorder(header.parameters.integer("expert_count", 0) or 1)
    backend = WatchingBackend(recorder)
    model = load_model(path, backend)
    if not model.cache_groups:
        raise UnsupportedModelError(path, "is an embedding model, of which mlxr measures no importances")
    total, done = sum(map(len, chunks)), 0
    for chunk in chunks:
        _read(model, backend, chunk)
        done += len(chunk)
        advanced(done, total)
    names = _gguf_names(header)
    found: dict[str, Measured] = {}
    for name, sums in recorder.found.items():
        if name in names:
            found[names[name]] = Measured(sums.squares.astype(np.float32), sums.counts.astype(np.float32))
    return found


def _read(model: LoadedModel, backend: ReferenceBackend, tokens: list[int]) -> None:
    """Has the model read one chunk from its beginning."""
    import mlx.core as mx

    pages = -(-len(tokens) // PAGE)
    pool = backend.pool(PoolSpec.even(model.cache_groups, pages, PAGE))
    table = np.arange(pages, dtype=np.int32)
    positions = np.arange(len(tokens), dtype=np.int32)
    batch = Batch(
        query_starts=np.array([0, len(tokens)], np.int32),
        context_lengths=np.array([len(tokens)], np.int32),
        positions=positions,
        groups=tuple(
            GroupTables(positions[:0] if part.group.kind is CacheKind.STATE else positions, table[None], PAGE)
            for part in pool.spec.groups
        ),
    )
    mx.eval(model.forward(mx.array(tokens, dtype=mx.int32), batch, pool), *backend.barrier(pool))


def _gguf_names(header: ModelHeader) -> dict[str, str]:
    """GGUF's names of a model's tensors, by its own."""
    if header.parameters.format is Format.GGUF:
        return {name: name for name in header.tensors}
    names = header.family.tables[Format.GGUF].names if Format.GGUF in header.family.tables else {}
    found: dict[str, str] = {}
    for name, place in places_of(header.table.names, header.tensors).items():
        role = place.role.removesuffix("_together")
        if role in names:
            found[name] = name_of(names, Place(role, place.layer, place.expert))
    return found


def _tokenizer(path: Path) -> Tokenizer:
    return load_gguf(GGUFFile.open(path).metadata) if holds_gguf(path) else load_directory(path)
