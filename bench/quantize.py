"""Quantizing beside llama.cpp's own quantizer: the same source, the same cores, the same bytes."""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.measure import REPEAT, progress
from bench.models import THREADS
from bench.report import Figure, Report
from mlxr.models.quantization.encoding import write_model
from mlxr.models.quantization.file_types import file_type
from mlxr.models.quantization.quantize import Model, plan
from tests.models import model_path

TYPES = ("Q8_0", "Q4_0", "Q4_K_M", "Q5_K_S", "Q6_K", "Q2_K", "IQ4_NL")


def benchmark(repeat: int = REPEAT) -> Report:
    report = Report(f"Quantizing Gemma 3 270M from F16, {THREADS} threads, against llama.cpp")
    peer = importlib.util.find_spec("llama_cpp") is not None
    if not peer:
        report.notes.append("llama-cpp-python is not installed: nothing to compare with")
    with tempfile.TemporaryDirectory(prefix="mlxr-bench-") as folder:
        source = Path(folder) / "f16.gguf"
        ours(model_path("gemma3"), source, "F16")
        for type in TYPES:
            progress(f"quantizing to {type}")
            times: dict[bool, list[float]] = {True: [], False: []}
            for run in range(repeat + 1):
                for own in (True, False) if peer else (True,):
                    target = Path(folder) / ("ours" if own else "theirs")
                    took = ours(source, target, type) if own else theirs(source, target, type)
                    if run:
                        times[own].append(took)
            found = statistics.median(times[True])
            other = statistics.median(times[False]) if peer else None
            report.figures.append(Figure(type, found, "s", 1.0 if peer else None, other, lower=True))
    return report


def ours(source: Path, target: Path, type: str) -> float:
    """Returns the seconds from opening the source to the last byte."""
    begun = time.perf_counter()
    made = plan(Model.of_gguf(source), file_type(type), requantize=True)
    with target.open("wb") as file:
        write_model(file, made.pairs, made.outputs, THREADS, lambda done, total: None)
    return time.perf_counter() - begun


def theirs(source: Path, target: Path, type: str) -> float:
    """Returns the same of ``llama_model_quantize``, in a process of its own: one can hold one ggml."""
    command = [
        sys.executable,
        "-m",
        "tests.peers.llama_quantize",
        str(source),
        str(target),
        str(file_type(type).number),
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(run.stdout.splitlines()[-1])
