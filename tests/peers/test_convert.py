"""Converted models against those of llama.cpp's converter and of mlx-lm: equal tensors, and equal metadata.

``PEER_SOURCES`` names llama.cpp's source tree, as ``make test-peers`` sets it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFReader

from mlxr.models.conversion import to_gguf
from mlxr.models.conversion.mlx_types import matrix_type
from mlxr.models.conversion.to_gguf import model_of_folder
from mlxr.models.conversion.to_mlx import folder_of, write_folder
from mlxr.models.jsonfile import read_json
from mlxr.models.quantization.encoding import write_model
from mlxr.models.quantization.file_types import file_type
from mlxr.models.quantization.quantize import plan
from tests.models import model_path
from tests.models.architectures import checkpoints_newest
from tests.models.exported import export_llama

pytestmark = pytest.mark.peers

SOURCES = Path(os.environ.get("PEER_SOURCES", ".cache/llama-cpp-python/vendor/llama.cpp"))
CONVERT = Path(__file__).parents[1] / "families" / "convert.py"
NOT_CONVERTED = ("qwen3_moe with a dense layer", "falcon", "jina_embeddings_v3", "nomic_bert")
"""Cases that llama.cpp's converter fails on, as transformers writes them today."""
UNWRITTEN = (
    *("gte", "nomic-bert-moe", "granite 4 with biases", "lfm2 with biases", "mamba with biases"),
    *("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe", "deepseek_v32", "glm_moe_dsa"),
    *("kimi_linear", "phimoe", "phimoe with more jitter", "apertus", "mimo_v2_flash"),
    *checkpoints_newest.CASES,
)
"""Cases that GGUF files have no place for, that mlxr runs from these alone, or that it writes none of yet."""
SETTINGS: dict[str, dict[str, Any]] = {
    "cohere2": {"rotary_pct": 1.0},
    "internlm3": {"rope_theta": 50_000_000.0},
    "exaone": {"architectures": ["ExaoneForCausalLM"], "activation_function": "silu"},
}
"""What the published folders of a case have besides, and the converter asks for."""
OTHERWISE = {
    "deepseek_v3 with halves": "the converter leaves rows as they are, which its own reader takes for neighbours",
    "nemotron_h": "the converter takes it for the mixture",
    "sarvam": "the converter takes their mean from the biases of experts, which chooses the same",
}
"""Cases whose files differ, and why."""
OWN_SETTINGS = {
    "ernie4_5-moe.expert_shared_feed_forward_length": "the converter guesses it from other settings",
    "falcon.rope.freq_base": "the converter leaves it out, and its own reader reads it",
    "gptneox.rope.freq_base": "as the former",
    "chatglm.context_length": "the converter takes the width for it",
    "mistral4.attention.temperature_scale": "the converter leaves it out, and its own reader reads it",
    "mistral4.attention.temperature_length": "as the former",
}


def words(writer: Any, folder: Path, config: Any, sentencepiece: bool, kind: str) -> None:
    """The made-up vocabulary of ``tests/families/convert.py``."""
    count = config["vocab_size"]
    tokens = ["<unk>", "<s>", "</s>", *(f"word{number}" for number in range(3, count))]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * count)
    writer.add_token_types([2, 3, 3] + [1] * (count - 3))
    if "type_vocab_size" in config:
        writer.add_token_type_count(config["type_vocab_size"])


def written(folder: Path, target: Path) -> Path:
    made = plan(model_of_folder(folder), file_type("F32"))
    with target.open("wb") as file:
        write_model(file, made.pairs, made.outputs, 2, lambda done, total: None)
    return target


def require_equal(theirs: Path, ours: Path) -> None:
    expected, got = GGUFReader(theirs), GGUFReader(ours)
    fields = [
        {key: (field.types, field.contents()) for key, field in reader.fields.items() if not key.startswith("GGUF.")}
        for reader in (expected, got)
    ]
    own = {key: fields[1].pop(key, None) for key in OWN_SETTINGS}
    if "general.file_type" not in fields[0]:  # the converter leaves it out of GPT-NeoX's files
        fields[1].pop("general.file_type")
    assert all(key not in fields[0] or own[key] is not None for key in OWN_SETTINGS)
    theirs_alone = {key: value for key, value in fields[0].items() if key not in OWN_SETTINGS}
    assert fields[1].keys() == theirs_alone.keys()
    for key, (types, value) in theirs_alone.items():
        assert fields[1][key][0] == types, key
        # Float arrays are of numbers that libraries round in their own ways (Gemma 3n's quantiles of a normal curve).
        floats = isinstance(value, list) and bool(value) and isinstance(value[0], float)
        assert fields[1][key][1] == (pytest.approx(value, rel=1e-6) if floats else value), key
    tensors = {tensor.name: tensor for tensor in got.tensors}
    assert tensors.keys() == {tensor.name for tensor in expected.tensors}
    for tensor in expected.tensors:
        made = tensors[tensor.name]
        assert (made.tensor_type, made.shape.tolist()) == (tensor.tensor_type, tensor.shape.tolist()), tensor.name
        # Frequencies are powers in float32 and decays exponentials, which libraries round in their own ways.
        exact = 1e-6 if tensor.name.endswith(("rope_freqs.weight", ".ssm_a")) else 0
        np.testing.assert_allclose(made.data, tensor.data, rtol=exact, err_msg=tensor.name)


def configurations() -> dict[str, tuple[dict[str, Any], str]]:
    if importlib.util.find_spec("transformers") is None:  # where these tests are collected, and left out
        return {}
    from tests.families import cases

    # A few are not known to transformers as causal models by themselves, and name their class.
    usual = ["AutoModelForCausalLM"]
    decoders = {name: (config, config.get("architectures", usual)[0]) for name, config in cases.decoders().items()}
    return {**decoders, **{name: (config, "AutoModel") for name, config in cases.encoders().items()}}


CASES = configurations()


def test_there_are_checkpoints_to_compare() -> None:
    assert len(CASES) > 50


@pytest.mark.parametrize("case", CASES)
def test_a_checkpoint_becomes_the_file_that_llama_cpp_makes_of_it(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.families.checkpoint import write_checkpoint

    config, kind = CASES[case]
    folder = tmp_path / "model"
    write_checkpoint(config, folder, kind)
    if case in UNWRITTEN:
        with pytest.raises(to_gguf.UnsupportedModelError):
            model_of_folder(folder)
        return
    if case in SETTINGS:
        (folder / "config.json").write_text(json.dumps({**read_json(folder / "config.json"), **SETTINGS[case]}))
    monkeypatch.setattr(to_gguf, "add_vocabulary", words)
    ours = written(folder, tmp_path / "ours.gguf")
    command = [sys.executable, str(CONVERT), str(SOURCES), str(folder), str(tmp_path / "theirs.gguf")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if case in NOT_CONVERTED:
        assert run.returncode != 0
        return
    assert run.returncode == 0, run.stderr[-500:]
    if case in OTHERWISE:
        with pytest.raises(AssertionError):
            require_equal(tmp_path / "theirs.gguf", ours)
        return
    require_equal(tmp_path / "theirs.gguf", ours)


@pytest.mark.parametrize("model", ["smollm2", "minilm"])
def test_a_real_folder_becomes_the_file_that_llama_cpp_makes_of_it(model: str, tmp_path: Path) -> None:
    source = model_path(model)
    folder = source if source.is_dir() else export_llama(source, tmp_path / "folder")
    script, theirs = SOURCES / "convert_hf_to_gguf.py", tmp_path / "theirs.gguf"
    paths = [str(SOURCES), str(SOURCES / "gguf-py"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, str(script), str(folder), "--outfile", str(theirs), "--outtype", "f32"]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert run.returncode == 0, run.stderr[-500:]
    require_equal(theirs, written(folder, tmp_path / "ours.gguf"))


def test_an_mlx_folder_is_the_one_that_mlx_lm_writes(tmp_path: Path) -> None:
    import mlx.core as mx
    from mlx_lm import convert

    folder = export_llama(model_path("smollm2"), tmp_path / "folder")
    convert(str(folder), mlx_path=str(tmp_path / "theirs"), quantize=True, q_group_size=64, q_bits=4)
    write_folder(folder_of(folder, matrix_type("4bit", 0), False), tmp_path / "ours", lambda done, total: None)
    theirs, ours = (mx.load(str(tmp_path / who / "model.safetensors")) for who in ("theirs", "ours"))
    assert ours.keys() == theirs.keys()
    assert all(mx.array_equal(ours[name], theirs[name]).item() for name in theirs)
    theirs, ours = (json.loads((tmp_path / who / "config.json").read_text()) for who in ("theirs", "ours"))
    assert ours == theirs
