"""Tensors that can't have the type that they should, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from mlxr.api.conversion import Fallback
from mlxr.metal.tensors import BLOCKS
from mlxr.models.quantization.tensor_types import Chosen


def fallbacks_of(chosen: Iterable[Chosen]) -> list[Fallback]:
    """Returns them counted, the most frequent first."""
    counted = Counter(chosen).most_common()
    return [Fallback(str(each.wanted), str(each.type), tensors) for each, tensors in counted]


def sentence(fallback: Fallback) -> str:
    """Returns what people are told of it."""
    tensors = "1 tensor is" if fallback.tensors == 1 else f"{fallback.tensors} tensors are"
    block = next(block for type, (block, *_) in BLOCKS.items() if type == fallback.type)
    return (
        f"{tensors} {fallback.instead} instead of {fallback.type}, whose blocks of {block} values the rows do not fill"
    )
