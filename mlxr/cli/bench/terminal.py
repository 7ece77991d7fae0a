"""The figures as tables, and as bars where there is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mlxr.cli.bench.result import Point, Result
from mlxr.cli.bench.roofline import Roofline
from mlxr.cli.printing import Column, is_terminal, print_facts, print_table, remark, terminal_width

PARTS = " ▏▎▍▌▋▊▉█"
BAR_CELLS = 32

CONTEXTS = (
    Column("CONTEXT", right=True, rank=0),
    Column("PREFILL TOK/S", right=True, rank=0),
    Column("DECODE TOK/S", right=True, rank=0),
    Column("BOUND", right=True, rank=1),
    Column("REACHED", right=True, rank=1),
    Column("", rank=2),
)
BATCHES = (
    Column("ANSWERS", right=True, rank=0),
    Column("TOGETHER TOK/S", right=True, rank=0),
    Column("EACH TOK/S", right=True, rank=0),
    Column("BOUND", right=True, rank=1),
    Column("REACHED", right=True, rank=1),
    Column("", rank=2),
)

ROOFLINE = (
    Column("WHAT", rank=0),
    Column("MEASURED TOK/S", right=True, rank=0),
    Column("BOUND", right=True, rank=0),
    Column("REACHED", right=True, rank=0),
    Column("BOUND BY", rank=1),
    Column("MB READ", right=True, rank=2),
    Column("GFLOP", right=True, rank=2),
)


def show(result: Result) -> None:
    bound = result.bound
    print_facts(
        [
            ("model", ", ".join(part for part in (result.model, result.parameters, result.quantization) if part)),
            ("machine", result.machine),
            (
                "bound",
                f"{bound.bandwidth / 1e9:.1f} GB/s, {bound.weights / 1e6:,.0f} MB of weights a token" if bound else "",
            ),
            ("runs", f"medians of {result.repeat}" if result.repeat > 1 else "one of each"),
        ]
    )
    print()
    bars = _bars([point.decode for point in result.contexts])
    print_table(
        CONTEXTS,
        [
            [f"{point.context:,}", f"{point.prefill or 0:,.0f}", f"{point.decode:,.1f}", *_against(point), bar]
            for point, bar in zip(result.contexts, bars, strict=True)
        ],
    )
    print()
    bars = _bars([point.decode for point in result.batches])
    print_table(
        BATCHES,
        [
            [str(point.batch), f"{point.decode:,.1f}", f"{point.decode / point.batch:,.1f}", *_against(point), bar]
            for point, bar in zip(result.batches, bars, strict=True)
        ],
    )
    if result.stopped:
        remark(result.stopped)


def show_roofline(found: Roofline) -> None:
    print_facts(
        [
            ("model", found.model),
            ("machine", found.machine),
            ("memory", f"{found.bandwidth / 1e9:,.1f} GB/s, measured"),
            ("arithmetic", f"{found.arithmetic / 1e9:,.0f} GFLOP/s, measured"),
        ]
    )
    print()
    print_table(
        ROOFLINE,
        [
            [
                line.what,
                f"{line.measured:,.1f}",
                f"{line.bound:,.1f}",
                f"{line.share:.0%}",
                line.bound_by,
                f"{line.nbytes / 1e6:,.1f}",
                f"{line.operations / 1e9:,.2f}",
            ]
            for line in found.lines
        ],
    )
    if any(line.share > 1 for line in found.lines):
        remark("more than the bound was reached: the machine was busier when it was measured than it is now")


def _against(point: Point) -> tuple[str, str]:
    if point.bound is None or point.share is None:
        return "", ""
    return f"{point.bound:,.0f}", f"{point.share:.0%}"


def _bars(values: Sequence[float]) -> list[str]:
    """Returns a bar for each value, against the largest; none where nobody looks."""
    width = terminal_width(sys.stdout)
    if not is_terminal(sys.stdout) or width is None:
        return ["" for _ in values]
    most = max(values, default=0.0) or 1.0
    return [bar(value / most, min(BAR_CELLS, max(width - 60, 8))) for value in values]


def bar(share: float, cells: int) -> str:
    """Returns a bar of that share of ``cells``, to an eighth of a cell."""
    eighths = round(min(max(share, 0.0), 1.0) * cells * 8)
    rest = PARTS[eighths % 8] if eighths % 8 else ""
    return PARTS[8] * (eighths // 8) + rest
