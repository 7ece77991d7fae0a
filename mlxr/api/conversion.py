"""What a model would become in other types, said before it is converted."""

from __future__ import annotations

from msgspec import Struct

from mlxr.api.estimate import TypeShare


class Fallback(Struct, frozen=True):
    """Tensors that become ``instead`` since their rows do not fill the blocks of ``type``."""

    type: str
    instead: str
    tensors: int


class ConversionChoice(Struct, frozen=True):
    """One way to convert a model.

    type: the file type's name, ``4bit`` and such for MLX; '' for the types that the model has.
    size: bytes of the new files, exactly for GGUF.
    bits: of a weight, on average.
    types: what tensors become, the type with most bytes first.
    fallbacks: tensors that can't have the type that they should.
    importance: whether it takes an importance matrix.
    why: why it can't be done, a phrase that reads well after the model's name; '' where it can.
    """

    type: str
    size: int = 0
    bits: float = 0.0
    types: list[TypeShare] = []
    fallbacks: list[Fallback] = []
    importance: bool = False
    why: str = ""


class ConversionEstimate(Struct, frozen=True):
    """All ways to convert a model to one format.

    model: its name.
    format: ``gguf`` or ``mlx``.
    size: bytes of its files now.
    quantization: what it is in now.
    quantized: whether that loses something already, so that quantizing again needs to be asked for.
    free: bytes on the disk of the models.
    """

    model: str
    format: str
    size: int
    quantization: str
    quantized: bool
    free: int
    choices: list[ConversionChoice] = []
