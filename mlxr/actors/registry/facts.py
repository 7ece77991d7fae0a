"""Reads a model's facts from its files: architecture, size, quantization, limits, capabilities."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from mlxr.actors.registry.record import Facts
from mlxr.models.chat import ChatError, ChatTemplate, capabilities, find_source
from mlxr.models.errors import ModelFileError
from mlxr.models.gguf import GGUFFile
from mlxr.models.tokenizers import TokenizerError, load_gguf

FACTS_VERSION = 1
"""Raise it when the same files would give other facts; the catalogue then reads them again."""

FILE_TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4",
}
"""``general.file_type`` as llama.cpp's ``enum llama_ftype`` numbers it."""

_MAX_HEADER = 100 << 20
"""Bytes a safetensors header may have; the format's own limit."""


def read_facts(path: Path) -> Facts:
    """Facts of a GGUF file, or of a folder with ``config.json`` and ``*.safetensors``.

    Raises ``ModelFileError`` for corrupt files, ``OSError`` for unreadable ones.
    """
    return _of_folder(path) if path.is_dir() else of_gguf(GGUFFile.open(path))


def of_gguf(file: GGUFFile) -> Facts:
    metadata = file.metadata
    architecture = str(metadata.get("general.architecture", ""))
    if not architecture:
        raise ModelFileError(file.path, "has no general.architecture, so it holds no model")
    able, template = _abilities(architecture, metadata)
    return Facts(
        format="gguf",
        architecture=architecture,
        parameters=sum(math.prod(tensor.shape) for tensor in file.tensors.values()),
        quantization=_quantization(file),
        context_length=_integer(metadata, f"{architecture}.context_length"),
        embedding_length=_integer(metadata, f"{architecture}.embedding_length"),
        capabilities=able,
        license=_license(metadata),
        template=template,
    )


def _quantization(file: GGUFFile) -> str:
    """The file type's name; where it is missing or unknown, the tensor type that takes the most bytes."""
    named = FILE_TYPES.get(_integer(file.metadata, "general.file_type", -1))
    if named:
        return named
    sizes: Counter[str] = Counter()
    for tensor in file.tensors.values():
        sizes[str(tensor.type)] += tensor.data.nbytes
    return sizes.most_common(1)[0][0].upper() if sizes else ""


def with_template(path: Path, template: str) -> list[str]:
    """What the GGUF file can do with another chat template; raises ``ChatError`` for one that doesn't parse."""
    tokenizer = load_gguf(GGUFFile.open(path).metadata)
    return capabilities(ChatTemplate(template, param="template"), tokenizer).names()


def _abilities(architecture: str, metadata: dict[str, Any]) -> tuple[list[str], str]:
    """Capabilities, and the chat template. What can't be read here is left out; loading the model will tell."""
    own = str(metadata.get("tokenizer.chat_template", ""))
    if f"{architecture}.pooling_type" in metadata or architecture.endswith("bert"):
        return ["embedding"], own
    try:
        tokenizer = load_gguf(metadata)
        source = find_source(metadata, tokenizer)
        template = ChatTemplate(source.text, tool_source=source.tools) if source else None
    except (TokenizerError, ChatError):
        return ["completion"], own
    return capabilities(template, tokenizer).names(), source.text if source else ""


def _license(metadata: dict[str, Any]) -> str:
    names = ("general.license", "general.license.name", "general.license.link")
    return "\n".join(str(metadata[name]) for name in names if metadata.get(name))


def _integer(values: dict[str, Any], name: str, default: int = 0) -> int:
    value = values.get(name, default)
    return value if isinstance(value, int) else default


def _of_folder(folder: Path) -> Facts:
    config = _json(folder / "config.json")
    architecture = str(config.get("model_type", ""))
    if not architecture:
        raise ModelFileError(folder / "config.json", "names no model_type")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ModelFileError(folder, "has no *.safetensors file")
    types = _safetensors(weights)
    sentence = folder / "sentence_bert_config.json"
    limit = _integer(_json(sentence), "max_seq_length") if sentence.exists() else 0
    embeds = (folder / "modules.json").exists() or architecture.endswith("bert")
    return Facts(
        format="safetensors",
        architecture=architecture,
        parameters=types.total(),
        quantization=types.most_common(1)[0][0] if types else "",
        context_length=limit or _integer(config, "max_position_embeddings"),
        embedding_length=_integer(config, "hidden_size"),
        capabilities=["embedding"] if embeds else ["completion"],
        template=_folder_template(folder),
    )


def _safetensors(files: list[Path]) -> Counter[str]:
    """How many weights of each type the files hold, from their headers: a little-endian u64 with the
    length of the JSON object that follows (safetensors' README)."""
    types = Counter[str]()
    for path in files:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > min(_MAX_HEADER, path.stat().st_size - 8):
                raise ModelFileError(path, f"is truncated or no safetensors file: its header claims {length} bytes", 0)
            header = _object(path, file.read(length))
        end = 8 + length
        for name, tensor in header.items():
            if name == "__metadata__":
                continue
            if not tensor["dtype"].startswith("I"):  # buffers of positions and the like, not weights
                types[tensor["dtype"]] += math.prod(tensor["shape"])
            end = max(end, 8 + length + tensor["data_offsets"][1])
        if end > path.stat().st_size:
            raise ModelFileError(path, f"is truncated: its tensors reach to byte {end}", path.stat().st_size)
    return types


def _folder_template(folder: Path) -> str:
    loose = folder / "chat_template.jinja"
    if loose.exists():
        return loose.read_text("utf-8")
    config = folder / "tokenizer_config.json"
    template = _json(config).get("chat_template", "") if config.exists() else ""
    return template if isinstance(template, str) else ""


def _json(path: Path) -> dict[str, Any]:
    return _object(path, path.read_bytes())


def _object(path: Path, data: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ModelFileError(path, f"is corrupt: {error}", 0) from None
