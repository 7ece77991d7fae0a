"""Measured figures beside what they should reach, as a table and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number, ``ours`` in ``unit``. ``lower``: less is better.

    ``wanted`` is a value in the same unit, or, where a peer was measured beside it, how many times better than
    ``theirs`` it should be; None where the figure is only for information. ``bounds``: what this machine allows each
    side at most, where that is known.
    """

    name: str
    ours: float
    unit: str
    wanted: float | None = None
    theirs: float | None = None
    lower: bool = False
    bounds: tuple[float, float] | None = None

    @property
    def shares(self) -> tuple[float, float] | None:
        """The parts of their bounds that both sides reach."""
        if self.bounds is None or self.theirs is None:
            return None
        return self.ours / self.bounds[0], self.theirs / self.bounds[1]

    @property
    def ratio(self) -> float | None:
        """How many times better than the peer, or than what is wanted."""
        base = self.theirs if self.theirs is not None else self.wanted
        if not base or not self.ours:
            return None
        return base / self.ours if self.lower else self.ours / base

    @property
    def met(self) -> bool | None:
        if self.wanted is None or self.ratio is None:
            return None
        return self.ratio >= (self.wanted if self.theirs is not None else 1.0)


@dataclass(slots=True)
class Report:
    """What one benchmark found. ``notes``: what a reader must know of this run, such as a peer that is missing."""

    title: str
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def table(self) -> Table:
        table = Table(title=self.title, caption="\n".join(self.notes) or None, title_justify="left")
        bounded = any(figure.shares for figure in self.figures)
        columns = ["what", "ours", "theirs", "ratio", "wanted", ""]
        for column in columns + ["bound", "of it, of theirs"] * bounded:
            table.add_column(column, justify="left" if column == "what" else "right", no_wrap=column != "what")
        for figure in self.figures:
            table.add_row(*_cells(figure), *(_bound_cells(figure) if bounded else ()))
        return table

    def as_json(self) -> dict[str, Any]:
        figures = [
            {**asdict(figure), "ratio": figure.ratio, "met": figure.met, "shares": figure.shares}
            for figure in self.figures
        ]
        return {"title": self.title, "notes": self.notes, "figures": figures}


def _cells(figure: Figure) -> list[str]:
    mark = {True: "[green]met[/]", False: "[red]missed[/]", None: ""}[figure.met]
    return [
        figure.name,
        f"{_number(figure.ours)} {figure.unit}",
        f"{_number(figure.theirs)} {figure.unit}" if figure.theirs is not None else "",
        _ratio(figure.ratio),
        _wanted(figure),
        mark,
    ]


def _ratio(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{ratio:.2f}x" if ratio < 100 else "> 100x"


def _wanted(figure: Figure) -> str:
    if figure.wanted is None:
        return ""
    if figure.theirs is not None:
        return f"{figure.wanted:g}x"
    return f"{'<' if figure.lower else '>'} {_number(figure.wanted)} {figure.unit}"


def _bound_cells(figure: Figure) -> tuple[str, str]:
    if figure.bounds is None or figure.shares is None:
        return "", ""
    ours, theirs = figure.shares
    return f"{_number(figure.bounds[0])} {figure.unit}", f"{ours:.0%}, {theirs:.0%}"


def _number(value: float) -> str:
    """Three figures or more, as many as tell runs apart."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3g}"
