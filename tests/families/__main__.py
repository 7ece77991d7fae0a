"""Compares all families, or those named, and writes ``docs/families.md``."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.families.cases import cases
from tests.families.compare import Comparison, compare
from tests.families.table import failures, table

TARGET = Path(__file__).parents[2] / "docs" / "families.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.families", description=__doc__)
    parser.add_argument("cases", nargs="*", help="parts of names; all without any, and only then the table is written")
    parser.add_argument("--sources", type=Path, required=True, help="llama.cpp's source tree")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    options = parser.parse_args()
    chosen = {
        name: case for name, case in cases().items() if not options.cases or any(c in name for c in options.cases)
    }
    found: dict[str, Comparison] = {}
    for number, (name, config) in enumerate(chosen.items(), 1):
        print(f"{number} of {len(chosen)}: {name}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            found[name] = compare(config, Path(folder), options.sources)
    if not options.cases:
        TARGET.write_text(table(found))
    print(json.dumps({name: asdict(each) for name, each in found.items()}, indent=1) if options.json else table(found))
    if wrong := failures(found):
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
