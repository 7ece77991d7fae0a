"""Damaged models, from their headers to the first token: nothing but an error of mlxr's own, on every backend."""

from __future__ import annotations

import json
import struct
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from gguf import GGUFReader, GGUFWriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlxr.actors.registry.metadata.read_info import read_model_info
from mlxr.metal.backend import Backend
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.tensors import TensorType
from mlxr.models.errors import UnusableModelError
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.formats.safetensors.folder import read_tensors
from mlxr.models.loading import load_model
from tests.actors.registry.packages import tiny_bert, tiny_gguf
from tests.metal.backends import BACKENDS
from tests.models.files import Sizes, write_model
from tests.oracle.fidelity import run_chunks

SIZES = {"layers": 1, "width": 32, "hidden": 32, "heads": 2, "kv_heads": 1, "head_dim": 16, "vocabulary": 40}
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
USED: list[Backend] = [ReferenceBackend(), BACKENDS[-1]]

NUMBERS = st.sampled_from([0, 1, 2, 3, 7, 255, 1 << 16, 1 << 28, (1 << 31) - 1, 1 << 31, (1 << 32) - 1])
FLOATS = st.sampled_from([0.0, -0.0, -1.0, 1e-45, 1e-30, 1.0, 1e30, 3e38, float("inf"), float("-inf"), float("nan")])


def read_through(path: Path) -> None:
    """ModelInfo, and where it loads a step, on both backends."""
    tracemalloc.start()
    try:
        with suppress(UnusableModelError):
            read_model_info(path)
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()
    for backend in USED:
        with suppress(UnusableModelError):
            model = load_model(path, backend)
            if model.cache_groups:
                hidden = run_chunks(model, backend, [1, 2, 3], 3, 16)
                mx.eval(model.logits(hidden, mx.array([2])))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keys: dict[str, float | int | str] = {
        "rope.freq_base": 10000.0,
        "rope.scaling.type": "yarn",
        "rope.scaling.factor": 4.0,
        "rope.scaling.original_context_length": 128,
        "attention.sliding_window": 64,
    }
    path = tmp_path_factory.mktemp("model") / "m.gguf"
    return write_model(path, "llama", TensorType.Q8_0, Sizes(**SIZES, settings=keys))  # type: ignore[arg-type]


@FUZZ
@given(data=st.data())
def test_damaged_bytes_of_a_gguf_file(model: Path, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(model.read_bytes())
    header = content.index(b"blk.0.ffn_norm.weight") + 200
    for at, value in data.draw(
        st.lists(st.tuples(st.integers(0, header), st.integers(0, 255)), min_size=1, max_size=4)
    ):
        content[at] = value
    target = tmp_path / "fuzzed.gguf"
    target.write_bytes(content)
    read_through(target)


@FUZZ
@given(data=st.data())
def test_settings_of_a_gguf_file_that_make_no_sense(model: Path, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(model.read_bytes())
    keys = [key for key in GGUFReader(model).fields if key.startswith("llama.")]
    for key in data.draw(st.lists(st.sampled_from(keys), min_size=1, max_size=3)):
        at = content.index(struct.pack("<Q", len(key)) + key.encode()) + 8 + len(key)
        kind = int.from_bytes(content[at : at + 4], "little")
        if kind == 6:
            content[at + 4 : at + 8] = struct.pack("<f", data.draw(FLOATS))
        elif kind == 4:
            content[at + 4 : at + 8] = struct.pack("<I", data.draw(NUMBERS))
    target = tmp_path / "fuzzed.gguf"
    target.write_bytes(content)
    read_through(target)


JSON = st.recursive(
    st.none() | st.booleans() | st.sampled_from([-1, 0, 1, 4, 1 << 40, 0.5, 1e300, "", "x", "gelu", "bert"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)
SIDE_FILES = (
    "config.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
    "1_Pooling/config.json",
)
SIDE_KEYS = ("max_seq_length", "do_lower_case", "default_prompt_name", "type", "path", "pooling_mode_mean_tokens")


@FUZZ
@given(data=st.data())
def test_files_of_a_folder_that_make_no_sense(tmp_path: Path, data: st.DataObject) -> None:
    (tmp_path / "1_Pooling").mkdir(exist_ok=True)
    for name in SIDE_FILES:
        (tmp_path / name).unlink(missing_ok=True)
    for name, content in tiny_bert().items():
        (tmp_path / name).write_bytes(content)
    name = data.draw(st.sampled_from(SIDE_FILES))
    whole: Any = json.loads(tiny_bert().get(name, b"{}"))
    keys = [*whole, *SIDE_KEYS]
    changed = data.draw(st.dictionaries(st.sampled_from(keys), JSON, max_size=3))
    value = data.draw(st.sampled_from([{**whole, **changed}, [{**whole, **changed}], data.draw(JSON)]))
    (tmp_path / name).write_text(json.dumps(value))
    read_through(tmp_path)


@FUZZ
@given(data=st.data())
def test_headers_of_safetensors_that_make_no_sense(tmp_path: Path, data: st.DataObject) -> None:
    for name, content in tiny_bert().items():
        (tmp_path / name).write_bytes(content)
    raw = tiny_bert()["model.safetensors"]
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    for name in data.draw(st.lists(st.sampled_from(sorted(header)), min_size=1, max_size=3)):
        field = data.draw(st.sampled_from(["dtype", "shape", "data_offsets", "", "own"]))
        if not field:
            header[name] = data.draw(JSON)
        elif isinstance(header[name], dict):
            header[name][field] = data.draw(JSON | st.lists(st.integers(-5, 100), max_size=3))
    text = json.dumps(header).encode()
    (tmp_path / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])
    read_through(tmp_path)


def of_arrays(path: Path, *values: bytes) -> Path:
    """A GGUF file with ``values`` as the arrays of its metadata, each from its element type on."""
    pairs = [struct.pack("<Q", 2) + b"k" + str(i).encode() + struct.pack("<I", 9) + v for i, v in enumerate(values)]
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs)) + b"".join(pairs) + bytes(64))
    return path


EMPTY_STRINGS = struct.pack("<IQ", 8, 1 << 20) + bytes(8 << 20)
SHORT_STRINGS = struct.pack("<IQ", 8, 1 << 20) + (struct.pack("<Q", 1) + b"a") * (1 << 20)
NESTED = struct.pack("<IQ", 9, 1 << 18) + struct.pack("<IQ", 0, 0) * (1 << 18)
WIDE = struct.pack("<IQ", 8, 1) + struct.pack("<Q", 8 << 20) + b"a" * (8 << 20)


@pytest.mark.parametrize(
    "array", [EMPTY_STRINGS, SHORT_STRINGS, NESTED, WIDE], ids=["empty", "short", "nested", "wide"]
)
def test_metadata_takes_no_more_than_twice_its_bytes(array: bytes, tmp_path: Path) -> None:
    path = of_arrays(tmp_path / "m.gguf", array)
    tracemalloc.start()
    try:
        with suppress(UnusableModelError):
            GGUFFile.open(path)
        assert tracemalloc.get_traced_memory()[1] < 2 * path.stat().st_size + (1 << 20)
    finally:
        tracemalloc.stop()


def test_more_items_texts_pairs_or_tensors_than_any_model_has_are_refused(tmp_path: Path) -> None:
    many = of_arrays(tmp_path / "m.gguf", struct.pack("<IQ", 0, (1 << 23) + 1) + bytes((1 << 23) + 1))
    for path, reason in (
        (many, "arrays of more than 8388608 items"),
        (of_arrays(tmp_path / "n.gguf", NESTED), "more than 16384 arrays within arrays"),
        (counts(tmp_path / "p.gguf", 0, 1 << 17), "'metadata'; mlxr reads at most 65536"),
        (counts(tmp_path / "t.gguf", 1 << 17, 0), "'tensors'; mlxr reads at most 65536"),
    ):
        with pytest.raises(UnusableModelError, match=reason):
            GGUFFile.open(path)


def counts(path: Path, tensors: int, pairs: int) -> Path:
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, tensors, pairs) + bytes(8 << 20))
    return path


def test_tensors_that_share_bytes_are_refused(tmp_path: Path) -> None:
    content = bytearray(tiny_gguf(tmp_path / "x.gguf"))
    at = content.index(b"blk.0.attn_k.weight") + len(b"blk.0.attn_k.weight") + 4 + 16 + 4
    other = content.index(b"blk.0.attn_q.weight") + len(b"blk.0.attn_q.weight") + 4 + 16 + 4
    content[at : at + 8] = content[other : other + 8]
    (tmp_path / "x.gguf").write_bytes(content)
    with pytest.raises(UnusableModelError, match="into the same bytes"):
        GGUFFile.open(tmp_path / "x.gguf")


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("split.count", 2, "is part None of 2, and has another name"),
        ("general.type", "adapter", "of the type 'adapter'"),
        ("general.quantization_version", 1, "quantization version 1"),
        ("general.alignment", 24, "power of two"),
        ("general.alignment", 0, "power of two"),
    ],
)
def test_what_is_no_whole_model_of_today_is_refused(key: str, value: int | str, reason: str, tmp_path: Path) -> None:
    writer = GGUFWriter(tmp_path / "m.gguf", "llama")
    add = writer.add_string if isinstance(value, str) else writer.add_uint32
    add(key, value)  # type: ignore[arg-type]
    writer.add_tensor("w", np.ones(3, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.data_alignment = 32
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(UnusableModelError, match=reason):
        GGUFFile.open(tmp_path / "m.gguf")


def test_texts_that_the_catalogue_would_have_to_carry_are_refused(tmp_path: Path) -> None:
    for name, content in tiny_bert().items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "chat_template.jinja").write_text("x" * ((1 << 20) + 1))
    with pytest.raises(UnusableModelError, match="a chat template of 1048577 characters"):
        read_model_info(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "b" * 65}))
    with pytest.raises(UnusableModelError, match="a model_type of 65 characters"):
        read_model_info(tmp_path)


def test_more_values_than_bytes_are_refused_whatever_their_type(tmp_path: Path) -> None:
    header = {"w": {"dtype": "Q9", "shape": [1 << 40, 1 << 40], "data_offsets": [0, 8]}}
    text = json.dumps(header).encode()
    (tmp_path / "m.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
    with pytest.raises(UnusableModelError, match=r"m\.safetensors: puts tensor 'w' of .* into 8 bytes"):
        read_tensors(tmp_path / "m.safetensors")
