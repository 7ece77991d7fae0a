"""How often the CPU kernels write the very text that a float32 computation of the same weights writes.

    python -m bench.greedy [--models smollm2 gemma3] [--continuations 100] [--tokens 64] [--json FILE]

Passages of real text (``tests/data/alice.txt``) are continued greedily by the kernels; the NumPy oracle in
``tests/oracle`` then says, over prompt and continuation at once, whether it would have chosen each of these tokens. It
would have written the same text exactly if it agrees with all of them. ``--reference`` asks the backend of plain MLX
operations instead, whose distributions are the oracle's within 1e-10 nats and which takes ten times as long. At least
95 % of the continuations must be equal; the exit status says whether they are.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.engine_cpu import Engine
from mlxr.metal.cpu.backend import CpuBackend
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.loading import load_model
from mlxr.models.tokenizers import load_gguf
from tests.models import model_path
from tests.oracle.fidelity import TEXT
from tests.oracle.models import oracle

PROMPT = 48
"""Tokens; passages begin at equal distances and may overlap."""

TOGETHER = 10
WANTED = 0.95

Tokens = NDArray[np.integer]
Choose = Callable[[Tokens, Tokens], Tokens]
"""The most likely token after each of the given positions of a text."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """``equal`` of ``continuations`` are the same text; ``flips``: share of tokens that are not float32's choice."""

    continuations: int
    tokens: int
    equal: int
    flips: float


def main() -> int:
    arguments = parse()
    results: dict[str, Agreement] = {}
    for name in arguments.models:
        began = time.perf_counter()
        results[name] = measure(
            model_path(name), arguments.continuations, arguments.tokens, arguments.threads, arguments.reference
        )
        print(f"  {name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    Console().print(table(results))
    report = {name: asdict(agreement) for name, agreement in results.items()}
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    else:
        print(json.dumps(report))
    return int(any(agreement.equal < WANTED * agreement.continuations for agreement in results.values()))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["smollm2", "gemma3"])
    parser.add_argument("--continuations", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--reference", action="store_true", help="plain MLX operations instead of NumPy")
    parser.add_argument("--json", type=Path, help="write the results there instead of printing them as JSON")
    return parser.parse_args()


def measure(path: Path, continuations: int, length: int, threads: int, reference: bool) -> Agreement:
    tokens = np.array(load_gguf(GGUFFile.open(path).metadata).encode(TEXT.read_text()), np.int32)
    starts = np.linspace(0, len(tokens) - PROMPT, continuations).astype(int)
    prompts = np.stack([tokens[start : start + PROMPT] for start in starts])
    texts = continue_greedily(path, prompts, length, threads)
    choose = reference_choices(path, PROMPT + length) if reference else oracle_choices(path)
    same = agrees(choose, prompts, texts)
    return Agreement(continuations, length, int(same.all(axis=1).sum()), float(1 - same.mean()))


def continue_greedily(path: Path, prompts: Tokens, length: int, threads: int) -> Tokens:
    """The kernels' continuations ``[prompts, length]``."""
    backend = CpuBackend(threads)
    engine = Engine(backend, load_model(path, backend), TOGETHER, PROMPT + length)
    out = []
    for start in range(0, len(prompts), TOGETHER):
        part = prompts[start : start + TOGETHER]
        step = engine.step(mx.array(part.reshape(-1)), engine.batch(len(part), 0, PROMPT))
        written = [step]
        for index in range(length - 1):
            step = engine.step(step, engine.batch(len(part), PROMPT + index, 1))
            written.append(step)
        out.append(np.stack([np.array(tokens) for tokens in written], axis=1))
    return np.concatenate(out)


def agrees(choose: Choose, prompts: Tokens, texts: Tokens) -> NDArray[np.bool_]:
    """Whether each token of ``texts`` ``[prompts, length]`` is what ``choose`` puts there."""
    rows = np.arange(PROMPT - 1, PROMPT + texts.shape[1] - 1)
    pairs = zip(prompts, texts, strict=True)
    return np.stack([choose(np.concatenate([prompt, text[:-1]]), rows) == text for prompt, text in pairs])


def oracle_choices(path: Path) -> Choose:
    truth = oracle(path)
    return lambda tokens, rows: truth.logits(truth.hidden(tokens.tolist())[rows]).argmax(axis=-1)


def reference_choices(path: Path, length: int) -> Choose:
    backend = ReferenceBackend()
    engine = Engine(backend, load_model(path, backend), 1, length)

    def choose(tokens: Tokens, rows: Tokens) -> Tokens:
        hidden = engine.model.forward(mx.array(tokens), engine.batch(1, 0, len(tokens)), engine.pool)
        chosen = mx.argmax(engine.model.logits(hidden, mx.array(rows)), axis=-1)
        mx.eval(chosen, *backend.barrier(engine.pool))
        return np.array(chosen)

    return choose


def table(results: dict[str, Agreement]) -> Table:
    out = Table(title="Greedy continuations by the CPU kernels and in float32")
    for column in ("model", "continuations", "tokens each", "equal", "tokens that differ"):
        out.add_column(column, justify="left" if column == "model" else "right")
    for name, agreement in results.items():
        share = f"{agreement.equal / agreement.continuations:.0%}"
        out.add_row(name, str(agreement.continuations), str(agreement.tokens), share, f"{agreement.flips:.3%}")
    return out


if __name__ == "__main__":
    sys.exit(main())
