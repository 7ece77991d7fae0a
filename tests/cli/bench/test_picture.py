"""The picture of a measurement."""

from __future__ import annotations

from matplotlib.figure import Figure

from mlxr.cli.bench.picture import _bound
from mlxr.cli.bench.result import Point


def test_what_the_memory_allows_is_seen_where_one_context_was_measured() -> None:
    axes = Figure().subplots()
    _bound(axes, [Point(context=512, batch=1, prefill=None, decode=7.0, bound=145.0)], [512])
    (line,) = axes.lines
    assert (list(line.get_ydata()), line.get_marker()) == ([145.0], "_")
