"""What a model would become, worked out from its headers: sizes, types, and what falls back to other types."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from mlxr.actors.registry.conversion.fallbacks import fallbacks_of
from mlxr.actors.registry.conversion.job import Job, Outlook
from mlxr.api.conversion import ConversionChoice
from mlxr.api.estimate import TypeShare
from mlxr.models.conversion.gguf_to_mlx import folder_of_gguf
from mlxr.models.conversion.mlx_types import AFFINE_BITS, MODES, matrix_type
from mlxr.models.conversion.to_gguf import model_of_folder
from mlxr.models.conversion.to_mlx import Folder, folder_of
from mlxr.models.errors import UnusableModelError
from mlxr.models.formats.gguf.split import holds_gguf
from mlxr.models.quantization.file_types import FILE_TYPES, FileType, file_type
from mlxr.models.quantization.quantize import Model, Plan, describe, is_quantized, outline, requires_importance
from mlxr.models.quantization.tensor_types import Choices

MLX_TYPES = (*(f"{bits}bit" for bits in AFFINE_BITS), *MODES, "f16", "bf16")


def outlook(job: Job, choices: Callable[[], Choices]) -> Outlook:
    """Returns what the source would become in the type that is wanted, or in each of the format's. Raises
    ``UnusableModelError`` for a source that can't be converted at all, and ``ValueError``."""
    source, wanted = Path(job.source), job.wanted
    if wanted.format == "mlx":
        types: Sequence[str] = [wanted.type] if wanted.type else ["", *MLX_TYPES]
        return Outlook([_mlx(source, type, wanted.group) for type in types])
    model = Model.of_gguf(source) if holds_gguf(source) else model_of_folder(source)
    given = [file_type(wanted.type)] if wanted.type else [None, *FILE_TYPES]
    made = [_gguf(model, type, choices()) for type in given]
    return Outlook(made, describe(model), is_quantized(model))


def _gguf(model: Model, type: FileType | None, choices: Choices) -> ConversionChoice:
    name = type.name if type else ""
    try:
        made = outline(model, type, choices=choices)
    except UnusableModelError as error:
        return ConversionChoice(name, why=error.reason)
    types = _shares(made)
    weights = sum(share.weights for share in types)
    return ConversionChoice(
        name,
        made.nbytes,
        _bits(sum(share.bytes for share in types), weights),
        types,
        fallbacks_of(made.fallbacks),
        type is not None and requires_importance(made, model, type),
    )


def _shares(made: Plan) -> list[TypeShare]:
    shares: dict[str, TypeShare] = {}
    for output in made.outputs:
        entry, name = output.entry, str(output.type)
        old = shares.get(name, TypeShare(name, 0, 0, 0))
        weights = old.weights + math.prod(entry.shape)
        shares[name] = TypeShare(name, old.tensors + 1, weights, old.bytes + entry.nbytes)
    return sorted(shares.values(), key=lambda share: -share.bytes)


def _mlx(source: Path, type: str, group: int) -> ConversionChoice:
    make: Callable[..., Folder] = folder_of_gguf if holds_gguf(source) else folder_of
    try:
        folder = make(source, matrix_type(type, group), True)
    except UnusableModelError as error:
        return ConversionChoice(type, why=error.reason)
    weights = sum(math.prod(part.shape) for part in folder.parts)
    return ConversionChoice(type, folder.nbytes, _bits(folder.nbytes, weights))


def _bits(nbytes: int, weights: int) -> float:
    return round(8 * nbytes / weights, 2) if weights else 0.0
