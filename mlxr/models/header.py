"""A model as its headers have it, whatever format they are in: its family, its settings, where its tensors lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlxr.models.architectures import config_json, other_senses
from mlxr.models.architectures.families import by_architecture, find
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.families.nearest import nearest
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.formats.gguf.split import CONFIG, holds_gguf
from mlxr.models.formats.quantized import mlx as mlx_quantized
from mlxr.models.formats.safetensors.folder import ModelFolder
from mlxr.models.hyperparameters import Format, Hyperparameters
from mlxr.models.modelfile import StoredTensor
from mlxr.models.pooling_heads import folder_logit_score
from mlxr.models.sentence_transformers import LogitScore, Modules, folder_settings, read_modules
from mlxr.models.vocabulary_size import folder_tokens


@dataclass(frozen=True, slots=True)
class ModelHeader:
    """A model as its headers have it. ``tokens``: how many its vocabulary names. ``modules``: of sentence-transformers,
    beside a folder's model; ``score``: how a text model in a folder ranks, None where it does not. ``notes``: what is
    to be said of how its tensors are read."""

    path: Path
    architecture: str
    family: Family
    parameters: Hyperparameters
    tensors: Mapping[str, StoredTensor]
    tokens: int
    modules: Modules = field(default_factory=Modules)
    score: LogitScore | None = None
    notes: tuple[str, ...] = ()

    @property
    def table(self) -> FormatTable:
        return self.family.tables[self.parameters.format]


def read_header(path: Path, families: Sequence[Family] | None = None) -> ModelHeader:
    """Opens a GGUF model or a model folder. Raises ``UnusableModelError``, and ``OSError`` where it can't be opened."""
    return _gguf_header(path, families) if holds_gguf(path) else _folder_header(path, families)


def _gguf_header(path: Path, families: Sequence[Family] | None) -> ModelHeader:
    file = GGUFFile.open(path)
    path = file.path
    architecture = Hyperparameters(path, file.metadata).text("general.architecture")
    family = _family(path, architecture, Format.GGUF, families)
    parameters = Hyperparameters(path, file.metadata, f"{architecture}.")
    tokens = file.metadata.get("tokenizer.ggml.tokens", ())
    count = len(tokens) if isinstance(tokens, Sequence) else 0
    return ModelHeader(path, architecture, family, parameters, file.tensors, count)


def _folder_header(path: Path, families: Sequence[Family] | None) -> ModelHeader:
    folder = ModelFolder.open(path)
    config_file = path / CONFIG
    model_type = Hyperparameters(config_file, folder.config).text("model_type")
    architecture = config_json.architecture_of(model_type, folder.config)
    config = folder_settings(folder)
    inner = other_senses.language_model(model_type, config)
    if inner is not None:
        architecture = inner
    by_mlx = mlx_quantized.SETTING in folder.config or (folder.by_mlx and _changed_by_mlx(architecture, families))
    format = Format.MLX if by_mlx else Format.HUGGING_FACE
    family = _family(path, architecture, format, families)
    table = family.tables[format]
    if inner is not None:
        table = replace(table, leftovers=other_senses.beside(table.leftovers))
        family = replace(family, tables={**family.tables, format: table}, written=False)
    tensors = config_json.renamed(config_json.text_tensors(folder.tensors), table.renamed)
    if inner is not None:
        config = other_senses.alone(config, table.names.get("head") in tensors)
    own = config_json.flattened(config_json.text_settings(config))
    settings = {**table.defaults, **{table.keys.get(key, key): value for key, value in own.items()}}
    parameters = Hyperparameters(config_file, settings, format=format, keys=config_json.KEYS)
    if len(tensors) < len(folder.tensors):
        raise ModelFileError(path, "has the tensors of its language model twice, by two kinds of names")
    modules = read_modules(path)
    score = folder_logit_score(path, modules)
    all_tensors = {**tensors, **modules.tensors}
    count = folder_tokens(path)
    return ModelHeader(path, architecture, family, parameters, all_tensors, count, modules, score, folder.notes)


def _changed_by_mlx(architecture: str, families: Sequence[Family] | None) -> bool:
    """Tells whether MLX's packages may have changed the tensors of a folder that they wrote: those of an encoder that
    is no family of theirs they write as they were."""
    family = find(Format.HUGGING_FACE, architecture, families)
    return find(Format.MLX, architecture, families) is not None or family is None or not family.encoder


def _family(path: Path, architecture: str, format: Format, families: Sequence[Family] | None) -> Family:
    family = find(format, architecture, families)
    if family is None:
        known = by_architecture(format, families)
        shown, names = repr(architecture[:60]), ", ".join(sorted(known))
        where = [format for format in Format if architecture in by_architecture(format, families)]
        reason = f"which mlxr runs from {' and '.join(where)}" if where else "which mlxr lacks"
        close = nearest(architecture[:60], known)
        raise UnsupportedModelError(
            path,
            f"is of the architecture {shown}, {reason}; the nearest that it has is {close!r}, and in this format it "
            f"runs {names}",
        )
    return family
