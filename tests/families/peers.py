"""What peers make of a checkpoint: mlx-lm's folder, llama.cpp's GGUF file, llama.cpp's outputs."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.families.comparison import Comparison, Rows

PEER_SECONDS = 300
CONVERT = Path(__file__).parent / "convert.py"


def mlx_folder(found: Comparison, source: Path, target: Path) -> bool:
    """Writes what mlx-lm makes of the folder, unquantized; False where mlx-lm has no such family."""
    from mlx_lm.utils import load_model as load_with_mlx_lm
    from mlx_lm.utils import save_config, save_model

    settings = json.loads((source / "config.json").read_text())
    # Some it knows within models that look at images alone, by the name of these.
    known = importlib.util.find_spec(f"mlx_lm.models.{settings['model_type']}") is not None
    name = settings["model_type"] if known else settings["model_type"].removesuffix("_text")
    try:
        model, config = load_with_mlx_lm(source, model_config={"model_type": name})
    except (Exception, SystemExit) as error:  # one of its modules ends the process where a package is missing
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


def llama_cpp(found: Comparison, output: str, path: Path, tokens: list[int]) -> Rows | None:
    """Returns llama.cpp's ``output`` ("logits" or "hidden") of each token; None where it has none."""
    target = path.with_suffix(".npy")
    command = [sys.executable, "-m", "tests.families.llama_cpp_outputs", output, str(path), str(target)]
    command += map(str, tokens)
    run = subprocess.run(command, capture_output=True, text=True, timeout=PEER_SECONDS, check=False)
    if run.returncode:
        said = [line for line in run.stderr.splitlines() if "error" in line]
        found.refused["llama.cpp"] = last_line("\n".join(said) or run.stderr)
        return None
    logits: Rows = np.load(target)
    return logits


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no word of why"])[-1][:200]
