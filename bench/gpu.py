"""Models' shapes on the GPU: the executor's engine, with the next step always queued, and mlx-lm beside it.

    python -m bench.gpu [--shapes llama-3-8b-q4_k ...] [--layers N] [--folder FOLDER] [--without few_rows ...] [--alone]
        [--decoded 1:128 32:512 ...] [--prefilled 4096 ...]

Shapes are those of ``bench.gpu_shapes``. The weights are random, and so is the order of pages.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import mlx.core as mx
import numpy as np

from bench.gpu_shapes import SHAPES, GpuShape
from bench.measure import REPEAT, progress
from bench.peers.worker import Worker, importable
from bench.report import Figure, Report
from mlxr.actors.executor.adapters import AdapterTable
from mlxr.actors.executor.compiler import Compiler
from mlxr.actors.executor.constraints import ConstraintTable
from mlxr.actors.executor.launched_step import LaunchedStep
from mlxr.actors.executor.model_runner import ModelRunner
from mlxr.metal.cache import NumberType
from mlxr.metal.mlx.backend import MlxBackend
from mlxr.metal.mlx.device import WAYS, described, kind
from mlxr.metal.pool import GroupSpec, PoolSpec
from mlxr.models.constraints import Vocabulary
from mlxr.models.loading import LoadedModel, load_model
from mlxr.runtime.messages.common import Sampling
from mlxr.runtime.messages.executor import GroupSize, Step
from mlxr.runtime.messages.kv import CacheKind, PlanRow, RowSetup, TableEntries
from mlxr.runtime.messages.scheduler import Sampled
from mlxr.runtime.messages.token_ids import TokenIds
from tests.models import CACHE

PAGE = 32
POOL_TOKENS = 65_536


@dataclass(frozen=True, slots=True)
class Cases:
    """``decoded``: sequences that decode together, and their tokens of context. ``prefilled``: lengths of prompts."""

    decoded: Sequence[tuple[int, int]]
    prefilled: Sequence[int]


ALL = Cases(((1, 128), (1, 2048), (8, 512), (16, 512), (32, 512)), (512, 2048, 4096))

STATES = 64
"""Pages of a group of states, of which a sequence has one."""
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
    spec: PoolSpec


class Driver:
    """Plays the scheduler and the KV manager: sequences of equal length, pages handed out in random order."""

    def __init__(self, loaded: Loaded) -> None:
        self._engine, self._vocabulary, self._groups = loaded.engine, loaded.vocabulary, loaded.spec.groups
        self._steps = itertools.count()
        self._rng = np.random.default_rng(0)

    def prefill(self, sequences: int, length: int, room: int, at_once: int) -> float:
        """Start over with ``sequences`` of ``length`` tokens, with pages for ``room`` more, ``at_once`` a step. Returns
        the seconds until each one's first token."""
        taken = 0.0
        orders = [self._rng.permutation(group.pages).tolist() for group in self._groups]
        states = [group.group.kind is CacheKind.STATE for group in self._groups]
        counts = [1 if state else -(-(length + room) // PAGE) for state in states]
        self._reset = True
        first_tokens: dict[int, int] = {}
        for first in range(0, sequences, at_once):
            rows = []
            for id in range(first, min(first + at_once, sequences)):
                tokens = self._rng.integers(0, self._vocabulary, length).tolist()
                pages = [[order.pop() for _ in range(count)] for order, count in zip(orders, counts, strict=True)]
                setup = RowSetup(GREEDY, TokenIds.of(tokens), length)
                tables = [TableEntries(0, own) for own in pages]
                rows.append(PlanRow(id, 0, length, TokenIds.of(tokens), [id], setup, tables=tables))
            began = time.perf_counter()
            done = self._finish(self._launch(rows))
            taken += time.perf_counter() - began
            first_tokens.update((sampled.sequence, sampled.token) for sampled in done)
        self._at = dict.fromkeys(range(sequences), length)
        # Those of steps long past are not on the device any more.
        self._finish(self._launch(self._decoding(first_tokens)))
        return taken

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

    def _decoding(self, tokens: Mapping[int, int] | None = None) -> list[PlanRow]:
        rows = []
        for id, at in self._at.items():
            rows.append(PlanRow(id, at, 1, TokenIds.of([tokens[id]]) if tokens else None, [id]))
            self._at[id] = at + 1
        return rows

    def _launch(self, rows: list[PlanRow]) -> LaunchedStep:
        number = next(self._steps)
        # The pool is a part of what it may become, until it is told.
        sizes = [] if number else [GroupSize(group.pages, group.pages) for group in self._groups]
        step = Step(1, number, rows, reset=self._reset, sizes=sizes)
        self._reset = False
        launched = self._engine.launch(step, 0)
        self._engine.sample(launched)
        return launched

    def _finish(self, launched: LaunchedStep) -> list[Sampled]:
        done = self._engine.finish(launched)
        assert not any(sampled.error for sampled in done.sampled), done.sampled[0].error
        return done.sampled


def benchmark(repeat: int = REPEAT) -> Report:
    report = Report(f"Shapes on the GPU, {described()}")
    if kind() == "cpu":
        report.notes.append("MLX has no GPU here")
        return report
    for name in SHAPES:
        of_shape(report, name, SHAPES[name], CACHE / "bench", repeat)
    return report


def of_shape(
    report: Report,
    name: str,
    shape: GpuShape,
    folder: Path,
    repeat: int,
    without: Sequence[str] = (),
    alone: bool = False,
    cases: Cases = ALL,
) -> None:
    """``without``: ways of ``mlxr.metal.mlx.device.Ways`` that are not taken. ``alone``: mlx-lm is left out."""
    title = name if shape.layers == shape.whole else f"{name}, {shape.layers} of {shape.whole} layers"
    path = shape.file(name, folder)
    theirs: Theirs = {}
    if not alone and importable("mlx_lm"):
        theirs = of_peer(report, title, name, shape.layers, cases)
    measure(report, title, load(path, without), repeat, theirs, cases)


Theirs = dict[tuple[str, int, int], float]
"""mlx-lm's figures, by ``decode`` or ``prefill``, sequences and tokens."""


def of_peer(report: Report, title: str, name: str, layers: int, cases: Cases) -> Theirs:
    """mlx-lm's, by itself: with another process on its card either side was slower."""
    theirs: Theirs = {}
    with Worker("bench.peers.mlx_lm_gpu", name, str(layers)) as peer:
        try:
            for length in cases.prefilled:
                theirs["prefill", 1, length] = peer.measure("prefill", length)
                progress(f"{title}: mlx-lm: prefill of {length}: {theirs['prefill', 1, length]:.0f} tok/s")
            for sequences, length in cases.decoded:
                theirs["decode", sequences, length] = peer.measure("decode", sequences, length, 16)
                progress(f"{title}: mlx-lm: {sequences} at {length}: {theirs['decode', sequences, length]:.2f} ms")
        except RuntimeError as error:  # it ends where it can't go on
            report.notes.append(f"{title}: mlx-lm: {error}")
    return theirs


def load(path: Path, without: Sequence[str] = ()) -> Loaded:
    progress("loading")
    backend, began = MlxBackend(WAYS[kind()].without(frozenset(without))), time.perf_counter()
    before = mx.get_active_memory()
    model = load_model(path, backend)
    seconds, resident = time.perf_counter() - began, mx.get_active_memory() - before
    engine, spec = engine_of(model, backend, POOL_TOKENS)
    return Loaded(engine, backend, path.stat().st_size, resident, seconds, model.vocab_size, spec)


def engine_of(
    model: LoadedModel, backend: MlxBackend, tokens: int, pages: NumberType = NumberType.HALF
) -> tuple[ModelRunner, PoolSpec]:
    """An engine whose groups of keys and values have ``pages`` for ``tokens`` each."""
    spec = PoolSpec(
        tuple(
            GroupSpec(group.typed(pages, pages), STATES if group.kind is CacheKind.STATE else tokens // PAGE, PAGE)
            for group in model.cache_groups
        )
    )
    constraints = ConstraintTable(Compiler(_no_vocabulary), model.vocab_size)
    return ModelRunner(model, backend, spec, constraints, AdapterTable()), spec


def measure(report: Report, title: str, loaded: Loaded, repeat: int, theirs: Theirs, cases: Cases) -> None:
    driver = Driver(loaded)
    mx.reset_peak_memory()

    def median(run: Callable[[], float]) -> float:
        run()
        return statistics.median(run() for _ in range(repeat))

    def add(name: str, value: float, unit: str, theirs: float | None = None, lower: bool = True) -> None:
        beside = "" if theirs is None else f", mlx-lm {theirs:.2f}"
        progress(f"{title}: {name}: {value:.2f} {unit}{beside}")
        report.figures.append(Figure(f"{title}: {name}", value, unit, None, theirs, lower))

    add("weights resident, of the file's bytes", loaded.resident / loaded.file_bytes, "times")
    add("loading", loaded.load_seconds, "s")
    for sequences, length in cases.decoded:
        driver.prefill(sequences, length, 512, 8)
        ours = 1000 * median(lambda: driver.decode(16))
        if (sequences, length) == cases.decoded[0]:
            add("the host's part of a step", 1000 * median(lambda: driver.host(8)), "ms")
        add(f"{sequences} at {length} tokens, a step", ours, "ms", theirs.get(("decode", sequences, length)))
    for length in cases.prefilled:
        seconds = median(lambda length=length: driver.prefill(1, length, 32, 1))  # type: ignore[misc]
        beside = theirs.get(("prefill", 1, length))
        add(f"prefill of {length}", length / seconds, "tok/s", beside, lower=False)
    add("weights and pool resident", mx.get_active_memory() / 1e9, "GB")
    add("memory at its most", mx.get_peak_memory() / 1e9, "GB")


def _pair(given: str) -> tuple[int, int]:
    sequences, _, context = given.partition(":")
    return int(sequences), int(context)


def _no_vocabulary() -> Vocabulary:
    raise AssertionError("nothing here is constrained")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=SHAPES)
    parser.add_argument("--layers", type=int, help="instead of the shape's")
    parser.add_argument("--folder", type=Path, default=CACHE / "bench")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--without", nargs="+", default=[], help="ways of the backend that are not taken")
    parser.add_argument("--alone", action="store_true", help="without mlx-lm")
    parser.add_argument("--decoded", nargs="*", type=_pair, default=ALL.decoded, help="sequences:context")
    parser.add_argument("--prefilled", nargs="*", type=int, default=ALL.prefilled)
    arguments = parser.parse_args()
    cases = Cases(arguments.decoded, arguments.prefilled)
    report = Report(described())
    for name in arguments.shapes:
        shape = SHAPES[name] if arguments.layers is None else SHAPES[name].of_layers(arguments.layers)
        of_shape(report, name, shape, arguments.folder, arguments.repeat, arguments.without, arguments.alone, cases)
        gc.collect()
        mx.clear_cache()
    for figure in report.figures:
        theirs = "" if figure.theirs is None else f"{figure.theirs:12.2f}"
        print(f"{figure.name:72} {figure.ours:10.2f} {figure.unit:6}{theirs}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(figure) for figure in report.figures], indent=1))


if __name__ == "__main__":
    main()
