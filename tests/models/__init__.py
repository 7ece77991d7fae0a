"""The real models that tests run on."""

from __future__ import annotations

from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache" / "models"
FOLDERS = frozenset({"minilm"})


def model_path(alias: str) -> Path:
    """The file (a folder for ``minilm``) of a built-in model, as ``make setup`` puts it into the checkout's cache."""
    path = CACHE / (alias if alias in FOLDERS else f"{alias}.gguf")
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: run `make setup`, which fetches the models that tests need")
    return path
