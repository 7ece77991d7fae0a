"""What adapters cost: the bare engine on CPU with adapters of rank 16 on every matrix that they can be for, against the
same model without."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from bench.engine_cpu import Engine
from bench.measure import REPEAT, in_turn, progress
from bench.models import THREADS
from bench.report import Figure, Report
from mlxr.metal.adapters import AdapterStack, AdapterUse, LowRank
from mlxr.metal.batch import Batch
from mlxr.metal.cpu.backend import CpuBackend
from mlxr.models.loading import LoadedModel, load_model
from tests.models import model_path

RANK, SEQUENCES, DEPTH, STEPS, PROMPT = 16, 16, 64, 16, 512
MOST_COST = 0.9
"""With adapters a batch is to be no more than a tenth slower."""
MODELS = {"smollm2": "SmolLM2-135M Q4_1", "gemma3": "Gemma-3-270M Q4_K_M"}


class AdaptedEngine(Engine):
    """``stacks``: the adapters of each sequence, by turns."""

    stacks: tuple[AdapterStack, ...] = ()

    def batch(self, sequences: int, before: int, new: int) -> Batch:
        plain = super().batch(sequences, before, new)
        if not self.stacks:
            return plain
        return replace(plain, adapters=tuple(self.stacks[index % len(self.stacks)] for index in range(sequences)))


def benchmark(repeat: int = REPEAT) -> Report:
    report = Report(f"Adapters of rank {RANK} on all seven matrices, against the model without")
    for name, title in MODELS.items():
        backend = CpuBackend(THREADS)
        model = load_model(model_path(name), backend)
        adapters = [random_adapter(model, backend, seed) for seed in range(SEQUENCES)]
        one: list[AdapterStack] = [(AdapterUse(adapters[0], 1.0),)]
        many: list[AdapterStack] = [(AdapterUse(adapter, 1.0),) for adapter in adapters]
        two: list[AdapterStack] = [(AdapterUse(adapters[0], 1.0), AdapterUse(adapters[1], 0.5))]
        cases: dict[str, tuple[list[AdapterStack], int]] = {
            f"{SEQUENCES} sequences, one adapter": (one, SEQUENCES),
            f"{SEQUENCES} sequences, every other with an adapter": ([*one, ()], SEQUENCES),
            f"{SEQUENCES} sequences, 4 adapters": (many[:4], SEQUENCES),
            f"{SEQUENCES} sequences, {SEQUENCES} adapters": (many, SEQUENCES),
            f"{SEQUENCES} sequences, two adapters each": (two, SEQUENCES),
            "one sequence": (one, 1),
        }
        for case, (stacks, sequences) in cases.items():
            progress(f"{title}, {case}")
            wanted = MOST_COST if stacks is one and sequences > 1 else None
            run = partial(decode, backend, model, sequences)
            report.figures.append(figure(f"{title}, {case}", run, stacks, repeat, wanted))
        progress(f"{title}, prompt")
        run = partial(prefill, backend, model)
        report.figures.append(figure(f"{title}, prompt of {PROMPT}", run, one, repeat, None))
    return report


def figure(name: str, run: Any, stacks: list[AdapterStack], repeat: int, wanted: float | None) -> Figure:
    with_it, without = run(stacks), run([])
    found = in_turn({"adapted": with_it, "base": without}, repeat)
    return Figure(name, found["adapted"], "tok/s", wanted, found["base"])


def decode(backend: CpuBackend, model: LoadedModel, sequences: int, stacks: list[AdapterStack]) -> Any:
    engine = AdaptedEngine(backend, model, sequences, DEPTH + STEPS + 1)
    engine.stacks = tuple(stacks)
    return partial(engine.decode, sequences, DEPTH, STEPS)


def prefill(backend: CpuBackend, model: LoadedModel, stacks: list[AdapterStack]) -> Any:
    engine = AdaptedEngine(backend, model, 1, PROMPT)
    engine.stacks = tuple(stacks)
    return partial(engine.prefill, PROMPT)


def random_adapter(model: LoadedModel, backend: CpuBackend, seed: int) -> Any:
    assert model.adapter_base is not None
    random = np.random.default_rng(seed)

    def part(outputs: int, inputs: int) -> LowRank:
        down = random.standard_normal((RANK, inputs), np.float32) / np.float32(inputs**0.5)
        return LowRank(down, random.standard_normal((outputs, RANK), np.float32) * np.float32(0.01))

    return backend.adapter(
        {place: backend.low_rank(part(*shape)) for place, shape in model.adapter_base.places.items()}
    )
