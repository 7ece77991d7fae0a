"""What there is on this machine, for a page that shows it: models, those that are loaded, memory, and work on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from mlxr.api.caller import CALLER
from mlxr.api.change_feed import ChangeFeed
from mlxr.api.jobs import Job, JobChanges
from mlxr.models.names import local_file
from mlxr.runtime.messages.catalogue import EngineInfo, ModelEntry
from mlxr.runtime.messages.frontend import Catalog


class LoadedState(Struct, frozen=True):
    """The engine that serves a model, or is to.

    state: loading, ready, restarting, failed or stopping.
    progress: 0 to 1 of ``stage`` while loading.
    error: why it failed, '' where it did not.
    memory: bytes that its weights and pages may take.
    expires: when it unloads if unused, seconds since the epoch; None for never.
    pinned: whether it stays whatever requests say, and whoever else needs room.
    """

    state: str
    progress: float = 1.0
    stage: str = ""
    error: str = ""
    context_length: int = 0
    memory: int = 0
    backend: str = ""
    expires: float | None = None
    pinned: bool = False


class LibraryModel(Struct, frozen=True):
    """An installed model.

    digest: of what it answers with.
    size: bytes of its files.
    modified: seconds since the epoch.
    source: what it was pulled from; '' where that is nothing for who asks.
    path: of its files, likewise.
    tool: in whose store its files stay, ``ollama`` say; '' for those that are mlxr's own.
    shares: names of other models that have the same files.
    adapters: those that it was made with. ``fits``: of an adapter, the models that it can be applied to.
    unusable: why it can't run here; '' where it can.
    loaded: None where nothing is, and nothing is to be.
    """

    name: str
    digest: str
    size: int
    modified: float
    source: str
    path: str
    tool: str
    aliases: list[str]
    shares: list[str]
    format: str
    family: str
    parameters: int
    quantization: str
    context_length: int
    capabilities: list[str]
    adapters: list[str]
    fits: list[str]
    license: str
    system: str
    unusable: str
    loaded: LoadedState | None = None


class MachineMemory(Struct, frozen=True):
    """In bytes: the machine's, what is free of it, what models may take together, and what those that are loaded do."""

    total: int
    available: int
    limit: int
    loaded: int


Row = LibraryModel | Job | MachineMemory
R = TypeVar("R", bound=Row)
MODEL, JOB, MACHINE = "model:", "job:", "machine"


class Library:
    """Keeps what the registry tells as rows that can be followed."""

    def __init__(self) -> None:
        self.feed: ChangeFeed[Row] = ChangeFeed()

    def on_catalog(self, catalog: Catalog) -> None:
        models = {f"{MODEL}{model.name}": model for model in library_models(catalog)}
        rows: dict[str, Row] = {**models}
        if (memory := catalog.memory) is not None:
            loaded = sum(engine.memory_bytes for engine in catalog.engines)
            rows[MACHINE] = MachineMemory(memory.total, memory.available, memory.limit, loaded)
        self.feed.replace(rows, lambda key: not key.startswith(JOB))

    def on_jobs(self, changes: JobChanges) -> None:
        rows: dict[str, Row] = {f"{JOB}{job.id}": job for job in changes.jobs}
        if changes.whole:
            self.feed.replace(rows, lambda key: key.startswith(JOB))
        else:
            self.feed.put(rows, [f"{JOB}{id}" for id in changes.gone])

    def models(self) -> list[LibraryModel]:
        return of_kind(self.feed.rows(), LibraryModel)

    def jobs(self) -> list[Job]:
        """Returns all work, the latest first."""
        return sorted(of_kind(self.feed.rows(), Job), key=lambda job: -job.created)

    def machine(self) -> MachineMemory | None:
        return next(iter(of_kind(self.feed.rows(), MachineMemory)), None)


def of_kind(rows: Iterable[Row], kind: type[R]) -> list[R]:
    return [row for row in rows if isinstance(row, kind)]


def library_models(catalog: Catalog) -> list[LibraryModel]:
    """Returns the installed models with what is loaded of them, the newest first."""
    engines = {engine.model: engine for engine in reversed(catalog.engines)}
    named: dict[str, list[str]] = {}
    for entry in catalog.models:
        named.setdefault(entry.path, []).append(entry.name)
    newest = sorted(catalog.models, key=lambda entry: -entry.modified)
    return [_model(entry, engines.get(entry.name), named[entry.path]) for entry in newest]


def for_remote(row: R) -> R:
    """Returns a row without the paths of this machine, for a client on another."""
    match row:
        case LibraryModel():
            source = "" if local_file(row.source) else row.source
            aliases = [alias for alias in row.aliases if not local_file(alias)]
            return replace(row, path="", source=source, aliases=aliases)
        case Job():
            return replace(row, model=_last_part(row.model), source=_last_part(row.source))
    return row


def for_caller(row: R) -> R:
    """Returns a row for who asks."""
    return for_remote(row) if CALLER.get().remote else row


def _last_part(name: str) -> str:
    path = local_file(name)
    return path.name if path else name


def _model(entry: ModelEntry, engine: EngineInfo | None, sharing: list[str]) -> LibraryModel:
    info = entry.info
    return LibraryModel(
        name=entry.name,
        digest=entry.digest,
        size=entry.size,
        modified=entry.modified,
        source=entry.source,
        path=entry.path,
        tool=entry.tool,
        aliases=entry.aliases,
        shares=[name for name in sharing if name != entry.name],
        format=info.format,
        family=info.architecture,
        parameters=info.parameters,
        quantization=info.quantization,
        context_length=info.context_length,
        capabilities=info.capabilities,
        adapters=[adapter.name for adapter in entry.adapters],
        fits=entry.fits,
        license=info.license.strip().partition("\n")[0][:120],
        system=entry.system[:500],
        unusable=info.unusable,
        loaded=_loaded(engine) if engine is not None else None,
    )


def _loaded(engine: EngineInfo) -> LoadedState:
    return LoadedState(
        state=engine.state,
        progress=engine.progress,
        stage=engine.stage,
        error=engine.error or "",
        context_length=engine.context_length,
        memory=engine.memory_bytes,
        backend=engine.backend,
        expires=engine.expires,
        pinned=engine.pinned,
    )
