"""How far the next-token distributions are from a float32 computation of the same dequantized weights.

    python -m bench.fidelity [--backend reference] [--models smollm2 gemma3] [--positions 600] [--json FILE]

Mean Kullback-Leibler divergence over the first positions of real text (``tests/data/alice.txt``), against the NumPy
oracle in ``tests/oracle``; ``--backend llama.cpp`` measures the peer in the same way. The plain-MLX path is to stay
below 1e-4; the exit status says whether it did.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mlxr.metal.select import select_backend
from tests.models import model_path
from tests.oracle.fidelity import Fidelity, against_oracle, measure, text_tokens

PEER = "llama.cpp"
LIMITS = {"reference": 1e-4}
"""Nats, for the backends that have a limit here."""


def main() -> int:
    arguments = parse()
    results: dict[str, tuple[Fidelity, float]] = {}
    for name in arguments.models:
        began = time.perf_counter()
        if arguments.backend == PEER:
            fidelity = measure_llama_cpp(model_path(name), arguments.positions, arguments.threads)
        else:
            backend, _ = select_backend(arguments.backend, arguments.threads)
            fidelity = measure(model_path(name), backend, arguments.positions)
        results[name] = fidelity, time.perf_counter() - began
    Console().print(table(arguments.backend, results))
    report = {name: {"backend": arguments.backend, **asdict(fidelity)} for name, (fidelity, _) in results.items()}
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    else:
        print(json.dumps(report))
    limit = LIMITS.get(arguments.backend, float("inf"))
    return int(any(fidelity.mean >= limit for fidelity, _ in results.values()))


def measure_llama_cpp(path: Path, positions: int, threads: int) -> Fidelity:
    """llama.cpp's distributions over the same tokens, as it serves them: int8 activations, half-precision cache."""
    from llama_cpp import Llama

    tokens = text_tokens(path, positions)
    threads = threads or os.cpu_count() or 1
    model = Llama(
        str(path), n_ctx=positions, n_threads=threads, n_threads_batch=threads, logits_all=True, verbose=False
    )
    model.eval(tokens)
    return against_oracle(path, tokens, lambda start, end: model.scores[start:end])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="reference", help="auto, mlx, cpu, reference or llama.cpp")
    parser.add_argument("--models", nargs="+", default=["smollm2", "gemma3"])
    parser.add_argument("--positions", type=int, default=600)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the results there instead of printing them as JSON")
    return parser.parse_args()


def table(backend: str, results: dict[str, tuple[Fidelity, float]]) -> Table:
    out = Table(title=f"Divergence of {backend} from float32 NumPy, in nats")
    for column in ("model", "positions", "mean", "worst", "same best token", "seconds"):
        out.add_column(column, justify="left" if column == "model" else "right")
    for name, (fidelity, seconds) in results.items():
        out.add_row(
            name,
            str(fidelity.positions),
            f"{fidelity.mean:.2e}",
            f"{fidelity.worst:.2e}",
            f"{fidelity.agreement:.1%}",
            f"{seconds:.0f}",
        )
    return out


if __name__ == "__main__":
    sys.exit(main())
