"""Prefill deep in a context of 32,768 tokens: what a chunk takes there beside what its arithmetic comes to."""

from __future__ import annotations

import time
from functools import partial

import mlx.core as mx

from bench.engine_cpu import Engine
from bench.measure import REPEAT, in_turn, progress
from bench.models import THREADS
from bench.report import Figure, Report
from mlxr.metal.cpu.backend import CpuBackend
from mlxr.models.loading import load_model
from tests.models import model_path

CHUNK, LONGEST = 512, 32_768

NEAR = 4_096
"""Up to here the growth is measured: a chunk's products stay the same, and each token before it adds as much as any
other."""

DEPTHS = (8_192, 16_384, LONGEST - CHUNK)

MOST = 1.2
"""How many times the arithmetic's growth a chunk may take."""


def benchmark(repeat: int = REPEAT) -> Report:
    report = Report(f"Prefill of {CHUNK} tokens deep in Gemma 3 270M's context, {THREADS} threads, ms")
    backend = CpuBackend(THREADS)
    engine = Engine(backend, load_model(model_path("gemma3"), backend), 1, LONGEST)
    progress(f"filling {LONGEST:,} tokens")
    engine.fill_by_copies()
    found = in_turn({str(depth): partial(chunk, engine, depth) for depth in (0, NEAR, *DEPTHS)}, repeat)
    first, slope = found["0"], (found[str(NEAR)] - found["0"]) / NEAR
    report.figures.append(Figure("at the beginning", first, "ms", lower=True))
    for depth in DEPTHS:
        most = MOST * (first + slope * depth)
        report.figures.append(Figure(f"behind {depth:,} tokens", found[str(depth)], "ms", most, lower=True))
    return report


def chunk(engine: Engine, depth: int) -> float:
    """Milliseconds that a step takes whose tokens come behind ``depth`` others."""
    tokens, batch = mx.zeros(CHUNK, mx.int32), engine.batch(1, depth, CHUNK)
    began = time.perf_counter()
    mx.eval(engine.step(tokens, batch))
    return 1e3 * (time.perf_counter() - began)
