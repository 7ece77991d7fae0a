"""What an engine is made for: the registry writes it into ``StartEngine``, the supervisor derives settings from it."""

from __future__ import annotations

from msgspec import Struct


class EngineSpec(Struct, frozen=True):
    """One model, ready to load. Travels as JSON.

    ``path``: the model's file, or its folder where ``format`` is ``safetensors``. ``template`` replaces the file's own
    chat template; empty where it doesn't. ``identity``: what the files were when the engine was made for them
    (``mlxr.models.identity``): whatever is read of them later must be of the same model; empty where nobody looked.
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
    identity: str = ""
