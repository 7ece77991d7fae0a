"""Writes ``tests/data/logits.json``: what Hugging Face's transformers make of the checkpoints, in float32.

    python tests/models/architectures/record_logits.py

Run it where torch, transformers (5 or later), numpy and gguf are installed; mlxr need not be.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import torch
import transformers
from checkpoints import CASES, POSITIONS, TOKENS, config_of, write_folder

TARGET = Path(__file__).parents[2] / "data" / "logits.json"


def main() -> None:
    recorded: dict[str, object] = {"made by": f"transformers {transformers.__version__}, torch {torch.__version__}"}
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            path = write_folder(Path(folder), config_of(case))
            model = transformers.AutoModelForCausalLM.from_pretrained(
                path, dtype=torch.float32, attn_implementation="eager"
            )
            with torch.no_grad():
                logits = model(torch.tensor([TOKENS])).logits[0, list(POSITIONS)]
        recorded[case] = [[round(value, 6) for value in row] for row in logits.tolist()]
    lines = [f"{json.dumps(case)}: {json.dumps(rows)}" for case, rows in recorded.items()]
    TARGET.write_text("{\n" + ",\n".join(lines).replace("], [", "],\n [") + "\n}\n")


if __name__ == "__main__":
    main()
