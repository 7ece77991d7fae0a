"""A GGUF file whose settings are to be written as a folder has them, and what a row of these is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from mlxr.metal.specs import AttentionSpec
from mlxr.models.architectures.spec import DecoderSpec, Experts
from mlxr.models.conversion.settings_from_layers import experts, mixers
from mlxr.models.header import ModelHeader

T = TypeVar("T")
Config = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """A GGUF file, and the model that mlxr reads from it."""

    header: ModelHeader
    spec: DecoderSpec

    def get(self, key: str) -> Any:
        """Returns a setting by GGUF's key; None where there is none."""
        return plain(self.header.parameters.values.get(self.header.parameters.prefix + key))

    def has(self, role: str) -> bool:
        """Returns whether the first layer has a tensor of that role."""
        name = self.header.table.names.get(role)
        return name is not None and name.format(layer=0, expert=0) in self.header.tensors

    def has_any(self, role: str) -> bool:
        """Returns whether a layer has a tensor of that role."""
        name = self.header.table.names.get(role, "")
        return any(name.format(layer=layer, expert=0) in self.header.tensors for layer in range(len(self.spec.layers)))

    @property
    def head_size(self) -> int:
        return int(self.get("attention.key_length") or self.get("embedding_length") // self.get("attention.head_count"))

    def mixer(self, kind: type[T]) -> T:
        """Returns the first mixer of that kind. Raises ``StopIteration`` where there is none."""
        return next(mixers(self.spec, kind))

    @property
    def experts(self) -> Experts | None:
        return experts(self.spec)

    @property
    def attention(self) -> list[AttentionSpec]:
        return [layer.mixer for layer in self.spec.layers if isinstance(layer.mixer, AttentionSpec)]


Computed = Callable[[Source], Config]


@dataclass(frozen=True, slots=True)
class Row:
    """One architecture of GGUF files as folders have it.

    model_type, model_class: ``model_type``, and the one of ``architectures``.
    keys: further settings, by GGUF's keys.
    fixed: what all models of it have.
    computed: what follows from others, or from the tensors.
    without: what most have and these have not.
    """

    model_type: str
    model_class: str
    keys: Mapping[str, str] = dataclasses.field(default_factory=dict)
    fixed: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    computed: tuple[Computed, ...] = ()
    without: tuple[str, ...] = ()


def plain(value: Any) -> Any:
    """Returns a value of metadata as JSON has it. Numbers are 32 bits in the file, and as short as these allow."""
    if isinstance(value, np.ndarray):
        return [plain(one) for one in value.tolist()]
    if isinstance(value, float):
        return float(str(np.float32(value)))
    return value


def numbers(tensor: Any) -> list[float]:
    return [plain(float(one)) for one in tensor.read().data.view(np.float32).reshape(-1)]
