"""The figures as a picture, drawn by matplotlib, which is installed only where somebody wants one."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlxr.cli.bench.result import Point, Result
from mlxr.runtime.errors import StartError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES = (7.0, 10.5)
DPI = 160
INK, PALE, GRID = "#1f2430", "#6b7280", "#e5e7eb"
BLUE, GREEN, ORANGE = "#2563eb", "#059669", "#d97706"


def require() -> None:
    """Raises ``StartError`` where matplotlib is missing."""
    if importlib.util.find_spec("matplotlib") is None:
        raise StartError("--plot draws with matplotlib, which is not installed: pip install 'mlxr[plot]' gets it")


def draw(result: Result, file: Path) -> None:
    """Draws three panels, one below the other, so that they are readable on a phone: decode and prefill over context,
    decode over batch. Raises ``StartError`` for a file that can't be written."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=INCHES, dpi=DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    decode, prefill, batch = figure.subplots(3, 1)
    contexts = [point.context for point in result.contexts]
    _panel(decode, "Decode, one answer", "tokens of context", contexts)
    _bound(decode, result.contexts, contexts)
    _line(decode, contexts, [point.decode for point in result.contexts], BLUE, "measured")
    _panel(prefill, "Prefill, one prompt", "tokens of context", contexts)
    _line(prefill, contexts, [point.prefill or 0.0 for point in result.contexts], GREEN, "measured")
    batches = [point.batch for point in result.batches]
    at = result.batches[0].context if result.batches else 0
    _panel(batch, f"Decode, answers at once, {at:,} tokens of context", "answers at once", batches)
    _bound(batch, result.batches, batches)
    _line(batch, batches, [point.decode for point in result.batches], ORANGE, "measured, all together")
    for axes in (decode, prefill, batch):
        axes.legend(frameon=False, fontsize=11, labelcolor=INK, loc="best")
    figure.suptitle(_title(result), fontsize=15, color=INK, fontweight="bold")
    try:
        figure.savefig(file)
    except OSError as error:
        raise StartError(f"can't write {file}: {error.strerror}") from error


def _title(result: Result) -> str:
    about = ", ".join(part for part in (result.model, result.parameters, result.quantization) if part)
    bandwidth = f", {result.bound.bandwidth / 1e9:.0f} GB/s" if result.bound else ""
    return f"{about}\n{result.machine}{bandwidth}"


def _panel(axes: Axes, title: str, below: str, ticks: Sequence[int]) -> None:
    axes.set_title(title, fontsize=13, color=INK, loc="left")
    axes.set_xlabel(below, fontsize=12, color=PALE)
    axes.set_ylabel("tokens a second", fontsize=12, color=PALE)
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [_short(tick) for tick in ticks], fontsize=11, color=INK)
    axes.minorticks_off()
    axes.tick_params(axis="y", labelsize=11, labelcolor=INK, length=0)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.grid(color=GRID, linewidth=1)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)


def _line(axes: Axes, at: Sequence[int], values: Sequence[float], color: str, label: str) -> None:
    axes.plot(at, values, color=color, linewidth=2.5, marker="o", markersize=7, label=label)
    most = max([*values, axes.get_ylim()[1] if axes.lines[:-1] else 0.0])
    axes.set_ylim(0, most * 1.18)
    for x, y in zip(at, values, strict=True):
        axes.annotate(
            f"{y:,.0f}",
            (x, y),
            textcoords="offset points",
            xytext=(0, 9),
            ha="center",
            fontsize=11,
            color=color,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.85},
        )


def _bound(axes: Axes, points: Sequence[Point], at: Sequence[int]) -> None:
    bounds = [point.bound for point in points]
    if all(bound is not None for bound in bounds):
        values = [bound or 0.0 for bound in bounds]
        (line,) = axes.plot(at, values, color=PALE, linewidth=2, linestyle=(0, (4, 3)), label="what the memory allows")
        if len(values) == 1:  # a line of one point is none
            line.set(marker="_", markersize=60, markeredgewidth=2)
        axes.set_ylim(0, max(values) * 1.05)


def _short(count: int) -> str:
    return f"{count // 1024}k" if count >= 1024 and count % 1024 == 0 else f"{count:,}"
