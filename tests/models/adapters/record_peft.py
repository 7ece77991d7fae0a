"""Writes ``tests/data/adapters.json``: what PEFT makes of the tiny adapters on their checkpoints, in float32.

    PYTHONPATH=. python tests/models/adapters/record_peft.py

Run it where torch, transformers (5 or later) and peft are installed beside mlxr and its development dependencies.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import peft
import torch
import transformers

from tests.models.adapters.adapters import RECIPES, write_peft
from tests.models.architectures.checkpoints import POSITIONS, TOKENS, config_of, write_folder

TARGET = Path(__file__).parents[2] / "data" / "adapters.json"


def main() -> None:
    recorded: dict[str, object] = {"made by": f"peft {peft.__version__}, transformers {transformers.__version__}"}
    for case in RECIPES:
        with tempfile.TemporaryDirectory() as folder:
            path = write_folder(Path(folder) / "model", config_of(case))
            model = transformers.AutoModelForCausalLM.from_pretrained(
                path, dtype=torch.float32, attn_implementation="eager"
            )
            adapted = peft.PeftModel.from_pretrained(model, str(write_peft(Path(folder) / "adapter", case)))
            with torch.no_grad():
                logits = adapted(torch.tensor([TOKENS])).logits[0, list(POSITIONS)]
        recorded[case] = [[round(value, 6) for value in row] for row in logits.tolist()]
    lines = [f"{json.dumps(case)}: {json.dumps(rows)}" for case, rows in recorded.items()]
    TARGET.write_text("{\n" + ",\n".join(lines).replace("], [", "],\n [") + "\n}\n")


if __name__ == "__main__":
    main()
