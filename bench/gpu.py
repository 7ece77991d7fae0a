"""A model of Llama-3-8B's shape in Q4_K on the GPU: the executor's engine, with the next step always queued.

    python -m bench.gpu [--layers 32] [--folder FOLDER] [--without few_rows step_attention]

The weights are random, and so is the order of pages.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import mlx.core as mx
import numpy as np
from gguf import GGMLQuantizationType
from numpy.typing import NDArray

from bench.measure import REPEAT, progress
from bench.report import Figure, Report
from mlxr.actors.executor.adapters import AdapterTable
from mlxr.actors.executor.compiler import Compiler
from mlxr.actors.executor.constraints import ConstraintTable
from mlxr.actors.executor.launched import Launched
from mlxr.actors.executor.model_runner import ModelRunner
from mlxr.metal.mlx.backend import MlxBackend
from mlxr.metal.mlx.device import WAYS, described, kind
from mlxr.metal.pool import PoolSpec
from mlxr.metal.tensors import BLOCKS, TensorType
from mlxr.models.constraints import Vocabulary
from mlxr.models.loading import load_model
from mlxr.runtime.messages.common import Sampling
from mlxr.runtime.messages.executor import GroupSize, Step, StepRow, TableEntries
from mlxr.runtime.messages.kv import RowSetup
from mlxr.runtime.messages.scheduler import Sampled
from mlxr.runtime.messages.token_ids import TokenIds
from tests.models import CACHE
from tests.models.files import Sizes, finish, header_of, matrices, norms, random_blocks

LLAMA = Sizes(
    32,
    4096,
    14_336,
    32,
    8,
    128,
    128_256,
    settings={"rope.freq_base": 500_000.0, "context_length": 8192},
)
"""Llama-3-8B's, from its published configuration."""

BANDWIDTH = {"H100": 3.35e12, "H200": 4.8e12}
"""Bytes a second, from the vendor's datasheet: what a decode step can't be faster than, reading each weight once."""

PAGE = 32
POOL_TOKENS = 65_536
GREEDY = Sampling(temperature=0.0)


@dataclass(frozen=True, slots=True)
class Loaded:
    """``resident``: bytes that MLX holds once the model is loaded, pool aside."""

    engine: ModelRunner
    backend: MlxBackend
    file_bytes: int
    resident: int
    load_seconds: float
    vocabulary: int


class Driver:
    """Plays the scheduler and the KV manager: sequences of equal length, pages handed out in random order."""

    def __init__(self, engine: ModelRunner, vocabulary: int) -> None:
        self._engine, self._vocabulary = engine, vocabulary
        self._steps = itertools.count()
        self._rng = np.random.default_rng(0)

    def prefill(self, sequences: int, length: int, room: int, at_once: int) -> None:
        """Start over with ``sequences`` of ``length`` tokens, with pages for ``room`` more, ``at_once`` a step."""
        order = self._rng.permutation(POOL_TOKENS // PAGE).tolist()
        count = -(-(length + room) // PAGE)
        self._reset = True
        first_tokens: dict[int, int] = {}
        for first in range(0, sequences, at_once):
            rows = []
            for id in range(first, min(first + at_once, sequences)):
                tokens = self._rng.integers(0, self._vocabulary, length).tolist()
                pages = [order.pop() for _ in range(count)]
                setup = RowSetup(GREEDY, TokenIds.of(tokens), length)
                tables = [TableEntries(0, pages)]
                rows.append(StepRow(id, 0, length, TokenIds.of(tokens), [id], setup, tables=tables))
            for sampled in self._finish(self._launch(rows)):
                first_tokens[sampled.sequence] = sampled.token
        self._at = dict.fromkeys(range(sequences), length)
        # Those of steps long past are not on the device any more.
        self._finish(self._launch(self._decoding(first_tokens)))

    def decode(self, steps: int) -> float:
        """Seconds a step of all sequences, each step queued before the one before is read."""
        self._finish(self._launch(self._decoding()))
        before = self._launch(self._decoding())
        began = time.perf_counter()
        for _ in range(steps):
            after = self._launch(self._decoding())
            self._finish(before)
            before = after
        taken = time.perf_counter() - began
        self._finish(before)
        return taken / steps

    def host(self, steps: int) -> float:
        """Seconds that this thread takes to queue a step."""
        taken = 0.0
        for _ in range(steps):
            began = time.perf_counter()
            launched = self._launch(self._decoding())
            taken += time.perf_counter() - began
            self._finish(launched)
        return taken / steps

    def _decoding(self, tokens: Mapping[int, int] | None = None) -> list[StepRow]:
        rows = []
        for id, at in self._at.items():
            rows.append(StepRow(id, at, 1, TokenIds.of([tokens[id]]) if tokens else None, [id]))
            self._at[id] = at + 1
        return rows

    def _launch(self, rows: list[StepRow]) -> Launched:
        number = next(self._steps)
        # The pool is a part of what it may become, until it is told.
        sizes = [] if number else [GroupSize(POOL_TOKENS // PAGE, POOL_TOKENS // PAGE)]
        step = Step(1, number, rows, reset=self._reset, sizes=sizes)
        self._reset = False
        launched = self._engine.launch(step, 0)
        self._engine.sample(launched)
        return launched

    def _finish(self, launched: Launched) -> list[Sampled]:
        done = self._engine.finish(launched)
        assert not any(sampled.error for sampled in done.sampled), done.sampled[0].error
        return done.sampled


def benchmark(repeat: int = REPEAT) -> Report:
    report = Report(f"Llama-3-8B's shape in Q4_K, {described()}")
    if kind() == "cpu":
        report.notes.append("MLX has no GPU here")
        return report
    measure(report, load(model_file(LLAMA, CACHE / "bench")), repeat)
    return report


def model_file(sizes: Sizes, folder: Path) -> Path:
    path = folder / f"llama-{sizes.layers}-q4_k.gguf"
    if not path.exists():
        progress(f"writing {path.name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path.with_suffix(".partial"), sizes).replace(path)
    return path


def write(path: Path, sizes: Sizes) -> Path:
    """Random weights whose mean is zero, as trained ones' is: others make activations beyond 16 bits. Matrices of one
    shape have the same, so that writing takes seconds."""
    writer, rng = header_of(path, "llama", sizes), np.random.default_rng(7)
    made: dict[tuple[int, int], NDArray[np.uint8]] = {}
    for name, (rows, columns) in matrices(sizes).items():
        if (rows, columns) in made:
            writer.add_tensor(f"{name}.weight", made[rows, columns], raw_dtype=GGMLQuantizationType.Q4_K)
            continue
        blocks = random_blocks(TensorType.Q4_K, rows, columns, rng).reshape(rows, -1, BLOCKS[TensorType.Q4_K][1])
        scales = blocks[..., :4].reshape(-1).view(np.float16).reshape(rows, -1, 2)
        scales[..., 0] /= 8
        scales[..., 1] = 7.5 * scales[..., 0]
        blocks[..., :4] = scales.view(np.uint8)
        made[rows, columns] = blocks.reshape(rows, -1)
        writer.add_tensor(f"{name}.weight", made[rows, columns], raw_dtype=GGMLQuantizationType.Q4_K)
    for name, size in norms("llama", sizes).items():
        writer.add_tensor(f"{name}.weight", np.ones(size, np.float32))
    return finish(writer, path)


def load(path: Path, without: Sequence[str] = ()) -> Loaded:
    """``without``: ways of ``mlxr.metal.mlx.device.Ways`` that are not taken."""
    progress("loading")
    backend, began = MlxBackend(WAYS[kind()].without(frozenset(without))), time.perf_counter()
    before = mx.get_active_memory()
    model = load_model(path, backend)
    seconds, resident = time.perf_counter() - began, mx.get_active_memory() - before
    spec = PoolSpec.even(model.cache_groups, POOL_TOKENS // PAGE, PAGE)
    engine = ModelRunner(
        model, backend, spec, ConstraintTable(Compiler(_no_vocabulary), model.vocab_size), AdapterTable()
    )
    return Loaded(engine, backend, path.stat().st_size, resident, seconds, model.vocab_size)


def measure(report: Report, loaded: Loaded, repeat: int) -> None:
    driver = Driver(loaded.engine, loaded.vocabulary)

    def ms(run: Callable[[], float]) -> float:
        run()
        return 1000 * statistics.median(run() for _ in range(repeat))

    def add(name: str, value: float, unit: str, wanted: float | None = None, lower: bool = True) -> None:
        progress(f"{name}: {value:.2f} {unit}")
        report.figures.append(Figure(name, value, unit, wanted, lower=lower))

    add("weights resident, of the file's bytes", loaded.resident / loaded.file_bytes, "times", 1.2)
    add("loading", loaded.load_seconds, "s")
    for length in (128, 2048):
        driver.prefill(1, length, 512, 1)
        add(f"decode at {length} tokens, a step", ms(lambda: driver.decode(16)), "ms", 7.0)
    add("decode, the host's part of a step", ms(lambda: driver.host(8)), "ms")
    for sequences in (4, 8, 32):
        driver.prefill(sequences, 256, 512, 8)
        add(f"{sequences} sequences at 256 tokens, a step", ms(lambda: driver.decode(16)), "ms", 16.0)
    for length in (512, 2048, 4096):
        seconds = ms(lambda length=length: _timed(lambda: driver.prefill(1, length, 32, 1))) / 1000  # type: ignore[misc]
        add(f"prefill of {length}", length / seconds, "tok/s", 25_000.0, lower=False)
    add("weights and pool resident", (mx.get_active_memory()) / 1e9, "GB")
    add("memory at its most", mx.get_peak_memory() / 1e9, "GB")


def _timed(run: Callable[[], None]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _no_vocabulary() -> Vocabulary:
    raise AssertionError("nothing here is constrained")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=LLAMA.layers)
    parser.add_argument("--folder", type=Path, default=CACHE / "bench")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--without", nargs="+", default=[], help="ways of the backend that are not taken")
    arguments = parser.parse_args()
    report = Report(described())
    path = model_file(replace(LLAMA, layers=arguments.layers), arguments.folder)
    measure(report, load(path, arguments.without), arguments.repeat)
    for figure in report.figures:
        print(f"{figure.name:44} {figure.ours:10.2f} {figure.unit}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(figure) for figure in report.figures], indent=1))


if __name__ == "__main__":
    main()
