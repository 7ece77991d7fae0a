"""Speed of the bare engine on CPU: model, backend and nothing else, two steps in flight as the executor keeps them.

    python -m bench.engine_cpu MODEL.gguf [--threads 2] [--repeat 5] [--only decode,prefill,batch,depth]

Medians of ``--repeat`` runs; tokens a second, except for the load.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import mlx.core as mx
import numpy as np

from mlxr.metal.backend import Backend
from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.cache import NumberType
from mlxr.metal.cpu.backend import CpuBackend
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.sampling import SamplingBatch
from mlxr.models.loading import LoadedModel, load_model
from mlxr.runtime.messages.kv import CacheKind

PAGE = 32


class Engine:
    """A model and its pool, with every sequence's pages fixed in advance."""

    def __init__(
        self, backend: Backend, model: LoadedModel, sequences: int, length: int, pages: NumberType = NumberType.HALF
    ) -> None:
        self.backend, self.model = backend, model
        self.width = -(-length // PAGE)
        groups = [group.typed(pages, pages) for group in model.cache_groups]
        self.pool: Pool = backend.pool(PoolSpec.even(groups, sequences * self.width, PAGE))
        self.greedy = greedy(sequences)

    def batch(self, sequences: int, before: int, new: int) -> Batch:
        """``new`` tokens for each of the first ``sequences`` sequences, which have ``before`` already."""
        starts = np.arange(sequences + 1, dtype=np.int32) * new
        positions = np.tile(np.arange(before, before + new, dtype=np.int32), sequences)
        owners = np.repeat(np.arange(sequences, dtype=np.int32), new)
        tables = np.arange(sequences * self.width, dtype=np.int32).reshape(sequences, self.width)
        slots = tables[owners, positions // PAGE] * PAGE + positions % PAGE
        contexts = np.full(sequences, before + new, np.int32)
        kept, none = slots.astype(np.int32), np.zeros(0, np.int32)
        groups = [
            GroupTables(none if part.group.kind is CacheKind.STATE else kept, tables, PAGE)
            for part in self.pool.spec.groups
        ]
        # As the executor says it: the last token of each.
        outputs = (starts[1:] - 1).astype(np.int32) if new > 1 else None
        return Batch(starts, contexts, positions, tuple(groups), outputs=outputs)

    def step(self, tokens: mx.array, batch: Batch) -> mx.array:
        """The next token of every sequence, submitted but not awaited."""
        hidden = self.model.forward(tokens, batch, self.pool)
        logits = self.model.logits(hidden, mx.array(batch.query_starts[1:] - 1))
        sampled = self.backend.sample(logits, greedy(logits.shape[0])).tokens
        mx.async_eval([sampled, *self.backend.barrier(self.pool)])
        return sampled

    def fill(self, sequences: int, length: int) -> mx.array:
        tokens = np.random.default_rng(0).integers(0, self.model.vocab_size, sequences * length).astype(np.int32)
        return self.step(mx.array(tokens), self.batch(sequences, 0, length))

    def fill_by_copies(self) -> None:
        """Gives all pages of all groups what the first ones hold after a few tokens: their speed is that of others."""
        mx.eval(self.step(mx.zeros(PAGE, mx.int32), self.batch(1, 0, PAGE)))
        for group, part in enumerate(self.pool.spec.groups):
            self.backend.copy_pages(self.pool, group, [(0, page) for page in range(1, part.pages)])

    def decode(self, sequences: int, before: int, steps: int) -> float:
        """Tokens a second of ``sequences`` sequences together that have ``before`` tokens each."""
        # Each its own, or all would go the same way, and of a mixture meet the same experts.
        first = np.random.default_rng(0).integers(0, self.model.vocab_size, sequences)
        tokens = mx.array(first.astype(np.int32))
        mx.eval(self.step(tokens, self.batch(sequences, before, 1)))
        began = time.perf_counter()
        behind = ahead = self.step(tokens, self.batch(sequences, before, 1))
        for index in range(1, steps):
            ahead = self.step(behind, self.batch(sequences, before + index, 1))
            mx.eval(behind)
            behind = ahead
        mx.eval(ahead)
        return sequences * steps / (time.perf_counter() - began)

    def prefill(self, length: int) -> float:
        began = time.perf_counter()
        mx.eval(self.fill(1, length))
        return length / (time.perf_counter() - began)


def greedy(rows: int) -> SamplingBatch:
    zeros, ones = np.zeros(rows, np.float32), np.ones(rows, np.float32)
    return SamplingBatch(zeros, np.zeros(rows, np.int32), ones, zeros, ones, ones, zeros, zeros, zeros)


def median(run: Callable[[], float], repeat: int) -> float:
    run()
    return statistics.median(run() for _ in range(repeat))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--reference", action="store_true", help="plain MLX operations instead of the kernels")
    parser.add_argument("--only", default="decode,prefill,batch,depth")
    arguments = parser.parse_args()
    backend: Backend = ReferenceBackend() if arguments.reference else CpuBackend(arguments.threads)
    began = time.perf_counter()
    model = load_model(arguments.model, backend)
    print(f"load          {time.perf_counter() - began:8.2f} s")
    engine = Engine(backend, model, 16, 512)
    cases: dict[str, Callable[[], float]] = {
        "decode": lambda: engine.decode(1, 64, 64),
        "prefill": lambda: engine.prefill(512),
        "batch": lambda: engine.decode(16, 64, 16),
    }
    for name, run in cases.items():
        if name in arguments.only.split(","):
            print(f"{name:12}  {median(run, arguments.repeat):8.1f} tok/s", flush=True)
    if "depth" in arguments.only.split(","):
        deep = Engine(backend, model, 1, 4096 + 128)
        for start in range(0, 4096, 512):
            mx.eval(deep.step(mx.zeros(512, mx.int32), deep.batch(1, start, 512)))
        print(f"depth 4096    {median(lambda: deep.decode(1, 4096, 32), arguments.repeat):8.1f} tok/s")


if __name__ == "__main__":
    main()
