"""Values of several messages: what is told of models that have a name here, of engines, and of memory."""

from __future__ import annotations

from mlxr.runtime.messages.common import Adapter, Json, Value
from mlxr.runtime.model_info import ModelInfo


class ModelEntry(Value, frozen=True):
    """A catalogued model.

    digest: SHA-256 in hexadecimal of what it answers with, files and what was laid over them.
    size: bytes of its files.
    modified: seconds since the epoch.
    path: of its file or folder.
    info: what the files say, under what was laid over them.
    source: what it was pulled from, as ``mlxr pull`` takes it; ``path`` for a local file that is no part of the
        catalogue.
    options: default parameters, a JSON object by Ollama's names.
    messages: that go before a conversation's, a JSON array as in Ollama's chat.
    adapters: those that it was made with.
    fits: of an adapter, the names of the models here that it can be applied to.
    tool: in whose store its files stay, ``ollama`` say; '' for those that are mlxr's own.
    """

    name: str
    digest: str
    size: int
    modified: float
    path: str
    info: ModelInfo
    aliases: list[str] = []
    source: str = ""
    system: str = ""
    options: Json = b"{}"
    messages: Json = b"[]"
    adapters: list[Adapter] = []
    fits: list[str] = []
    tool: str = ""


class EngineInfo(Value, frozen=True):
    """A running engine, by one of the names it serves.

    state: loading, ready, restarting, failed or stopping.
    progress: 0 to 1 of ``stage`` while loading, and of what a ready engine does in the background.
    error: why it failed, None where it did not.
    expires: when it unloads if unused, seconds since the epoch; None for never.
    pinned: whether it stays whatever requests say, and whoever needs room.
    ending: which of its endings this is, where it is stopping (``EngineReleased``).
    page_type: how its pages keep keys and values; '' where it keeps none, or is not loaded.
    drafter, undrafted: as in ``EngineUp``.
    """

    engine: str
    model: str
    state: str
    progress: float = 0.0
    stage: str = ""
    error: str | None = None
    context_length: int = 0
    memory_bytes: int = 0
    backend: str = ""
    expires: float | None = None
    pinned: bool = False
    ending: int = 0
    page_type: str = ""
    drafter: str = ""
    undrafted: str = ""


class HeldMemory(Value, frozen=True):
    """What an engine holds, as the system counts it; the answer to ``MeasureEngines`` is a list of these.

    bytes: of all its processes, with what it has of a GPU's own memory.
    device_bytes: what it has of the memory of a GPU, its own or the system's; 0 on a CPU.
    """

    engine: str
    bytes: int
    device_bytes: int


class MemoryInfo(Value, frozen=True):
    """Bytes of this machine, what processes may still take of them, and what engines may take together."""

    total: int
    available: int
    limit: int
