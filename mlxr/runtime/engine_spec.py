"""What an engine is made for: the registry writes it into ``StartEngine``, the supervisor derives settings from it."""

from __future__ import annotations

from msgspec import Struct

from mlxr.runtime.model_info import ModelInfo


class DraftFiles(Struct, frozen=True):
    """A model that may draft for another.

    named: by somebody, so that others make room for it; of those that are not, one is taken that fits.
    required: the other model's own parameters name it, so that it is not to run without.
    path, identity: as in ``EngineSpec``.
    missing: why there are no such files; empty where there are.
    """

    name: str
    path: str
    identity: str = ""
    named: bool = True
    required: bool = True
    missing: str = ""


class EngineSpec(Struct, frozen=True):
    """One model, ready to load. Travels as JSON.

    model: the name it was first asked for by.
    digest: of its files, SHA-256 in hexadecimal.
    path: the model's file, or its folder where the format is ``safetensors``.
    info: what the files say, without their texts (licence, template), which an engine reads itself.
    template: replaces the file's own chat template; empty where it doesn't.
    family: the chat family that the model is said to write like; empty where the template tells it.
    identity: what the files were when the engine was made for them (``mlxr.models.identity``): whatever is read of them
        later must be of the same model; empty where nobody looked.
    content: what is computed with the files is kept under it: their digest where they are known to have it, else what
        they were.
    draft_model: what its own parameters say of the model that drafts for it; None where they say nothing.
    drafts: those that can, the best first, as they were found when the engine was made.
    """

    model: str
    digest: str
    path: str
    info: ModelInfo
    template: str = ""
    family: str = ""
    identity: str = ""
    content: str = ""
    draft_model: str | None = None
    drafts: list[DraftFiles] = []
