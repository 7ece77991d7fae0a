"""llama.cpp through llama-cpp-python's bindings: ``python -m bench.peers.llama_cpp MODEL.gguf THREADS``.

Measures as ``llama-bench`` does: ``llama_decode`` and ``llama_synchronize`` over given tokens, without sampling.
"""

from __future__ import annotations

import ctypes
import random
import sys
import time
from typing import Any

from llama_cpp import llama_cpp as api

from bench.peers.worker import serve

CHUNK = 512
MOST_SEQUENCES = 16
CELLS = 512
"""Context of each sequence where there are many."""

DEPTH = 4608
"""Context where there is one."""


@api.llama_log_callback  # type: ignore[untyped-decorator]
def quiet(level: int, text: bytes, data: ctypes.c_void_p) -> None:
    """llama.cpp reports a model's loading at length."""


class Sequences:
    """A llama.cpp context for up to ``count`` sequences of ``cells`` tokens, each with cells of its own."""

    def __init__(self, model: Any, count: int, cells: int, threads: int) -> None:
        parameters = api.llama_context_default_params()
        parameters.n_ctx = count * cells
        parameters.n_batch = parameters.n_ubatch = CHUNK
        parameters.n_seq_max = count
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.kv_unified = False
        self._context = api.llama_init_from_model(model, parameters)
        self._memory = api.llama_get_memory(self._context)
        self._batch = api.llama_batch_init(CHUNK, 0, 1)
        self._vocabulary = api.llama_vocab_n_tokens(api.llama_model_get_vocab(model))
        self._filled = [0] * count

    def decode(self, sequences: int, before: int, steps: int) -> float:
        """Tokens a second of ``sequences`` together, each with ``before`` tokens of context."""
        for sequence in range(sequences):
            self._fill(sequence, before)
        self._run([(sequence, before) for sequence in range(sequences)], sequences)
        began = time.perf_counter()
        for step in range(1, steps + 1):
            self._run([(sequence, before + step) for sequence in range(sequences)], sequences)
        seconds = time.perf_counter() - began
        for sequence in range(sequences):
            self._filled[sequence] = before + steps + 1
        return sequences * steps / seconds

    def prefill(self, length: int) -> float:
        """Tokens a second of one prompt."""
        api.llama_memory_clear(self._memory, True)
        self._filled = [0] * len(self._filled)
        began = time.perf_counter()
        self._run([(0, position) for position in range(length)], 1)
        seconds = time.perf_counter() - began
        self._filled[0] = length
        return length / seconds

    def _fill(self, sequence: int, length: int) -> None:
        """Have exactly ``length`` tokens in the sequence, those that are there already included."""
        keep = min(self._filled[sequence], length)
        if not api.llama_memory_seq_rm(self._memory, sequence, keep, -1):
            api.llama_memory_seq_rm(self._memory, sequence, -1, -1)
            keep = 0
        for start in range(keep, length, CHUNK):
            self._run([(sequence, position) for position in range(start, min(start + CHUNK, length))], 1)
        self._filled[sequence] = length

    def _run(self, rows: list[tuple[int, int]], outputs: int) -> None:
        """One batch of (sequence, position) pairs; the last ``outputs`` get logits."""
        batch = self._batch
        batch.n_tokens = len(rows)
        for index, (sequence, position) in enumerate(rows):
            batch.token[index] = random.randrange(self._vocabulary)
            batch.pos[index] = position
            batch.n_seq_id[index] = 1
            batch.seq_id[index][0] = sequence
            batch.logits[index] = index >= len(rows) - outputs
        if status := api.llama_decode(self._context, batch):
            raise RuntimeError(f"llama_decode failed with {status}")
        api.llama_synchronize(self._context)


class LlamaCpp:
    def __init__(self, path: str, threads: int) -> None:
        api.llama_log_set(quiet, ctypes.c_void_p())
        api.llama_backend_init()
        self._model = api.llama_model_load_from_file(path.encode(), api.llama_model_default_params())
        if not self._model:
            raise RuntimeError(f"llama.cpp can't load {path}")
        self._one = Sequences(self._model, 1, DEPTH, threads)
        self._many = Sequences(self._model, MOST_SEQUENCES, CELLS, threads)

    def decode(self, sequences: int, before: int, steps: int) -> float:
        return (self._one if sequences == 1 else self._many).decode(sequences, before, steps)

    def prefill(self, length: int) -> float:
        return self._one.prefill(length)


def main() -> None:
    llama = LlamaCpp(sys.argv[1], int(sys.argv[2]))
    serve({"decode": llama.decode, "prefill": llama.prefill})


if __name__ == "__main__":
    main()
