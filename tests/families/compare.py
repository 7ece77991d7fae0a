"""One checkpoint through everybody: transformers, mlxr from each format, llama.cpp."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlxr.metal.backend import Backend
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.select import select_backend
from mlxr.models.loading import load_model
from mlxr.runtime.errors import MlxrError
from tests.families import checkpoint
from tests.oracle.fidelity import run_chunks

Rows: TypeAlias = NDArray[np.float32]
"""Logits, ``[T, vocabulary]``."""

PROMPT, GREEDY = 40, 64
PEER_SECONDS = 300
CONVERT = Path(__file__).parent / "convert.py"


@dataclass(slots=True)
class Comparison:
    """What a case gave.

    Attributes:
        errors: by who was compared (``folder``, ``gguf``, ...), how far logits are from transformers'.
        greedy: by who was compared, how many of the ``GREEDY`` tokens that transformers writes came out equal, each
            from the tokens before it.
        refused: by who was compared, why there is no figure, in one line.
        beside_llama_cpp: how far mlxr's logits of the GGUF file are from llama.cpp's of the same file.
    """

    errors: dict[str, float] = field(default_factory=dict)
    greedy: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    beside_llama_cpp: float | None = None

    def note(self, who: str, error: float, logits: Rows, tokens: list[int]) -> None:
        """The worst of what was noted of somebody counts."""
        likeliest = logits[PROMPT - 1 : -1].argmax(axis=1)
        equal = int((likeliest == np.array(tokens[PROMPT:])).sum())
        self.errors[who] = max(error, self.errors.get(who, 0.0))
        self.greedy[who] = min(equal, self.greedy.get(who, GREEDY))


def compare(config: dict[str, Any], folder: Path, sources: Path) -> Comparison:
    """Makes the checkpoint in ``folder`` and compares. ``sources``: llama.cpp's source tree."""
    found = Comparison()
    model = checkpoint.write_checkpoint(config, folder / "model")
    tokens = np.random.RandomState(5).randint(3, model.config.get_text_config().vocab_size, PROMPT).tolist()
    written = checkpoint.greedy(model, tokens, GREEDY)
    expected = checkpoint.logits_of(model, written).numpy()

    def ours(who: str, path: Path, backend: Backend) -> Rows | None:
        """Prefills in pieces, and again token by token."""
        logits = None
        try:
            loaded = load_model(path, backend)
            for chunk in (13, 1):
                hidden = run_chunks(loaded, backend, written, chunk, page_size=16)
                logits = np.array(loaded.logits(hidden, mx.arange(len(written))))
                # One row whose experts are chosen otherwise, for keys and values of 16 bits, says nothing of the rest.
                error = difference(logits, expected, np.median if backend is native else np.max)
                found.note(who, error, logits, written)
        except (MlxrError, ValueError) as error:
            found.refused[who] = str(error).replace(str(folder), "")
        return logits

    reference, (native, _) = ReferenceBackend(), select_backend()
    ours("folder", folder / "model", reference)
    ours("folder", saved_by_transformers(folder), reference)
    ours("folder, cpu", folder / "model", native)
    if mlx_folder(found, folder / "model", folder / "mlx"):
        ours("mlx folder", folder / "mlx", reference)
    if converted(found, folder / "model", folder / "model.gguf", sources):
        logits = ours("gguf", folder / "model.gguf", reference)
        ours("gguf, cpu", folder / "model.gguf", native)
        theirs = llama_cpp(found, folder / "model.gguf", folder / "logits.npy", written)
        if theirs is not None:
            found.note("llama.cpp", difference(theirs, expected), theirs, written)
        if theirs is not None and logits is not None:
            found.beside_llama_cpp = difference(logits, theirs)
    return found


def difference(logits: Rows, expected: Rows, of_rows: Any = np.max) -> float:
    """Returns the largest difference of a row's logits, relative to the largest logit of all: the worst row's, or what
    else ``of_rows`` makes of them."""
    rows = np.abs(logits[:, : expected.shape[1]] - expected).max(axis=1)
    return float(of_rows(rows) / np.abs(expected).max())


def saved_by_transformers(folder: Path) -> Path:
    """Returns the model with the ``config.json`` that transformers writes today, which names some settings anew."""
    saved = folder / "saved"
    saved.mkdir()
    for path in (folder / "model").glob("*.safetensors*"):
        (saved / path.name).hardlink_to(path)
    (saved / "config.json").hardlink_to(folder / "model" / "saved.json")
    return saved


def mlx_folder(found: Comparison, source: Path, target: Path) -> bool:
    """Writes what mlx-lm makes of the folder, unquantized; False where mlx-lm has no such family."""
    from mlx_lm.utils import load_model as load_with_mlx_lm
    from mlx_lm.utils import save_config, save_model

    try:
        model, config = load_with_mlx_lm(source)
    except Exception as error:
        found.refused["mlx folder"] = f"mlx-lm: {last_line(str(error))}"
        return False
    target.mkdir()
    save_model(target, model)
    save_config(config, target / "config.json")
    return True


def converted(found: Comparison, source: Path, target: Path, sources: Path) -> bool:
    """Writes the GGUF file that llama.cpp's converter makes of the folder; False where it makes none."""
    command = [sys.executable, str(CONVERT), str(sources), str(source), str(target)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=PEER_SECONDS, check=False)
    if run.returncode or not target.exists():
        found.refused["gguf"] = f"llama.cpp's converter: {last_line(run.stderr)}"
        return False
    return True


def llama_cpp(found: Comparison, path: Path, target: Path, tokens: list[int]) -> Rows | None:
    """Returns llama.cpp's logits; None where it has none."""
    command = [sys.executable, "-m", "tests.families.llama_cpp_logits", str(path), str(target), *map(str, tokens)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=PEER_SECONDS, check=False)
    if run.returncode:
        said = [line for line in run.stderr.splitlines() if "error" in line]
        found.refused["llama.cpp"] = last_line("\n".join(said) or run.stderr)
        return None
    logits: Rows = np.load(target)
    return logits


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no word of why"])[-1][:200]
