"""Run benchmarks: ``python -m bench [NAME ...]``; all of them without a name.

Prints a table for each and writes all figures as JSON. ``bench/README.md`` says what they mean.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from bench.machine import Machine
from bench.measure import REPEAT, progress
from bench.report import Report

BENCHMARKS = {
    "runtime": "bench.runtime_cost",
    "models": "bench.models",
    "shapes": "bench.shapes",
    "page_types": "bench.page_types",
    "long_context": "bench.long_context",
    "tiers": "bench.tiers",
    "adapters": "bench.adapters",
    "speculation": "bench.speculation",
    "matmul": "bench.matmul",
    "http": "bench.http",
    "size": "bench.size",
    "quantize": "bench.quantize",
    "surfaces": "bench.surfaces",
    "loads": "bench.loads",
    "soak": "bench.soak",
    "gpu": "bench.gpu",
}
"""Modules with a function ``benchmark(repeat) -> Report``, in the order they run."""
ASKED_FOR = ("soak",)
"""What runs only where it is named: it measures nothing, and takes five minutes."""

WIDTH = 120

RESULTS = Path(__file__).parent / "results" / "latest.json"


def main() -> int:
    arguments = parse()
    console, machine = Console(width=WIDTH), Machine.here()
    console.print(f"[bold]{machine}[/]")
    reports: dict[str, Report] = {}
    for name in arguments.names or [name for name in BENCHMARKS if name not in ASKED_FOR]:
        progress(f"{name}:")
        report = importlib.import_module(BENCHMARKS[name]).benchmark(2 if arguments.quick else REPEAT)
        reports[name] = report
        console.print(report.table())
        write(arguments.json, machine, reports)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*BENCHMARKS, []], help=", ".join(BENCHMARKS))
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the figures go (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="medians of two runs, for a first look")
    return parser.parse_args()


def write(path: Path, machine: Machine, reports: dict[str, Report]) -> None:
    """After every benchmark, so that one that fails loses nothing of those before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {name: report.as_json() for name, report in reports.items()}
    taken = datetime.now(UTC).isoformat(timespec="seconds")
    path.write_text(json.dumps({"taken": taken, "machine": asdict(machine), "benchmarks": found}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
