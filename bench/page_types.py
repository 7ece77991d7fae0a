"""Decoding over pages of 8-bit codes beside pages of 16-bit numbers, in published shapes with random weights."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.engine_cpu import Engine
from bench.measure import REPEAT, in_turn, progress
from bench.models import THREADS
from bench.random_model import RandomModel, tied_q4_k_m
from bench.report import Figure, Report
from bench.shapes import SHAPES
from mlxr.metal.cache import NumberType
from mlxr.metal.cpu.backend import CpuBackend
from mlxr.models.loading import load_model
from tests.models import CACHE

DEPTHS = {4096: 1.3, 16_384: 1.6}
"""Tokens of context, and how many times the speed of 16-bit pages is wanted there, where a step reads more of pages
than of weights: of Qwen3-0.6B, 1.9 GB and 0.4 at 16,384 tokens."""

STEPS = 12


def shapes() -> Iterator[tuple[str, RandomModel, bool]]:
    """Yields each with whether its pages outweigh its weights."""
    named = {shape.name: shape.model for shape in SHAPES}
    yield "Qwen3-0.6B, Q4_K_M", named["Qwen3-0.6B, Q4_K_M"], True
    llama = named["Llama-3.2-1B, IQ2_M"]
    yield "Llama-3.2-1B, Q4_K_M", RandomModel(llama.architecture, llama.settings, llama.vocabulary, tied_q4_k_m), False


def benchmark(repeat: int = REPEAT) -> Report:
    report = Report(f"Tokens a second over int8 pages, {THREADS} threads; theirs: over 16-bit pages")
    CACHE.mkdir(parents=True, exist_ok=True)
    for name, shape, outweigh in shapes():
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            progress(f"writing {name}")
            report.figures += measured(name, shape.write(Path(folder) / "model.gguf"), outweigh, repeat)
    return report


def measured(name: str, path: Path, outweigh: bool, repeat: int) -> Iterator[Figure]:
    backend = CpuBackend(THREADS)
    model = load_model(path, backend)
    for depth, wanted in DEPTHS.items():
        progress(f"{name}, {depth:,} tokens")
        engines = {type: Engine(backend, model, 1, depth + STEPS + 1, type) for type in NumberType}
        for engine in engines.values():
            engine.fill_by_copies()
        sides = {type.value: partial(engine.decode, 1, depth, STEPS) for type, engine in engines.items()}
        found = in_turn(sides, repeat)
        yield Figure(
            f"{name}, decode at {depth:,} tokens",
            found[NumberType.INT8],
            "tok/s",
            wanted if outweigh else None,
            found[NumberType.HALF],
        )
        del engines, sides
        gc.collect()
