"""MLX folders that mlxr writes, of folders and of GGUF files, as mlx-lm itself loads and runs them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlxr.models.conversion import gguf_to_mlx, to_gguf
from mlxr.models.conversion.gguf_to_mlx import folder_of_gguf
from mlxr.models.conversion.mlx_types import matrix_type
from mlxr.models.conversion.to_mlx import Folder, folder_of, write_folder
from mlxr.models.errors import UnsupportedModelError
from tests.models.architectures import checkpoints_kindred, checkpoints_newest, checkpoints_states
from tests.models.conversion.test_to_gguf import logits_of, written

pytestmark = pytest.mark.peers

TOKENS = np.random.default_rng(3).integers(3, 90, 8).tolist()
"""No more than the windows of these models: mlx-lm looks at windows where it keeps a cache alone."""
OTHERWISE = {
    "apertus": "mlx-lm gives the same other logits for transformers' folder",
    "deepseek_v3 with halves": "mlx-lm knows ropes of neighbours alone",
    "ernie4_5_moe": "mlx-lm leaves out the bias by which experts are chosen",
    "glm4_moe_lite": "mlx-lm leaves out the bias by which experts are chosen",
    "exaone4": "mlx-lm knows a pattern of windows that comes again, which this has not",
    "gemma3": "mlx-lm knows no softcap of its logits",
    "granite 4 with ropes": "mlx-lm asks for Mamba layers",
    "llama4": "mlx-lm knows dense ones by this name alone",
    "llama4 with short chunks": "mlx-lm knows dense ones by this name alone",
    "glm": "mlx-lm turns all of a head by its rope",
    "granite 4": "mlx-lm norms all groups of a state space together",
    "internlm3": "mlx-lm takes the size of heads from the width, whatever the settings say",
    "jamba": "mlx-lm gives the same other logits for transformers' folder",
    "minicpm3": "mlx-lm knows one of the two factors of long ropes",
    "phi3": "mlx-lm turns all of a head by its rope",
    "phimoe": "mlx-lm gives the same other logits for transformers' folder",
    "phimoe with more jitter": "as the former",
}
"""Cases that mlx-lm runs as another model, also from the folder that transformers wrote."""

OTHER_LAYOUT = (
    *("falcon_h1", "falcon_h1 with norms", "falcon", "falcon 2", "olmo"),
    *("gpt_neox", "gpt_neox with halves one after the other"),
)
"""Cases that mlxr does not run from MLX's folders."""
NO_FILES = {*checkpoints_kindred.CASES, *checkpoints_states.CASES} - {"internlm3"}
"""Cases of whose GGUF files mlxr makes no folders yet."""
REFUSED = {
    *((case, "file") for case in NO_FILES),
    *((case, "folder") for case in ("deepseek_v32", "glm_moe_dsa")),
    *((case, name) for case in (*OTHER_LAYOUT, *checkpoints_newest.CASES) for name in ("folder", "file")),
    ("exaone", "file"),
    ("qwen3_moe with a dense layer", "file"),
    ("hunyuan_v1_moe", "file"),
    ("gemma3n", "file"),
    ("gemma3n with another active stream", "file"),
    ("youtu", "file"),
    ("lfm2 with biases", "file"),
    ("granite 4 with biases", "file"),
}
"""Cases that mlxr writes no MLX folders of, from a folder or from a GGUF file."""
UNKNOWN = {
    *("arcee", "granitemoeshared", "hunyuan_v1_moe", "gemma3n", "gemma3n with another active stream", "youtu"),
    *("hy_v3", "sarvam"),
}
"""Cases that mlx-lm does not know by these names."""
LACKING = {
    (case, "folder")
    for case in (
        *("granite", "granitemoe", "cohere2", "exaone4 without windows", "glm4_moe", "minimax_m2", "lfm2"),
        *("glm4_moe without norms of heads", "exaone", "qwen3_5", "qwen3_5_moe", "lfm2 with biases"),
    )
}
"""Tiny folders without settings that published ones have, and mlx-lm asks for."""


def cases() -> dict[str, dict[str, Any]]:
    if importlib.util.find_spec("mlx_lm") is None:  # where these tests are collected, and left out
        return {}
    from tests.families.cases import decoders

    return {name: config for name, config in decoders().items() if name not in OTHERWISE}


CASES = cases()


def by_mlx_lm(folder: Path) -> np.ndarray | None:
    """Logits; None for a model that mlx-lm does not know, or whose folders have settings that tiny ones lack."""
    from mlx_lm.utils import load_model

    try:
        model, _ = load_model(folder)
    except (ValueError, TypeError) as error:
        if not any(word in str(error) for word in ("not supported", "ModelArgs", "divisible")):
            raise
        return None
    return np.array(model(mx.array([TOKENS]))[0].astype(mx.float32))


def test_there_are_checkpoints_to_compare() -> None:
    assert len(CASES) > 50


@pytest.mark.parametrize("case", CASES)
def test_mlx_lm_gives_the_logits_of_what_a_folder_is_made_of(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.families.checkpoint import write_checkpoint

    monkeypatch.setattr(gguf_to_mlx, "tokenizer_files", lambda metadata: {})
    monkeypatch.setattr(to_gguf, "add_vocabulary", lambda writer, *others: writer.add_tokenizer_model("none"))
    source = tmp_path / "model"
    write_checkpoint(CASES[case], source, CASES[case].get("architectures", ["AutoModelForCausalLM"])[0])
    for name in ("folder", "file"):

        def make(name: str = name) -> tuple[Path, Folder]:
            if name == "folder":
                return source, folder_of(source, matrix_type("", 0), False)
            file = written(source, tmp_path / "model.gguf")
            return file, folder_of_gguf(file, matrix_type("", 0), False)

        if (case, name) in REFUSED:
            with pytest.raises(UnsupportedModelError):
                make()
            continue
        path, folder = make()
        write_folder(folder, tmp_path / f"of a {name}", lambda done, total: None)
        got, expected = by_mlx_lm(tmp_path / f"of a {name}"), logits_of(path, TOKENS)
        assert got is not None or case in UNKNOWN or (case, name) in LACKING
        if got is not None:
            assert np.abs(got[:, : expected.shape[1]] - expected).max() < 1e-3 * np.abs(expected).max(), name
