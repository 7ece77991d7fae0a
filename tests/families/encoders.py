"""An encoder's checkpoint through everybody: transformers, mlxr from folder and GGUF file, llama.cpp."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

from mlxr.metal.backend import Backend
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.select import select_backend
from mlxr.models.architectures.spec import DecoderSpec
from mlxr.models.loading import load_model
from mlxr.runtime.errors import MlxrError
from tests.families import checkpoint
from tests.families.comparison import PROMPT, Comparison, Rows, difference
from tests.families.peers import converted, llama_cpp
from tests.metal.batches import ragged
from tests.oracle.fidelity import run_chunks


def compare_encoder(config: dict[str, Any], folder: Path, sources: Path) -> Comparison:
    """Makes the checkpoint in ``folder`` and compares hidden states. ``sources``: llama.cpp's source tree."""
    found = Comparison()
    model = checkpoint.write_checkpoint(config, folder / "model", config["architectures"][0])
    tokens = np.random.RandomState(5).randint(3, config["vocab_size"], PROMPT).tolist()
    expected = checkpoint.hidden_of(model, tokens).numpy()
    reference, (native, _) = ReferenceBackend(), select_backend()

    def ours(who: str, path: Path, backend: Backend) -> Rows | None:
        try:
            loaded = load_model(path, backend)
            if isinstance(loaded.spec, DecoderSpec):
                hidden = run_chunks(loaded, backend, tokens, len(tokens), page_size=16)
            else:
                batch = ragged([len(tokens)], [0], 64, 64)
                hidden = loaded.forward(mx.array(tokens, dtype=mx.int32), batch, None)
            states = np.array(loaded.pooled_input(hidden))
            found.note(who, difference(states, expected))
        except (MlxrError, ValueError) as error:
            found.refused[who] = str(error).replace(str(folder), "")
            return None
        return states

    ours("folder", folder / "model", reference)
    ours("folder, cpu", folder / "model", native)
    if converted(found, folder / "model", folder / "model.gguf", sources):
        states = ours("gguf", folder / "model.gguf", reference)
        ours("gguf, cpu", folder / "model.gguf", native)
        theirs = llama_cpp(found, "hidden", folder / "model.gguf", tokens)
        if theirs is not None:
            found.note("llama.cpp", difference(theirs, expected))
        if theirs is not None and states is not None:
            found.beside_llama_cpp = difference(states, theirs)
    return found
