"""Whole models against llama.cpp and mlx-lm on the same file: decoding, prefill, batches, depth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.measure import REPEAT, in_turn, progress
from bench.peers.worker import Worker, importable
from bench.report import Figure, Report
from tests.models import model_path

THREADS = 2


@dataclass(frozen=True, slots=True)
class Case:
    """``wanted``: how many times llama.cpp's tokens a second."""

    name: str
    command: tuple[str, *tuple[int, ...]]
    wanted: float


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the machine, as measured: bytes a second that are read, and products of codes with activations of 16 bits."""

    reading: float
    products: float


CASES: dict[str, tuple[Case, ...]] = {
    "smollm2": (
        Case("decode, one sequence", ("decode", 1, 64, 64), 1.75),
        Case("prefill of 512", ("prefill", 512), 2.5),
        Case("16 sequences decoding", ("decode", 16, 64, 16), 3.0),
        Case("decode at 4,096 tokens", ("decode", 1, 4096, 32), 2.0),
    ),
    "gemma3": (
        Case("decode, one sequence", ("decode", 1, 64, 64), 1.5),
        Case("prefill of 512", ("prefill", 512), 2.0),
    ),
}

MLX_LM_CASES = (
    Case("decode, one sequence", ("decode", 1, 16, 8), 10.0),
    Case("prefill of 32", ("prefill", 32), 10.0),
)
"""Shorter, because mlx-lm takes so long; and of SmolLM2 alone."""


def benchmark(repeat: int = REPEAT) -> Report:
    report = Report(f"Tokens a second, {THREADS} threads: ours against llama.cpp's and mlx-lm's")
    if importable("llama_cpp"):
        for model, cases in CASES.items():
            report.figures += beside("bench.peers.llama_cpp", "llama.cpp", model, cases, repeat)
    else:
        report.notes.append("llama.cpp is not installed (pip install llama-cpp-python)")
    if importable("mlx_lm"):
        report.figures += beside("bench.peers.mlx_lm", "mlx-lm", "smollm2", MLX_LM_CASES, repeat)
    else:
        report.notes.append("mlx-lm is not installed (pip install mlx-lm)")
    return report


def beside(module: str, peer: str, model: str, cases: tuple[Case, ...], repeat: int) -> list[Figure]:
    return beside_file(module, peer, model, model_path(model), cases, repeat)


def beside_file(
    module: str,
    peer: str,
    model: str,
    path: Path,
    cases: tuple[Case, ...],
    repeat: int,
    bounds: Callable[[Case, Limits], tuple[float, float]] | None = None,
) -> list[Figure]:
    """Both sides in turn, each in its own process; with ``bounds``, which says what the machine allows each side in
    tokens a second, what it gives at most too, in the same rounds."""
    arguments = (str(path), str(THREADS))
    figures: list[Figure] = []
    with Worker("bench.peers.ours", *arguments) as ours, Worker(module, *arguments) as theirs:
        for case in cases:
            progress(f"{model}, {case.name}, {peer}")
            sides = {"ours": partial(ours.measure, *case.command), "theirs": partial(theirs.measure, *case.command)}
            if bounds is not None:
                sides |= {name: partial(ours.measure, name) for name in ("reading", "products")}
            found = in_turn(sides, repeat)
            most = bounds(case, Limits(found["reading"], found["products"])) if bounds is not None else None
            name = f"{model}, {case.name} ({peer})"
            figures.append(Figure(name, found["ours"], "tok/s", case.wanted, found["theirs"], bounds=most))
    return figures
