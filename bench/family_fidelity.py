"""How far a backend's distributions are from transformers', on a tiny checkpoint of each family.

    python -m bench.family_fidelity [--backend mlx] [--modules checkpoints checkpoints_hybrid ...]

Kullback-Leibler divergence in nats from the logits in ``tests/data``, which transformers gave in float32, at some
positions of a text that is run in chunks of ``--chunk`` tokens to its middle and token by token from there on. The
exit status says whether every family's mean is at most 1e-4.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from pathlib import Path

import mlx.core as mx
import numpy as np

from mlxr.metal.backend import Backend
from mlxr.metal.select import select_backend
from mlxr.models.loading import load_model
from tests.models.architectures import checkpoints as usual
from tests.oracle.fidelity import divergence, run_chunks

DATA = Path(__file__).parents[1] / "tests" / "data"
MODULES = tuple(
    f"checkpoints{suffix}"
    for suffix in (
        "",
        "_decoders",
        "_gemma",
        "_hybrid",
        "_kindred",
        "_latent",
        "_newest",
        "_older",
        "_recurrent",
        "_states",
    )
)
LIMIT = 1e-4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="mlx")
    parser.add_argument("--modules", nargs="+", default=MODULES, choices=MODULES)
    parser.add_argument("--chunk", type=int, default=13)
    arguments = parser.parse_args()
    backend, choice = select_backend(arguments.backend)
    print(f"{choice.name}: {choice.reason}")
    means: dict[str, float] = {}
    for name in arguments.modules:
        for case, logits in json.loads((DATA / f"{name.replace('checkpoints', 'logits')}.json").read_text()).items():
            if case == "made by":
                continue
            try:
                means[case], worst = measured(backend, name, case, np.array(logits), arguments.chunk)
                print(f"{case:44} mean {means[case]:.1e}  worst {worst:.1e}", flush=True)
            except Exception as error:  # of any kind: the other families are still worth knowing
                means[case] = float("inf")
                print(f"{case:44} failed: {error!r}", flush=True)
    over = [case for case, mean in means.items() if mean > LIMIT]
    print(f"{len(means) - len(over)} of {len(means)} families at most {LIMIT:.0e}; over: {', '.join(over) or 'none'}")
    return int(bool(over))


def measured(backend: Backend, module: str, case: str, logits: np.ndarray, chunk: int) -> tuple[float, float]:
    """Mean and worst divergence in nats."""
    checkpoints = importlib.import_module(f"tests.models.architectures.{module}")
    tokens = getattr(checkpoints, "TOKENS", usual.TOKENS)
    positions = getattr(checkpoints, "POSITIONS", usual.POSITIONS)
    with tempfile.TemporaryDirectory() as folder:
        model = load_model(checkpoints.write_folder(Path(folder), checkpoints.config_of(case)), backend)
        middle = len(tokens) // 2
        lengths = [chunk] * (middle // chunk) + [middle % chunk] * (middle % chunk > 0)
        hidden = run_chunks(model, backend, tokens, [*lengths, *[1] * (len(tokens) - middle)], 16)
        ours = np.array(model.logits(hidden, mx.array(positions)))
    each = divergence(logits, ours)
    return float(each.mean()), float(each.max())


if __name__ == "__main__":
    sys.exit(main())
