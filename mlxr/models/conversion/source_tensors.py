"""A model on its way into another format, and each of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlxr.metal.specs import AttentionAndMamba2Spec, AttentionSpec, GatedDeltaNetSpec, LatentSpec, Mamba2Spec
from mlxr.models.architectures.families.family import ModelSpec
from mlxr.models.architectures.spec import LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.conversion.tensor_places import Place
from mlxr.models.conversion.transforms import Readable
from mlxr.models.errors import UnsupportedModelError


@dataclass(frozen=True, slots=True)
class Model:
    """A model on its way into another format.

    path: of its folder or file.
    architecture: GGUF's name.
    spec: what the family reads.
    config: of a folder the text model's settings, by the names in ``config.json``.
    source, target: the family's tables.
    reordered: whether neighbours in the rows of queries and keys turn together in GGUF files, and halves in folders.
    at: its tensors by their places.
    """

    path: Path
    architecture: str
    spec: ModelSpec
    config: Mapping[str, Any]
    source: FormatTable
    target: FormatTable
    reordered: bool
    at: Mapping[Place, Readable] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceTensor:
    """A tensor of the folder, and its place."""

    model: Model
    tensor: Readable
    place: Place

    def of(self, tensor: Readable, role: str = "") -> SourceTensor:
        """Returns another tensor of the same place, or of another role there."""
        return SourceTensor(self.model, tensor, self.place._replace(role=role or self.place.role))

    @property
    def role(self) -> str:
        return self.place.role

    @property
    def layer(self) -> LayerSpec:
        """The layer that it is in. Raises ``UnsupportedModelError`` where its name has no layer's number."""
        if self.place.layer is None:
            raise UnsupportedModelError(self.model.path, f"has the tensor {self.tensor.name!r} in no layer")
        return self.model.spec.layers[self.place.layer]

    def _mixer(self, kind: type[Any]) -> Any:
        mixer = self.layer.mixer
        if isinstance(mixer, AttentionAndMamba2Spec):
            mixer = mixer.attention if kind is AttentionSpec else mixer.mamba2
        if not isinstance(mixer, kind):
            reason = f"has the tensor {self.tensor.name!r} in a layer of another kind"
            raise UnsupportedModelError(self.model.path, reason)
        return mixer

    @property
    def attention(self) -> AttentionSpec:
        mixer: AttentionSpec = self._mixer(AttentionSpec)
        return mixer

    @property
    def latent(self) -> LatentSpec:
        mixer: LatentSpec = self._mixer(LatentSpec)
        return mixer

    @property
    def delta(self) -> GatedDeltaNetSpec:
        mixer: GatedDeltaNetSpec = self._mixer(GatedDeltaNetSpec)
        return mixer

    @property
    def mamba2(self) -> Mamba2Spec:
        mixer: Mamba2Spec = self._mixer(Mamba2Spec)
        return mixer
