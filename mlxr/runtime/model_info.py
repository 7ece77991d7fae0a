"""What a model's own files say of it: read once, kept in the catalogue, sent to whoever is told of the model."""

from __future__ import annotations

from msgspec import Struct, field

ADAPTER = "adapter"
"""The one capability of a low-rank adapter, which runs with a model that it fits."""

INFO_VERSION = 7
"""Raise it when the same files would say something else; the catalogue then reads them again."""

MAX_TEXT = 1 << 20
"""Characters of a template, and of a licence."""


class ModelInfo(Struct, frozen=True):
    """What a model is, and whether it runs here.

    format: ``gguf`` or ``safetensors``.
    architecture: as the files name it, ``llama`` say.
    parameters: the number of weights.
    quantization: the name llama.cpp has for the file's type, ``Q4_K_M`` say, or the weights' type.
    context_length: tokens the model was made for; 0 where the files do not say.
    embedding_length: width of a hidden state; 0 where the files do not say.
    capabilities: completion, tools, thinking, insert, embedding, rerank; adapter.
    license: its name or its text.
    template: the chat template.
    encoder: an input is read whole, in one step, and nothing of it is kept; ``encodes`` in catalogues.
    unusable: why the model can't run here, a phrase that reads well after its name; empty where it can.
    options: parameters that the files ask for, by Ollama's names.
    base: of an adapter, the model that it was trained on, as its files call it; '' where they do not say.
    """

    format: str
    architecture: str
    parameters: int = 0
    quantization: str = ""
    context_length: int = 0
    embedding_length: int = 0
    capabilities: list[str] = []
    license: str = ""
    template: str = ""
    unusable: str = ""
    encoder: bool = field(default=False, name="encodes")
    base: str = ""
    options: dict[str, float | int] = {}

    @property
    def is_adapter(self) -> bool:
        return ADAPTER in self.capabilities
