"""``python -m tests.fuzz [KIND ...]``: read hostile inputs of every kind, and say what went wrong.

Bounded by cases (``--share`` of a whole run's) and by time. Ends with 1 where anything was found; the inputs lie in
``build/fuzz``, and ``--repeat FILE`` reads one again, in this process.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.fuzz.child import kind_named
from tests.fuzz.parent import NAMES, Parent, Report


def main() -> int:
    arguments = parse()
    if arguments.repeat:
        return repeat(arguments.kinds, arguments.repeat)
    names = arguments.kinds or NAMES
    wanted = {name: max(1, int((arguments.cases or kind_named(name).CASES) * arguments.share)) for name in names}
    reports = Parent(arguments.seed, arguments.seconds, arguments.jobs).run(wanted)
    show(reports, arguments.seed)
    return int(any(report.findings for report in reports))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", choices=[*NAMES, []], help=", ".join(NAMES))
    parser.add_argument("--share", type=float, default=1.0, help="this share of a whole run's cases (%(default)s)")
    parser.add_argument("--cases", type=int, help="so many of each kind instead of its own number")
    parser.add_argument("--seconds", type=float, default=540.0, help="begin no case after so many (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="other cases for another number (%(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (%(default)s)")
    parser.add_argument("--repeat", type=Path, metavar="FILE", help="read this input again, of the KIND named")
    return parser.parse_args()


def repeat(names: list[str], path: Path) -> int:
    with tempfile.TemporaryDirectory(prefix="mlxr-fuzz-") as folder:
        kind = kind_named(names[0])(Path(folder))
        try:
            kind.read(path.read_bytes())
        except kind.REFUSALS as error:
            print(f"refused: {error}")
        else:
            print("taken")
        finally:
            kind.close()
    return 0


def show(reports: list[Report], seed: int) -> None:
    console = Console(width=120)
    table = Table("kind", "cases", "seconds", "over 1 s", "ended", "longest gap", "findings", title=f"seed {seed}")
    for report in reports:
        cases = f"{report.read:,}" if report.read == report.wanted else f"{report.read:,} of {report.wanted:,}"
        gap = f"{1000 * report.gap:.0f} ms" if report.gap else ""
        findings = str(sum(finding.count for finding in report.findings.values()))
        table.add_row(report.name, cases, f"{report.seconds:.0f}", str(report.slow), str(report.ended), gap, findings)
    console.print(table)
    for report in reports:
        for finding in sorted(report.findings.values(), key=lambda each: -each.count):
            line = f"{report.name}: {finding.kind}, {finding.count}x, {finding.bytes} bytes: {finding.what}"
            console.print(line, soft_wrap=True, markup=False)
            console.print(f"    python -m tests.fuzz {report.name} --repeat {finding.kept}", soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
