"""What a transport asks of the actors. The frontend implements it; a transport knows no more of them than this.

A handler that is cancelled (its client has gone) just leaves the ``async with``; the stream then cancels the request.
Commands are built with ``request=0``; the gateway gives them their number. Whose they are it takes from
``mlxr.api.caller``, which a transport sets before.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from mlxr.api.chats.link import Chats
from mlxr.api.library import Library
from mlxr.api.monitor import Monitor
from mlxr.runtime.config_sources import Setting
from mlxr.runtime.messages.catalogue import EngineInfo, ModelEntry
from mlxr.runtime.messages.common import Usage
from mlxr.runtime.messages.frontend import (
    Delta,
    Embedding,
    EngineStats,
    PromptLogprobs,
    RegistryReply,
    Started,
    Tokenized,
)
from mlxr.runtime.messages.profile import ProfileCommand
from mlxr.runtime.messages.registry import (
    ControlJob,
    ConvertModel,
    CopyModel,
    CreateModel,
    DeleteModel,
    EstimateConversion,
    EstimateModel,
    ImportModels,
    ListToolModels,
    LoadModel,
    MeasureEngines,
    PullModel,
    PushModel,
    ShowModel,
    StartJob,
    UnloadModel,
)
from mlxr.runtime.messages.tokenizer import Detokenize, Embed, Generate, Tokenize

RegistryCommand = (
    LoadModel
    | UnloadModel
    | PullModel
    | PushModel
    | CreateModel
    | CopyModel
    | DeleteModel
    | ShowModel
    | EstimateModel
    | ListToolModels
    | ImportModels
    | MeasureEngines
    | ConvertModel
    | EstimateConversion
    | StartJob
    | ControlJob
)


class Stream(Protocol):
    """The answers to one request, which are either followed or read as a whole; a failure raises ``RequestError``.

    request: its number.
    usage: final after the end.
    tokens: ids of prompt and output, final after the end, where they were asked for.
    load_seconds: how long the request waited for its model to load, 0 for a loaded one.
    """

    request: int
    usage: Usage
    tokens: list[int]
    load_seconds: float

    async def started(self) -> Started:
        """Waits until the prompt is tokenized and queued; raises ``RequestError`` (a bad prompt, a full queue)."""
        ...

    async def follow(self, write: Callable[[list[Delta]], bool], drained: Callable[[], Awaitable[None]]) -> None:
        """Has ``write`` called with the deltas of every step as they come, until the request has ended.

        It is called from wherever they arrive, and says whether there is room for more; where there is none, what
        comes while ``drained`` is awaited is kept for one call. What it raises is raised here.
        """
        ...

    async def rest(self) -> list[Delta]:
        """Waits for the end, then every delta: for answers that are not streamed."""
        ...

    def prompt_logprobs(self) -> list[PromptLogprobs]:
        """Returns every piece, in order of position; complete once the stream has ended."""
        ...


class Blobs(Protocol):
    """Files that clients upload by digest (``sha256:`` and 64 hexadecimal digits).

    Both raise ``RequestError`` for what is no digest.
    """

    async def has(self, digest: str) -> bool: ...

    async def save(self, digest: str, length: int | None, pieces: AsyncIterator[bytes]) -> None:
        """Keeps what comes, ``length`` bytes or, with None, as many as there are. Raises ``RequestError`` if it is not
        what ``digest`` says."""
        ...


class Gateway(Protocol):
    """The actors, as transports see them.

    library: models, what is loaded of them, memory and jobs, as rows that can be followed.
    monitor: what the server tells of itself.
    configuration: each key of the server's configuration and where it comes from, without secrets.
    """

    library: Library
    configuration: Sequence[Setting]

    @property
    def monitor(self) -> Monitor: ...

    @property
    def chats(self) -> Chats:
        """The way to the actor that owns the chats."""
        ...

    async def catalog_ready(self) -> None:
        """Waits until it is known what models there are; raises ``RequestError`` when that takes too long."""
        ...

    def models(self) -> list[ModelEntry]:
        """Returns the catalogue, newest first."""
        ...

    def find(self, name: str) -> ModelEntry | None:
        """Returns the installed model of that name or alias, in any case, with or without ``:latest``, or the GGUF file
        at that path."""
        ...

    def engines(self) -> list[EngineInfo]: ...

    def stats(self) -> list[EngineStats]:
        """Returns the latest counters of every engine."""
        ...

    def health(self) -> EngineInfo | None:
        """Returns the engine that keeps the server from being ready (loading or failed), None when all is well."""
        ...

    def accepting(self) -> bool:
        """Returns False once the server shuts down."""
        ...

    def generate(
        self,
        model: str,
        command: Generate,
        *,
        surface: str = "",
        keep_alive: float | None = None,
    ) -> AbstractAsyncContextManager[Stream]:
        """Sends ``command`` to the model's engine, loading it first if need be. Leaving the context early cancels.

        Raises ``RequestError`` with ``MODEL_NOT_FOUND`` for an unknown name.
        """
        ...

    async def embed(
        self,
        model: str,
        command: Embed,
        *,
        surface: str = "",
        keep_alive: float | None = None,
    ) -> Embedding: ...

    async def tokenize(self, model: str, command: Tokenize | Detokenize, *, surface: str = "") -> Tokenized: ...

    def cancel(self, request: int) -> None:
        """Ends a request that somebody else has sent: its engine stops, and its client is told. Raises ``RequestError``
        where it is not open any more."""
        ...

    def registry(self, command: RegistryCommand) -> AsyncGenerator[RegistryReply]:
        """Yields progress and, last, the outcome; a failure raises ``RequestError``. Closed early, it cancels the
        command."""
        ...

    async def profile(self, command: ProfileCommand) -> bytes:
        """Returns the JSON that answers ``command``; a refusal raises ``RequestError``."""
        ...
