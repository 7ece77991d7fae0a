"""A decoder's checkpoint through everybody: transformers, mlxr from each format, llama.cpp."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

from mlxr.metal.backend import Backend
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.select import select_backend
from mlxr.models.loading import load_model
from mlxr.runtime.errors import MlxrError
from tests.families import checkpoint
from tests.families.comparison import GREEDY, PROMPT, Comparison, Rows, difference
from tests.families.peers import converted, llama_cpp, mlx_folder
from tests.oracle.fidelity import run_chunks


def compare_decoder(config: dict[str, Any], folder: Path, sources: Path) -> Comparison:
    """Makes the checkpoint in ``folder`` and compares logits. ``sources``: llama.cpp's source tree."""
    found = Comparison()
    # A few are not known to transformers as causal models by themselves, and name their class.
    (kind,) = config.get("architectures", ["AutoModelForCausalLM"])
    model = checkpoint.write_checkpoint(config, folder / "model", kind)
    tokens = np.random.RandomState(5).randint(3, model.config.get_text_config().vocab_size, PROMPT).tolist()
    written = checkpoint.greedy(model, tokens, GREEDY)
    expected = checkpoint.logits_of(model, written).numpy()
    reference, (native, _) = ReferenceBackend(), select_backend()

    def ours(who: str, path: Path, backend: Backend) -> Rows | None:
        """Prefills in pieces, and again token by token."""
        logits = None
        try:
            loaded = load_model(path, backend)
            for chunk in (13, 1):
                hidden = run_chunks(loaded, backend, written, chunk, page_size=16)
                logits = np.array(loaded.logits(hidden, mx.arange(len(written))))
                # One row whose experts are chosen otherwise, for keys and values of 16 bits, says nothing of the rest.
                found.note(who, difference(logits, expected, np.median if backend is native else np.max))
                found.note_text(who, logits, written)
        except (MlxrError, ValueError) as error:
            found.refused[who] = str(error).replace(str(folder), "")
        return logits

    ours("folder", folder / "model", reference)
    ours("folder", saved_by_transformers(folder), reference)
    ours("folder, cpu", folder / "model", native)
    if mlx_folder(found, folder / "model", folder / "mlx"):
        ours("mlx folder", folder / "mlx", reference)
    if converted(found, folder / "model", folder / "model.gguf", sources):
        logits = ours("gguf", folder / "model.gguf", reference)
        ours("gguf, cpu", folder / "model.gguf", native)
        theirs = llama_cpp(found, "logits", folder / "model.gguf", written)
        if theirs is not None:
            found.note("llama.cpp", difference(theirs, expected))
            found.note_text("llama.cpp", theirs, written)
        if theirs is not None and logits is not None:
            found.beside_llama_cpp = difference(logits, theirs)
    return found


def saved_by_transformers(folder: Path) -> Path:
    """Returns the model with the ``config.json`` that transformers writes today, which names some settings anew."""
    saved = folder / "saved"
    saved.mkdir()
    for path in (folder / "model").glob("*.safetensors*"):
        (saved / path.name).hardlink_to(path)
    (saved / "config.json").hardlink_to(folder / "model" / "saved.json")
    return saved
