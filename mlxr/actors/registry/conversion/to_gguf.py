"""Makes GGUF files: opens the source, plans the file, checks for room, writes it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.conversion.fallbacks import fallbacks_of, sentence
from mlxr.actors.registry.conversion.job import Done, Job, Wanted
from mlxr.metal.tensors import TensorType
from mlxr.models.conversion.to_gguf import model_of_folder
from mlxr.models.formats.gguf.split import holds_gguf
from mlxr.models.formats.gguf.tensor_types import TENSOR_TYPES
from mlxr.models.quantization.encoding import Advanced, write_model
from mlxr.models.quantization.file_types import file_type
from mlxr.models.quantization.importance import read_importance
from mlxr.models.quantization.quantize import Model, describe, plan
from mlxr.models.quantization.tensor_types import Choices

ENCODED = tuple(type for type in TENSOR_TYPES.values() if type is not TensorType.Q8_K)
"""Types that ggml encodes for files: Q8_K is for what is multiplied alone."""

Begin = Callable[[str], Advanced]
"""Takes the status of a stage, and returns what hears of its progress."""


def convert(job: Job, target: Path, begin: Begin) -> Done:
    """Writes ``target``. Raises ``UnusableModelError``, ``OutOfSpace``, ``NoEncoder``, ``ValueError``, ``OSError``."""
    wanted = job.wanted
    source = Path(job.source)
    model = Model.of_gguf(source) if holds_gguf(source) else model_of_folder(source)
    importance = read_importance(wanted.importance) if wanted.importance else None
    type = file_type(wanted.type) if wanted.type else None
    made = plan(model, type, importance, choices(wanted), wanted.requantize)
    status = f"quantizing {describe(model)} model to {type.name}" if type else "converting model"
    with files.space_for(target.parent, made.nbytes):
        with files.create(target) as file:
            digest = write_model(file, made.pairs, made.outputs, job.threads, begin(status))
        files.sync(target)
    return Done(digest, files.size_of(target), [sentence(each) for each in fallbacks_of(made.fallbacks)])


def choices(wanted: Wanted) -> Choices:
    """Returns what people laid down for single tensors. Raises ``ValueError`` for what is no type or no expression."""
    by_name = []
    for each in wanted.tensor_types:
        expression, is_there, type = each.rpartition("=")
        if not is_there or not expression:
            raise ValueError(f"{each[:80]!r} is no EXPRESSION=TYPE, such as ffn_down=q8_0")
        try:
            re.compile(expression)
        except re.error as error:
            raise ValueError(f"{expression[:80]!r} is no regular expression: {error}") from None
        by_name.append((expression, tensor_type(type)))
    return Choices(
        pure=wanted.pure,
        output=tensor_type(wanted.output_type) if wanted.output_type else None,
        embedding=tensor_type(wanted.embedding_type) if wanted.embedding_type else None,
        keep_output=wanted.keep_output,
        by_name=tuple(by_name),
    )


def tensor_type(name: str) -> TensorType:
    """Returns the type of that name, in any case. Raises ``ValueError`` with the list of all."""
    wanted = name.strip().upper()
    for type in ENCODED:
        if type == wanted:
            return type
    raise ValueError(f"{name[:40]!r} is no type of tensors; choose from {', '.join(ENCODED)}")
