"""What an engine is made for: the registry writes it into ``StartEngine``, the supervisor derives settings from it."""

from __future__ import annotations

from msgspec import Struct


class EngineSpec(Struct, frozen=True):
    """One model, ready to load. Travels as JSON.

    ``path``: the model's file, or its folder where ``format`` is ``safetensors``. ``template`` replaces the file's own
    chat template; empty where it doesn't.
    """

    model: str
    digest: str
    path: str
    architecture: str
    format: str = "gguf"
    capabilities: list[str] = []
    parameters: int = 0
    size: int = 0
    context_length: int = 0
    embedding_length: int = 0
    template: str = ""
