"""How a model is to be converted, as requests say it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from mlxr.http.field_types import ModelName
from mlxr.http.fields import Fields


class ConversionFields(Fields, frozen=True, kw_only=True):
    """How a model is to be converted.

    model: the source.
    format: ``gguf`` or ``mlx``.
    type: a file type's name (``Q4_K_M``; ``4bit`` for MLX); empty for the types that the model has.
    requantize: whether a source may be quantized already.
    pure: whether every matrix becomes the same type.
    output_type, embedding_type: of the output projection and the embedding.
    keep_output: whether the output projection stays as it is.
    tensor_types: ``EXPRESSION=TYPE``.
    group: values that share a scale (MLX).
    """

    model: ModelName
    format: Annotated[str, Meta(pattern="^(gguf|mlx)$")] = "gguf"
    type: Annotated[str, Meta(max_length=64)] = ""
    requantize: bool = False
    pure: bool = False
    output_type: Annotated[str, Meta(max_length=64)] = ""
    embedding_type: Annotated[str, Meta(max_length=64)] = ""
    keep_output: bool = False
    tensor_types: Annotated[list[Annotated[str, Meta(max_length=1024)]], Meta(max_length=256)] = []
    group: Annotated[int, Meta(ge=0, le=1024)] = 0


def wanted(body: ConversionFields) -> bytes:
    """Returns how a model is to be converted, as the registry takes it."""
    given = msgspec.to_builtins(body)
    return msgspec.json.encode({name: value for name, value in given.items() if name not in ("model", "name")})
