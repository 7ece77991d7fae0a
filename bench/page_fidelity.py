"""What int8 pages change: how far distributions are from float32, and how many greedy texts stay as they are.

    python -m bench.page_fidelity [--backend cpu] [--models smollm2 gemma3] [--positions 300] [--json FILE]

Kullback-Leibler divergence from the NumPy oracle over the first positions of ``tests/data/alice.txt``, with 16-bit and
with int8 pages; and greedy continuations from each page of that text, and of this project's own, behind 4,096 tokens,
over int8 pages against the same over 16-bit ones (the context's own pages are of that type, too). Int8 pages are safe
where the divergence is at most 1.5 times that of 16-bit pages and 95 of 100 texts are the same; the exit status says
whether they are.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from bench.engine_cpu import PAGE, Engine
from bench.measure import progress
from mlxr.metal.backend import Backend
from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.cache import NumberType
from mlxr.metal.select import select_backend
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.loading import LoadedModel, load_model
from mlxr.models.tokenizers import load_gguf
from tests.models import model_path
from tests.oracle.fidelity import TEXT, measure

DEPTH = 4096
TEXTS, TOGETHER, CHUNK = 100, 10, 512
FARTHEST, FEWEST = 1.5, 95
"""How many times the divergence of 16-bit pages, and how many texts that stay, are still safe."""

READ = (TEXT, Path(__file__).parents[1] / "docs" / "architecture.md")

Tokens = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Found:
    """Divergences in nats; ``equal``: of ``texts`` of ``tokens`` each; ``flips``: the share of tokens that differ."""

    divergence_16bit: float
    divergence_int8: float
    texts: int
    tokens: int
    equal: int
    flips: float

    @property
    def ratio(self) -> float:
        return self.divergence_int8 / self.divergence_16bit

    @property
    def safe(self) -> bool:
        return self.ratio <= FARTHEST and self.equal * 100 >= FEWEST * self.texts


def main() -> int:
    arguments = parse()
    backend, _ = select_backend(arguments.backend, arguments.threads)
    found = {name: measured(name, backend, arguments.positions, arguments.tokens) for name in arguments.models}
    for name, one in found.items():
        print(
            f"{name}, {backend.name}: {one.divergence_16bit:.2e} nats with 16-bit pages, {one.divergence_int8:.2e} "
            f"with int8 ({one.ratio:.1f} times), {one.equal} of {one.texts} texts of {one.tokens} tokens are the same, "
            f"{one.flips:.2%} of tokens are others: {'safe' if one.safe else 'not safe'}"
        )
    report = {name: {"backend": backend.name, **asdict(one), "safe": one.safe} for name, one in found.items()}
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    return int(not all(one.safe for one in found.values()))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="cpu", help="auto, mlx, cpu or reference")
    parser.add_argument("--models", nargs="+", default=["smollm2", "gemma3"])
    parser.add_argument("--positions", type=int, default=300, help="of the divergence")
    parser.add_argument("--tokens", type=int, default=32, help="of a continuation")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def measured(name: str, backend: Backend, positions: int, tokens: int) -> Found:
    path = model_path(name)
    divergences, texts = {}, {}
    for type in NumberType:
        progress(f"{name}, {type} pages")
        divergences[type] = measure(path, backend, positions, pages=type).mean
        texts[type] = continuations(load_model(path, backend), backend, path, type, tokens)
    same = texts[NumberType.HALF] == texts[NumberType.INT8]
    # What follows the first token that differs is another text.
    first = np.cumprod(same, axis=1).all(axis=1)
    return Found(
        divergences[NumberType.HALF],
        divergences[NumberType.INT8],
        len(same),
        tokens,
        int(first.sum()),
        float(1 - same.mean()),
    )


def continuations(model: LoadedModel, backend: Backend, path: Path, type: NumberType, length: int) -> Tokens:
    """Greedy tokens ``[TEXTS, length]`` behind 4,096 tokens of text and each page more: as forks of one sequence."""
    shared = DEPTH // PAGE + TEXTS
    own = -(-length // PAGE) + 1
    text = load_gguf(GGUFFile.open(path).metadata).encode("\n".join(part.read_text() for part in READ))
    assert len(text) >= shared * PAGE
    text = text[: shared * PAGE]
    engine = Engine(backend, model, 1, (shared + TOGETHER * own) * PAGE, type)
    for start in range(0, len(text), CHUNK):
        part = np.array(text[start : start + CHUNK], np.int32)
        mx.eval(engine.step(mx.array(part), engine.batch(1, start, len(part))))
    out = []
    for group in range(0, TEXTS, TOGETHER):
        starts = DEPTH + PAGE * np.arange(group, group + TOGETHER, dtype=np.int32)
        # The token before is computed once more, and so its page is each text's own.
        tables = np.zeros((TOGETHER, shared + own), np.int32)
        for row, begin in enumerate(starts):
            pages = begin // PAGE
            tables[row, :pages] = np.arange(pages)
            tables[row, pages : pages + own] = shared + row * own + np.arange(own)
        last = np.array([text[start] for start in starts], np.int32)
        tokens, said = mx.array(last), []
        for index in range(length):
            tokens = engine.step(tokens, _one_each(engine, tables, starts + index))
            said.append(tokens)
        out.append(np.stack([np.array(one) for one in said], axis=1))
    return np.concatenate(out)


def _one_each(engine: Engine, tables: Tokens, positions: Tokens) -> Batch:
    """A step of one token each."""
    rows = np.arange(len(positions))
    slots = (tables[rows, positions // PAGE] * PAGE + positions % PAGE).astype(np.int32)
    starts = np.arange(len(positions) + 1, dtype=np.int32)
    groups = tuple(GroupTables(slots, tables, PAGE) for _ in engine.pool.spec.groups)
    return Batch(starts, (positions + 1).astype(np.int32), positions.astype(np.int32), groups)


if __name__ == "__main__":
    sys.exit(main())
