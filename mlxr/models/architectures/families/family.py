"""What a family of models is: how its hyperparameters become a spec, and where its tensors are in each format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mlxr.models.architectures.spec import DecoderSpec, EncoderSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

ModelSpec = DecoderSpec | EncoderSpec


@dataclass(frozen=True, slots=True)
class Family:
    """Models of one shape.

    ``name``: what people call it.
    ``read``: makes the spec; it raises ``ModelFileError`` for what makes no sense and ``UnsupportedModelError`` for
    what mlxr lacks. The weights are there for the few numbers that formats keep as tensors.
    ``tables``: the formats it runs from.
    ``reordered``: whether GGUF files have the rows of each query and key head in another order than folders do: there
    neighbours turn together, and here halves.
    ``encoder``: all of its models are encoders.
    ``written``: whether mlxr writes its models in other formats: not where files hold parts that it does not run, nor
    where it has no rows for their settings.
    """

    name: str
    read: Callable[[Hyperparameters, Weights], ModelSpec]
    tables: Mapping[Format, FormatTable]
    reordered: bool = False
    encoder: bool = False
    written: bool = True
