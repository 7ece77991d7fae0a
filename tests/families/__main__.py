"""Compares all families, or those named, and writes ``docs/families.md``."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch

from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.select import select_backend
from tests.families.cases import decoders, encoders
from tests.families.comparison import Comparison
from tests.families.decoders import compare_decoder
from tests.families.encoders import compare_encoder
from tests.families.table import failures, table

TARGET = Path(__file__).parents[2] / "docs" / "families.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.families", description=__doc__)
    parser.add_argument("cases", nargs="*", help="names, or parts of them; all without any; others keep their rows")
    parser.add_argument("--sources", type=Path, required=True, help="llama.cpp's source tree")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    options = parser.parse_args()
    # Models are tiny: threads that wait for one another take longer than the work, beside others many times so.
    torch.set_num_threads(1)
    if isinstance(select_backend()[0], ReferenceBackend):
        sys.exit("the native kernels can't be loaded, and their columns would be the reference's: see `mlxr doctor`")
    wanted: list[str] = options.cases or [""]
    every = {name: partial(compare_decoder, config) for name, config in decoders().items()}
    every |= {name: partial(compare_encoder, config) for name, config in encoders().items()}
    named = {part for part in wanted if part in every}
    parts = [part for part in wanted if part not in named]
    chosen = {name: compare for name, compare in every.items() if name in named or any(part in name for part in parts)}
    found: dict[str, Comparison] = {}
    before = TARGET.read_text()
    for number, (name, compare) in enumerate(chosen.items(), 1):
        print(f"{number} of {len(chosen)}: {name}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            found[name] = compare(Path(folder), options.sources)
        # A run that is interrupted keeps what it found.
        TARGET.write_text(table(found, before))
    # Rows of cases that were not looked at stay, but where all were.
    TARGET.write_text(table(found, before if options.cases else ""))
    print(json.dumps({name: asdict(each) for name, each in found.items()}, indent=1) if options.json else table(found))
    if wrong := failures(found):
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
