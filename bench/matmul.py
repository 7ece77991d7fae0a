"""One matrix product of 4096 x 4096 for every storage type, with one row and with 64, against ggml's."""

from __future__ import annotations

from functools import partial

from bench.measure import REPEAT, in_turn, progress
from bench.models import THREADS
from bench.peers.matrices import SIZE
from bench.peers.worker import Worker, importable
from bench.report import Figure, Report

TYPES = (
    "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS", "F16", "BF16",
    "F32",
)  # fmt: skip
"""Those that ggml multiplies too. Q8_K, FP8 and NF4 are ours alone."""

OWN_TYPES = ("Q8_K",)
ROWS = (1, 64)


def benchmark(repeat: int = REPEAT) -> Report:
    report = Report(f"Microseconds of a product of {SIZE} x {SIZE}, {THREADS} threads: ours against ggml's")
    if not importable("llama_cpp"):
        report.notes.append("ggml is not installed (pip install llama-cpp-python)")
        return report
    with (
        Worker("bench.peers.our_matmul", str(THREADS)) as ours,
        Worker("bench.peers.ggml", str(THREADS)) as theirs,
    ):
        for type in (*TYPES, *OWN_TYPES):
            for rows in ROWS:
                progress(f"{type}, {rows} rows")
                sides = {"ours": partial(ours.measure, "product", type, rows)}
                if type in TYPES:
                    sides["theirs"] = partial(theirs.measure, "product", type, rows)
                found = in_turn(sides, repeat)
                wanted = 1.0 if type in TYPES else None
                name = f"{type}, {rows} row{'s' if rows > 1 else ''}"
                report.figures.append(Figure(name, found["ours"], "us", wanted, found.get("theirs"), lower=True))
    return report
