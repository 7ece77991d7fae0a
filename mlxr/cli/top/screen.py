"""The screen of ``mlxr top``: a snapshot as lines that fit a terminal."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.text import Text

import mlxr
from mlxr.cli.printing import Column, table_lines
from mlxr.cli.top.view import ActorRow, Process, RequestRow, Snapshot
from mlxr.runtime.printable import printable

SPARKS = "▁▂▃▄▅▆▇█"
SORTS = ("age", "tokens", "tok/s", "model")
KEYS = "q quit   p pause   s sort"
LONGEST_NAME = 28
LONGEST_KINDS = 48
WIDE = 80
"""Columns from which on every kind of actor has room."""

_Key = Callable[[RequestRow], tuple[Any, int]]


def as_text(snapshot: Snapshot, now: float) -> str:
    """Returns the screen as plain lines, with every actor and request."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 120
    return "".join(f"{line.plain.rstrip()}\n" for line in lines(snapshot, now, width, None))


def lines(
    snapshot: Snapshot, now: float, width: int, height: int | None, sort: str = SORTS[0], note: str = ""
) -> list[Text]:
    """Returns what a terminal of that size shows; ``height`` None: all there is, and no keys."""
    head = _head(snapshot, now, width, note)
    engines = _section(_ENGINES, _engine_cells(snapshot), width, "no model is loaded")
    foot = [] if height is None else [Text(_fitted(f"{KEYS}: {sort}", width), style="dim")]
    room = None if height is None else height - len(head) - len(engines) - len(foot) - 2
    actors = _section(_ACTORS, _actor_cells(snapshot, width), width, "no actor has told of itself")
    miss = [*_undrafted(snapshot, width), *_last_miss(snapshot, width)]
    left = None if room is None else max(room - len(actors) - len(miss), 2)
    requests = _request_section(snapshot, sort, width, left)
    blank = Text("")
    return [*head, *engines, blank, *actors, blank, *requests, *miss, *foot]


def _head(snapshot: Snapshot, now: float, width: int, note: str) -> list[Text]:
    clock = time.strftime("%H:%M:%S", time.localtime(now))
    first = Text(f"mlxr {mlxr.__version__}", style="bold")
    first.append(f"  {note}" if note else "", style="bold yellow")
    first.append(f"  {printable(snapshot.server)}", style="default not bold")
    first.truncate(max(width - len(clock) - 1, 0))
    first.append(" " * max(width - first.cell_len - len(clock), 1) + clock, style="dim not bold")
    held = sum(process.memory_bytes for process in snapshot.processes)
    cpu = sum(process.cpu_percent for process in snapshot.processes)
    ends = snapshot.outcomes
    parts = [
        f"cpu {cpu:.0f} %",
        f"mem {_bytes(held)}, {snapshot.available_bytes / 1e9:.1f} of {_bytes(snapshot.total_bytes)} free",
        f"{len(snapshot.requests)} open, {ends.get('finished', 0)} done, {ends.get('failed', 0)} failed, "
        f"{ends.get('cancelled', 0)} cancelled",
    ]
    rows = [first, *(Text(_fitted(line, width)) for line in _side_by_side(parts, width))]
    for name, series, style in (("decode", snapshot.decode, "green"), ("prefill", snapshot.prefill, "cyan")):
        value = series[-1] if series else 0.0
        lead = f"{name:<8}{value:>9,.0f} tok/s  "
        line = Text(lead)
        line.append(sparkline(series, width - len(lead) - 12), style=style)
        most = max(series, default=0.0)
        line.append(f"  max {most:,.0f}" if most else "", style="dim")
        rows.append(line)
    return [*rows, Text("")]


def _side_by_side(parts: Sequence[str], width: int) -> list[str]:
    """Returns the parts in as few lines as they fit into."""
    found: list[str] = []
    for part in parts:
        if found and len(found[-1]) + 2 + len(part) <= width:
            found[-1] += f"  {part}"
        else:
            found.append(part)
    return found


def sparkline(series: Sequence[float], width: int) -> str:
    """Returns the latest ``width`` values as bars, against the largest of them."""
    shown = list(series)[-max(width, 0) :] if width > 0 else []
    most = max(shown, default=0.0)
    if most <= 0:
        return SPARKS[0] * len(shown)
    return "".join(SPARKS[min(round(value / most * (len(SPARKS) - 1)), len(SPARKS) - 1)] for value in shown)


_ENGINES = (
    Column("MODEL", rank=0),
    Column("STATE", rank=0),
    Column("RUN", right=True, rank=0),
    Column("WAIT", right=True, rank=1),
    Column("DECODE", right=True, rank=1),
    Column("PREFILL", right=True, rank=2),
    Column("PAGES", right=True, rank=0),
    Column("KEPT", right=True, rank=3),
    Column("CONTEXT", right=True, rank=3),
    Column("MEMORY", right=True, rank=0),
    Column("UP TO", right=True, rank=2),
    Column("PREEMPTED", right=True, rank=4),
    Column("ACCEPTED", right=True, rank=4),
    Column("ON DISK", right=True, rank=4),
    Column("WRITTEN", right=True, rank=5),
    Column("READ", right=True, rank=5),
)
"""PAGES: used ones of all; ACCEPTED: of drafts' tokens, those that were right; ON DISK: pages of all engines there, and
WRITTEN and READ what this one did;
MEMORY: what the engine's own processes hold, and UP TO what weights and pages may take."""

_ACTORS = (
    Column("PROCESS OF", rank=0),
    Column("PID", right=True, rank=1),
    Column("CPU %", right=True, rank=0),
    Column("MEMORY", right=True, rank=0),
    Column("RESTARTS", right=True, rank=2),
)
_REQUESTS = (
    Column("REQUEST", right=True, rank=0),
    Column("STATE", rank=0),
    Column("MODEL", rank=0),
    Column("BY", rank=3),
    Column("PROMPT", right=True, rank=2),
    Column("CACHED", right=True, rank=3),
    Column("TOKENS", right=True, rank=0),
    Column("TOK/S", right=True, rank=0),
    Column("FIRST", right=True, rank=1),
    Column("AGE", right=True, rank=1),
)


def _engine_cells(snapshot: Snapshot) -> list[list[str]]:
    return [
        [
            _name(row.model),
            row.state,
            str(row.running),
            str(row.waiting),
            f"{row.decode:,.0f}",
            f"{row.prefill:,.0f}",
            f"{row.pages_used:,}/{row.pages_total:,}",
            f"{row.pages_cached:,}",
            f"{row.context:,}",
            _bytes(held) if (held := snapshot.held_by(row.engine)) else "",
            _bytes(row.memory_bytes),
            str(row.preemptions),
            "" if row.accepted is None else f"{row.accepted:.0%}",
            f"{_bytes(row.disk_bytes)}{', failing' if row.disk_failing else ''}" if row.disk_quota else "",
            _bytes(row.disk_written_bytes) if row.disk_written_bytes else "",
            _bytes(row.disk_read_bytes) if row.disk_read_bytes else "",
        ]
        for row in snapshot.engines
    ]


def _actor_cells(snapshot: Snapshot, width: int) -> list[list[str]]:
    """Returns a process a line, with the actors in it: an engine's executor has one, and all others are together."""
    processes = {process.pid: process for process in snapshot.processes}
    by_process: dict[int, list[ActorRow]] = {}
    for row in snapshot.actors:
        by_process.setdefault(row.pid, []).append(row)
    sandboxes = [process for pid, process in processes.items() if pid not in by_process]
    cells: list[list[str]] = []
    for pid, rows in by_process.items():
        name = rows[0].actor if len(rows) == 1 else _kinds(rows, width)
        cells.append(
            [
                _name(name, LONGEST_KINDS),
                *_process_cells(pid, processes.get(pid)),
                str(sum(row.restarts for row in rows)),
            ]
        )
    if sandboxes:
        cpu, memory = sum(p.cpu_percent for p in sandboxes), sum(p.memory_bytes for p in sandboxes)
        cells.append(
            [f"({len(sandboxes)} sandbox{'es' if len(sandboxes) > 1 else ''})", "", f"{cpu:.0f}", _bytes(memory), ""]
        )
    return cells


def _kinds(rows: Sequence[ActorRow], width: int) -> str:
    """Returns the kinds of actors that share a process, on a narrow terminal the first with how many there are."""
    kinds = list(dict.fromkeys(row.actor.partition("/")[0] for row in rows))
    return ", ".join(kinds) if width >= WIDE else f"{kinds[0]} and {len(kinds) - 1} more"


def _process_cells(pid: int, process: Process | None) -> list[str]:
    if not pid:
        return ["restarting", "", ""]
    if process is None:
        return [str(pid), "", ""]
    return [str(pid), f"{process.cpu_percent:.0f}", _bytes(process.memory_bytes)]


def _request_section(snapshot: Snapshot, sort: str, width: int, room: int | None) -> list[Text]:
    rows = sorted(snapshot.requests, key=_sort_key(sort))
    shown = rows if room is None or len(rows) < room else rows[: max(room - 2, 0)]
    cells = [
        [
            _shown(row.request),
            row.state,
            _name(row.model),
            row.surface,
            f"{row.prompt_tokens:,}" if row.prompt_tokens else "",
            f"{row.cached_tokens:,}" if row.cached_tokens else "",
            f"{row.completion_tokens:,}" if row.completion_tokens else "",
            f"{row.rate:,.0f}" if row.rate else "",
            f"{row.ttft_seconds:.2f} s" if row.ttft_seconds else "",
            f"{row.seconds:,.1f} s",
        ]
        for row in shown
    ]
    none = f"no request is open{f'; the last failed: {snapshot.last_error}' if snapshot.last_error else ''}"
    section = _section(_REQUESTS, cells, width, none)
    if len(shown) < len(rows):
        section.append(Text(f"and {len(rows) - len(shown)} more", style="dim"))
    return section


def _undrafted(snapshot: Snapshot, width: int) -> list[Text]:
    """Returns a line about each engine that goes without what was to draft."""
    lines = [f"no drafts: {row.model}: {printable(row.undrafted)}" for row in snapshot.engines if row.undrafted]
    return [Text(_fitted(line, width), style="yellow") for line in lines]


def _last_miss(snapshot: Snapshot, width: int) -> list[Text]:
    """Returns a line about the latest prompt that might have been found computed, and was not."""
    if snapshot.last_miss is None:
        return []
    request, why = snapshot.last_miss
    return [Text(_fitted(f"no hit: {_shown(request)}: {printable(why)}", width), style="dim")]


def _shown(request: int) -> str:
    return str(request & 0xFFFFFFFFF)


def _sort_key(sort: str) -> _Key:
    keys: dict[str, _Key] = {
        "age": lambda row: (-row.seconds, row.request),
        "tokens": lambda row: (-row.completion_tokens, row.request),
        "tok/s": lambda row: (-row.rate, row.request),
        "model": lambda row: (row.model, row.request),
    }
    return keys[sort]


def _section(columns: Sequence[Column], cells: list[list[str]], width: int, none: str) -> list[Text]:
    if not cells:
        return [Text(_fitted(printable(none), width), style="dim")]
    head, *rest = table_lines(columns, cells, width)
    return [Text(_fitted(head, width), style="bold"), *(Text(_fitted(line, width)) for line in rest)]


def _name(text: str, most: int = LONGEST_NAME) -> str:
    """Returns a name that leaves room for what stands beside it."""
    text = printable(text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _fitted(line: str, width: int) -> str:
    return line if cell_len(line) <= width else f"{set_cell_size(line, max(width - 1, 0))}…"


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
