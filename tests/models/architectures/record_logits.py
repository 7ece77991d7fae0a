"""Writes ``tests/data/logits*.json``: what Hugging Face's transformers make of the checkpoints, in float32.

    python tests/models/architectures/record_logits.py [checkpoints_latent ...]

Each ``checkpoints*.py`` has a file of its own; all are written where none is named. Run it where torch, transformers (5
or later), numpy and gguf are installed; mlxr need not be.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import checkpoints as usual
import torch
import transformers

DATA = Path(__file__).parents[2] / "data"


def main(names: list[str]) -> None:
    for name in names or sorted(path.stem for path in Path(__file__).parent.glob("checkpoints*.py")):
        write(DATA / f"{name.replace('checkpoints', 'logits')}.json", importlib.import_module(name))


def write(target: Path, checkpoints: ModuleType) -> None:
    """A module of checkpoints has ``CASES``, and makes a case's configuration and a folder of it; it may have tokens
    and positions of its own."""
    tokens = getattr(checkpoints, "TOKENS", usual.TOKENS)
    positions = getattr(checkpoints, "POSITIONS", usual.POSITIONS)
    recorded: dict[str, object] = {"made by": f"transformers {transformers.__version__}, torch {torch.__version__}"}
    for case in checkpoints.CASES:
        with tempfile.TemporaryDirectory() as folder:
            config = checkpoints.config_of(case)
            path = checkpoints.write_folder(Path(folder), config)
            # A few are not known to transformers as causal models by themselves, and name their class.
            (kind,) = config.get("architectures", ["AutoModelForCausalLM"])
            model = getattr(transformers, kind).from_pretrained(path, dtype=torch.float32, attn_implementation="eager")
            with torch.no_grad():
                logits = model(torch.tensor([tokens])).logits[0, list(positions)]
        recorded[case] = [[round(value, 6) for value in row] for row in logits.tolist()]
    lines = [f"{json.dumps(case)}: {json.dumps(rows)}" for case, rows in recorded.items()]
    target.write_text("{\n" + ",\n".join(lines).replace("], [", "],\n [") + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
