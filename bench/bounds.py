"""What the machine allows a model's file, by the roofline that ``mlxr bench`` draws: bytes and products of a step over
what memory and arithmetic do in a second.

llama.cpp multiplies activations of 8 bits, so its products are worth half of ours; and it reads weights as its file has
them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.models import Case, Limits
from mlxr.cli.bench.result import Bound
from mlxr.cli.bench.roofline import Work, decode, prefill
from mlxr.metal.cpu.sizes import CpuSizes
from mlxr.metal.pool import PoolSpec
from mlxr.metal.sizes import BackendSizes, MatrixForm
from mlxr.models.footprint import Footprint
from mlxr.models.loading import read_footprint
from mlxr.runtime.messages.kv import CacheKind

PAGE = 32
STEPS = 32
"""Tokens that a sequence grows by while it is measured, of which the middle one counts."""


class FileSizes:
    """Implements ``mlxr.metal.sizes.BackendSizes`` for who holds matrices as their file has them."""

    name = "file"

    def matrix(self, form: MatrixForm, encoder: bool = False) -> int:
        return form.nbytes

    def table(self, form: MatrixForm) -> int:
        return form.nbytes

    def pool(self, spec: PoolSpec) -> int:
        return CpuSizes().pool(spec)

    def resident(self, spec: PoolSpec) -> int:
        return self.pool(spec)


class Bounds:
    """``used``: of how many experts that a mixture has a token meets how many; (1, 1) where there are none."""

    def __init__(self, path: Path, used: tuple[int, int]) -> None:
        self._used = used
        self._ours, self._theirs = read_footprint(path, CpuSizes()), read_footprint(path, FileSizes())

    def __call__(self, case: Case, limits: Limits) -> tuple[float, float]:
        """Returns tokens a second, ours and llama.cpp's at most."""
        return (
            _tokens(self._work(self._ours, CpuSizes(), case), limits.reading, 2 * limits.products),
            _tokens(self._work(self._theirs, FileSizes(), case), limits.reading, 4 * limits.products),
        )

    def _work(self, footprint: Footprint, sizes: BackendSizes, case: Case) -> Work:
        kind, *numbers = case.command
        rows = int(numbers[0])
        bound = replace(_bound(footprint, sizes), weights=self._weights(footprint, rows))
        if kind == "prefill":
            return prefill(bound, rows)
        return decode(bound, int(numbers[1]) + STEPS // 2, rows)

    def _weights(self, footprint: Footprint, rows: int) -> int:
        """Bytes that a step of so many rows reads: of a mixture what all of its experts have that one of them meets,
        if each chooses for itself."""
        used, experts = self._used
        one = used / experts
        return round(footprint.read + footprint.experts * (1 - (1 - one) ** rows - one))


def _bound(footprint: Footprint, sizes: BackendSizes) -> Bound:
    groups = []
    for group in footprint.groups:
        page = sizes.pool(PoolSpec.even((group,), 1, PAGE))
        state = group.kind is CacheKind.STATE
        groups.append((0, 2 * page, 0) if state else (page // PAGE, 0, group.window or 0))
    return Bound(
        bandwidth=0.0,
        weights=footprint.read,
        groups=tuple(groups),
        operations=2 * footprint.read_numbers,
        head_operations=2 * footprint.vocabulary * footprint.width,
        attention=footprint.attention,
    )


def _tokens(work: Work, bandwidth: float, arithmetic: float) -> float:
    return work.tokens / work.seconds(bandwidth, arithmetic)
