"""How far a backend's next-token distributions are from the oracle's, on real text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import mlx.core as mx
import numpy as np

from mlxr.metal.adapters import AdapterStack
from mlxr.metal.backend import Backend
from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.cache import NumberType
from mlxr.metal.pool import PoolSpec
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.loading import LoadedModel, load_model
from mlxr.models.tokenizers import load_gguf
from mlxr.runtime.messages.kv import CacheKind
from tests.oracle.formulas import Array
from tests.oracle.models import oracle

TEXT = Path(__file__).parents[1] / "data" / "alice.txt"
ROWS = 64
"""Positions whose logits are held at once."""


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Kullback-Leibler divergence in nats, D(oracle || backend); ``agreement``: share of equal most likely tokens."""

    positions: int
    mean: float
    worst: float
    agreement: float


def text_tokens(path: Path, count: int) -> list[int]:
    """The first ``count`` tokens of the text, by the model's own tokenizer."""
    tokens = load_gguf(GGUFFile.open(path).metadata).encode(TEXT.read_text())
    assert len(tokens) >= count
    return tokens[:count]


def measure(
    path: Path,
    backend: Backend,
    positions: int,
    chunk: int = 200,
    page_size: int = 32,
    pages: NumberType = NumberType.HALF,
) -> Fidelity:
    """Runs the text's first ``positions`` tokens through both, the backend in chunks and over shuffled ``pages``."""
    tokens = text_tokens(path, positions)
    model = load_model(path, backend)
    hidden = run_chunks(model, backend, tokens, chunk, page_size, pages=pages)
    return against_oracle(path, tokens, lambda start, end: np.array(model.logits(hidden, mx.arange(start, end))))


def against_oracle(path: Path, tokens: list[int], logits: Callable[[int, int], Array]) -> Fidelity:
    """``logits(start, end)`` are somebody's ``[end - start, vocabulary]`` after each token of a stretch."""
    truth = oracle(path)
    expected = truth.hidden(tokens)
    divergences, equal = [], 0
    for start in range(0, len(tokens), ROWS):
        end = min(start + ROWS, len(tokens))
        reference, theirs = truth.logits(expected[start:end]), logits(start, end)
        divergences.append(divergence(reference, theirs))
        equal += int((reference.argmax(axis=-1) == theirs.argmax(axis=-1)).sum())
    every = np.concatenate(divergences)
    return Fidelity(len(tokens), float(every.mean()), float(every.max()), equal / len(tokens))


def run_chunks(
    model: LoadedModel,
    backend: Backend,
    tokens: list[int],
    chunk: int | Sequence[int],
    page_size: int,
    adapters: AdapterStack = (),
    pages: NumberType = NumberType.HALF,
) -> mx.array:
    """Hidden states ``[T, width]`` of one sequence that is prefilled ``chunk`` tokens at a time, or in such chunks."""
    count = -(-len(tokens) // page_size)
    groups = [group.typed(pages, pages) for group in model.cache_groups]
    pool = backend.pool(PoolSpec.even(groups, count, page_size))
    table = np.random.default_rng(0).permutation(count).astype(np.int32)
    parts = []
    lengths = [chunk] * -(-len(tokens) // chunk) if isinstance(chunk, int) else chunk
    for start, length in zip(accumulate(lengths, initial=0), lengths, strict=False):
        part = tokens[start : start + length]
        positions = np.arange(start, start + len(part), dtype=np.int32)
        slots = table[positions // page_size] * page_size + positions % page_size
        batch = Batch(
            query_starts=np.array([0, len(part)], np.int32),
            context_lengths=np.array([start + len(part)], np.int32),
            positions=positions,
            groups=tuple(
                GroupTables(slots[:0] if part.group.kind is CacheKind.STATE else slots, table[None], page_size)
                for part in pool.spec.groups
            ),
            adapters=(adapters,) if adapters else (),
        )
        parts.append(model.forward(mx.array(part, dtype=mx.int32), batch, pool))
        mx.eval(parts[-1], *backend.barrier(pool))
    return mx.concatenate(parts)


def divergence(truth: Array, ours: Array) -> Array:
    """D(truth || ours) of each row of logits, in nats, computed in float64."""
    log_p, log_q = log_softmax(truth.astype(np.float64)), log_softmax(ours.astype(np.float64))
    return (np.exp(log_p) * (log_p - log_q)).sum(axis=-1)


def log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
