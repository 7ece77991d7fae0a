"""Writes ``tests/data/ropes.json``: the frequencies and magnitudes that Hugging Face's transformers makes of rope
settings, and what DeepSeek's models multiply scores by.

    python tests/models/architectures/record_ropes.py

Run it where torch and transformers (5 or later) are installed; mlxr need not be.
"""

from __future__ import annotations

import json
from pathlib import Path

import transformers
from rope_cases import CASES, CONTEXT, DIMS
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.deepseek_v3.modeling_deepseek_v3 import yarn_apply_mscale
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

TARGET = Path(__file__).parents[2] / "data" / "ropes.json"


def main() -> None:
    recorded: dict[str, object] = {"made by": f"transformers {transformers.__version__}"}
    for name, settings in CASES.items():
        sizes = {"hidden_size": 4 * DIMS, "num_attention_heads": 4, "head_dim": DIMS}
        config = transformers.LlamaConfig(**sizes, max_position_embeddings=CONTEXT, **settings)
        kind = config.rope_parameters["rope_type"]
        make = ROPE_INIT_FUNCTIONS.get(kind, LlamaRotaryEmbedding.compute_default_rope_parameters)
        # A long context: transformers chooses LongRoPE's factors by the sequence, a server by what may come.
        frequencies, magnitude = make(config, seq_len=CONTEXT)
        scale = yarn_apply_mscale(config.rope_parameters, 1.0)
        recorded[name] = {"frequencies": frequencies.tolist(), "magnitude": magnitude, "scale": scale}
    lines = [f"{json.dumps(name)}: {json.dumps(values)}" for name, values in recorded.items()]
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
