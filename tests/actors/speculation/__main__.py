"""``python -m tests.actors.speculation --requests 1000``: the same comparison at length."""

from __future__ import annotations

import argparse
import sys

from mlxr.metal.cpu.backend import CpuBackend
from tests.actors.speculation.comparison import compare, loaded


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    model = loaded(CpuBackend(2))
    model.compiler.start()
    result = compare(model, arguments.requests, arguments.seed, crash_every=60)
    model.compiler.stop()
    for line in (*result.differing, *result.invalid):
        print(line)
    for name, run in (("without", result.plain), ("with", result.speculating)):
        counters = run.counters
        print(
            f"{name} speculation: {counters.steps} steps, {counters.generated_tokens} tokens, "
            f"{counters.drafted_tokens} drafted, {counters.accepted_tokens} accepted, "
            f"{counters.preemptions} preemptions, {run.crashes} crashes"
        )
    print(f"{arguments.requests} requests: {len(result.differing)} differing, {len(result.invalid)} invalid")
    return 1 if result.differing or result.invalid else 0


if __name__ == "__main__":
    sys.exit(main())
