"""Reads from a model's files what they say of it: architecture, size, quantization, limits, capabilities."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlxr.actors.registry.metadata.own_options import folder_options, gguf_options
from mlxr.models.adapters.opening import is_adapter, open_adapter
from mlxr.models.architectures.config_json import text_settings
from mlxr.models.architectures.families import encoder_family
from mlxr.models.chat import (
    ChatError,
    ChatTemplate,
    capabilities_with,
    comment,
    folder_templates,
    load_folder_template,
    load_model_template,
)
from mlxr.models.chat.capabilities import capabilities
from mlxr.models.errors import ModelFileError, UnsupportedModelError, UnusableModelError
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.formats.gguf.split import holds_gguf
from mlxr.models.formats.safetensors.folder import ModelFolder
from mlxr.models.hyperparameters import MOST, Format
from mlxr.models.jsonfile import optional_json, read_json
from mlxr.models.loading import check_model
from mlxr.models.pooling_heads import folder_logit_score, ranks_by_config, ranks_by_gguf
from mlxr.models.quantization.file_types import FILE_TYPE_NAMES
from mlxr.models.sentence_transformers import MODULES_FILE, read_modules
from mlxr.models.tokenizers import Tokenizer, TokenizerError, load_directory, load_gguf
from mlxr.runtime.errors import MlxrError
from mlxr.runtime.model_info import ADAPTER, MAX_TEXT, ModelInfo

PROBE = "The quick brown fox: 1 + 1 = 2."
"""What every tokenizer is asked to encode once."""


MAX_NAME = 64
MAX_BASE = 200
"""Characters of an architecture's name; of the name of an adapter's base."""


def read_model_info(path: Path) -> ModelInfo:
    """Returns what a GGUF file says, or a folder with ``config.json`` and ``*.safetensors``, and whether it can run
    here; what an adapter's files say, likewise.

    Raises ``ModelFileError`` for corrupt files, ``OSError`` for unreadable ones.
    """
    try:
        if is_adapter(path):
            info = _of_adapter(path)
        else:
            info = _of_gguf(GGUFFile.open(path)) if holds_gguf(path) else _of_folder(path)
        _require_short(path, "chat template", info.template, MAX_TEXT)
        _require_short(path, "licence", info.license, MAX_TEXT)
        return info
    except (MlxrError, OSError, MemoryError):
        raise
    except Exception as error:  # a file is no reason to fail in any other way, whatever it holds
        raise ModelFileError(path, f"can't be read: {type(error).__name__}: {error}"[:500]) from error


def read_or_error(path: Path) -> ModelInfo:
    """``read_model_info``, with the system's errors as mlxr's own."""
    try:
        return read_model_info(path)
    except OSError as error:
        raise ModelFileError(path, f"can't be read: {error.strerror or error}") from None


def _of_adapter(path: Path) -> ModelInfo:
    format = "safetensors" if path.is_dir() else "gguf"
    try:
        adapter = open_adapter(path)
    except UnsupportedModelError as error:
        place = f"{error.path.name} " if error.path != path else ""
        return ModelInfo(format, "", capabilities=[ADAPTER], unusable=f"{place}{error.reason}")
    _require_short(path, "architecture", adapter.architecture, MAX_NAME)
    types = Counter(pair.down.stored_as for pair in adapter.pairs.values())
    return ModelInfo(
        format=format,
        architecture=adapter.architecture,
        parameters=adapter.parameters,
        quantization=types.most_common(1)[0][0].upper(),
        capabilities=[ADAPTER],
        base=adapter.base[:MAX_BASE],
    )


@dataclass(frozen=True, slots=True)
class _Text:
    """A model's tokenizer, or why it has none (``fault``)."""

    tokenizer: Tokenizer | None
    fault: str = ""

    @classmethod
    def load(cls, load: Callable[[], Tokenizer]) -> _Text:
        try:
            tokenizer = load()
            tokenizer.decode(tokenizer.encode(PROBE))
        except TokenizerError as error:
            return cls(None, f"has a tokenizer that can't be used: {error}")
        except MemoryError:
            raise
        except Exception as error:  # of packages that raise what they like
            return cls(None, f"has a tokenizer that can't be used: {type(error).__name__}: {error}"[:500])
        return cls(tokenizer)


def _why_unusable(path: Path, text: _Text) -> str:
    """What a load of the model would say, without reading weights; else what is wrong with its tokenizer."""
    try:
        check_model(path)
    except UnusableModelError as error:
        return error.within(path)
    return text.fault


def _of_gguf(file: GGUFFile) -> ModelInfo:
    metadata = file.metadata
    architecture = metadata.get("general.architecture")
    if not isinstance(architecture, str) or not architecture:
        raise ModelFileError(file.path, "has no general.architecture, so it holds no model")
    _require_short(file.path, "general.architecture", architecture, MAX_NAME)
    text = _Text.load(lambda: load_gguf(metadata))
    able, template = _abilities(architecture, file, text.tokenizer)
    return ModelInfo(
        format="gguf",
        architecture=architecture,
        parameters=sum(math.prod(tensor.shape) for tensor in file.tensors.values()),
        quantization=_quantization(file),
        context_length=_integer(metadata, f"{architecture}.context_length"),
        embedding_length=_integer(metadata, f"{architecture}.embedding_length"),
        capabilities=able,
        license=_license(metadata),
        template=template,
        options=gguf_options(metadata),
        unusable=_why_unusable(file.path, text),
        encoder=encoder_family(Format.GGUF, architecture),
    )


def _quantization(file: GGUFFile) -> str:
    """The file type's name; where it is missing or unknown, the tensor type that takes the most bytes."""
    named = FILE_TYPE_NAMES.get(_integer(file.metadata, "general.file_type", -1))
    if named:
        return named
    sizes: Counter[str] = Counter()
    for tensor in file.tensors.values():
        sizes[tensor.stored_as] += tensor.nbytes
    return sizes.most_common(1)[0][0].upper() if sizes else ""


def with_template(template: str, insert: bool) -> list[str]:
    """Returns what a model can do with another chat template; ``insert``: whether it fills in the middle. Raises
    ``ChatError`` for a template that doesn't parse or renders no conversation."""
    made = ChatTemplate(template, param="template", bounded=True)
    if made.fault:
        raise ChatError(made.fault, "template")
    return capabilities_with(made, insert=insert).names()


def _abilities(architecture: str, file: GGUFFile, tokenizer: Tokenizer | None) -> tuple[list[str], str]:
    """Capabilities, and the chat template. What can't be read here is left out; loading the model will tell."""
    metadata = file.metadata
    own = _text(metadata, "tokenizer.chat_template")
    encoder = encoder_family(Format.GGUF, architecture)
    kind = metadata.get(f"{architecture}.pooling_type")
    if ranks_by_gguf(kind, encoder, file.tensors):
        return ["rerank"], own
    if encoder or kind is not None:
        return ["embedding"], own
    if tokenizer is None:
        return ["completion"], own
    found = load_model_template(metadata, tokenizer)
    return capabilities(found.template, tokenizer).names(), found.shown()


def _folder_abilities(path: Path, config: dict[str, Any], tokenizer: Tokenizer | None) -> tuple[list[str], str]:
    """As ``_abilities``, of a folder."""
    if ranks_by_config(config) or _has_classifier(path):
        return ["rerank"], _folder_template(path)
    embeds = (path / MODULES_FILE).exists() or _is_encoder(config)
    if embeds or tokenizer is None:
        return ["embedding" if embeds else "completion"], _folder_template(path)
    found = load_folder_template(path, tokenizer)
    return capabilities(found.template, tokenizer).names(), found.shown()


def _is_encoder(config: dict[str, Any]) -> bool:
    sees_all = config.get("use_bidirectional_attention") is True
    return sees_all or encoder_family(Format.HUGGING_FACE, _text(config, "model_type"))


def _has_classifier(path: Path) -> bool:
    """Tells whether a text model in a folder ranks."""
    try:
        return folder_logit_score(path, read_modules(path)) is not None
    except UnusableModelError:
        return False


def _folder_template(folder: Path) -> str:
    """The folder's own template, with what is wrong with it."""
    text = folder_templates(folder).get("default", "")
    try:
        fault = ChatTemplate(text, bounded=True).fault if text.strip() else ""
    except ChatError as error:
        fault = str(error)
    return comment(f"in the model's file, {fault}") if fault else text


def _require_short(path: Path, what: str, text: str, most: int) -> None:
    """Refuses texts that no model has: the catalogue keeps them, and every actor is told of them."""
    if len(text) > most:
        raise ModelFileError(path, f"has a {what} of {len(text)} characters; mlxr takes at most {most}")


def _license(metadata: dict[str, Any]) -> str:
    names = ("general.license", "general.license.name", "general.license.link")
    return "\n".join(text for name in names if (text := _text(metadata, name)))


def _text(values: dict[str, Any], name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) else ""


def _integer(values: dict[str, Any], name: str, default: int = 0) -> int:
    value = values.get(name)
    whole = isinstance(value, int) and not isinstance(value, bool) and -MOST <= value <= MOST
    return int(value) if whole else default  # type: ignore[arg-type]


def _of_folder(path: Path) -> ModelInfo:
    config = read_json(path / "config.json", infinite=True)
    architecture = _text(config, "model_type")
    if not architecture:
        raise ModelFileError(path / "config.json", "names no model_type")
    _require_short(path / "config.json", "model_type", architecture, MAX_NAME)
    config = text_settings(config)
    types = _weights(ModelFolder.open(path))
    limit = _integer(optional_json(path / "sentence_bert_config.json"), "max_seq_length")
    text = _Text.load(lambda: load_directory(path))
    able, template = _folder_abilities(path, config, text.tokenizer)
    return ModelInfo(
        format="safetensors",
        architecture=architecture,
        parameters=types.total(),
        quantization=types.most_common(1)[0][0] if types else "",
        context_length=limit or _integer(config, "max_position_embeddings"),
        embedding_length=_integer(config, "hidden_size"),
        capabilities=able,
        template=template,
        options=folder_options(path),
        unusable=_why_unusable(path, text),
        encoder=_is_encoder(config),
    )


def _weights(folder: ModelFolder) -> Counter[str]:
    """How many weights of each type the folder holds; buffers of positions and the like are none."""
    types = Counter[str]()
    for tensor in folder.tensors.values():
        if tensor.type is not None:
            types[tensor.stored_as] += math.prod(tensor.shape)
    return types
