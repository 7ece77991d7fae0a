"""Ollama's requests. Options keep Ollama's names; those that only tune llama.cpp are known and change nothing.

Whatever may be left out may be null, as in a language that reads null as nothing.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from mlxr.http.adapters import Adapters
from mlxr.http.field_types import Divisor, Int64, KeepAlive, ModelName, TokenId
from mlxr.http.fields import Fields

Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Think = bool | Literal["low", "medium", "high", "max", "none"]
Format = dict[str, Any] | str
ROLES = ("system", "user", "assistant", "tool")


class Options(Fields, frozen=True, kw_only=True):
    """``options`` with Ollama's defaults."""

    num_keep: Int32 | None = None
    num_predict: Int32 | None = None
    num_ctx: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    seed: Int64 | None = None
    temperature: Annotated[float, Meta(ge=0, le=100)] | None = None
    top_k: Int32 | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    typical_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    repeat_last_n: Int32 | None = None
    repeat_penalty: Divisor | None = None
    presence_penalty: Annotated[float, Meta(ge=-100, le=100)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-100, le=100)] | None = None
    stop: str | list[str] | None = None
    mirostat: int | None = None
    tfs_z: float | None = None
    draft_num_predict: Int32 | None = None
    draft_model: ModelName | None = None

    REFUSED: ClassVar[dict[str, Any]] = {"mirostat": 0, "tfs_z": 1.0}
    IGNORED: ClassVar[frozenset[str]] = frozenset(
        {"numa", "num_batch", "num_gpu", "main_gpu", "low_vram", "f16_kv", "logits_all", "vocab_only", "use_mmap",
         "use_mlock", "embedding_only", "num_thread", "mirostat_tau", "mirostat_eta"}
    )  # fmt: skip


Given = Annotated[dict[str, Any], Options]
"""Options as they are given: the model's own come under them before they are decoded."""


class GenerationFields(Fields, frozen=True, kw_only=True):
    """What ``/api/generate`` and ``/api/chat`` have in common."""

    model: ModelName
    options: Given | None = None
    format: Format | None = None
    think: Think | None = None
    keep_alive: KeepAlive | None = None
    pin: bool | None = None
    stream: bool | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    truncate: bool | None = None
    shift: bool | None = None
    adapters: Adapters | None = None

    # A context that is full ends the answer (``done_reason`` length), as with a ``shift`` of false. Elsewhere true, the
    # default, has the oldest tokens forgotten; the response names it where a request asks for that.
    IGNORED: ClassVar[frozenset[str]] = frozenset({"shift"})


class GenerateRequest(GenerationFields, frozen=True, kw_only=True):
    prompt: str | None = None
    suffix: str | None = None
    system: str | None = None
    template: str | None = None
    context: list[TokenId] | None = None
    raw: bool | None = None
    images: list[str] | None = None
    width: int | None = None
    height: int | None = None
    steps: int | None = None

    REFUSED: ClassVar[dict[str, Any]] = {"width": 0, "height": 0, "steps": 0}


class CalledFunction(Fields, frozen=True, kw_only=True):
    name: str
    arguments: Any = None

    # Calls are in order.
    IGNORED: ClassVar[frozenset[str]] = frozenset({"index"})


class CalledTool(Fields, frozen=True, kw_only=True):
    function: CalledFunction
    id: str | None = None

    # Nothing but functions is called, in order.
    IGNORED: ClassVar[frozenset[str]] = frozenset({"type", "index"})


class OllamaMessage(Fields, frozen=True, kw_only=True):
    """``role``: one of ``ROLES``, in any case."""

    COMPONENT: ClassVar[str | None] = "mlxr.http.ollama.schema.Message"

    role: str
    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[CalledTool] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None


class Function(Fields, frozen=True, kw_only=True):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


class OllamaTool(Fields, frozen=True, kw_only=True):
    COMPONENT: ClassVar[str | None] = "mlxr.http.ollama.schema.Tool"

    function: Function
    type: str | None = None

    REFUSED: ClassVar[dict[str, Any]] = {"type": "function"}
    IGNORED: ClassVar[frozenset[str]] = frozenset({"items"})


class ChatRequest(GenerationFields, frozen=True, kw_only=True):
    messages: list[OllamaMessage] | None = None
    tools: list[OllamaTool] | None = None


class EmbedRequest(Fields, frozen=True, kw_only=True):
    model: ModelName
    input: str | list[str] | None = None
    truncate: bool | None = None
    adapters: Adapters | None = None
    prompt_name: str | None = None
    dimensions: Annotated[int, Meta(ge=0)] | None = None
    keep_alive: KeepAlive | None = None
    pin: bool | None = None
    options: Given | None = None


class EmbeddingsRequest(Fields, frozen=True, kw_only=True):
    model: ModelName
    prompt: str | None = None
    adapters: Adapters | None = None
    keep_alive: KeepAlive | None = None
    options: Given | None = None


class Named(Fields, frozen=True, kw_only=True):
    """A request about a model; ``name`` is the older word for ``model``."""

    model: ModelName | None = None
    name: ModelName | None = None


class ShowRequest(Named, frozen=True, kw_only=True):
    """Ollama's own client sends what it once could be asked to show instead, always and empty."""

    verbose: bool | None = None
    system: str | None = None
    template: str | None = None
    options: dict[str, Any] | None = None

    REFUSED: ClassVar[dict[str, Any]] = {"system": "", "template": "", "options": {}}


class TransferRequest(Named, frozen=True, kw_only=True):
    """Pull or push. ``insecure``: the registry is spoken to without TLS."""

    stream: bool | None = None
    insecure: bool | None = None
    username: str | None = None
    password: str | None = None

    REFUSED: ClassVar[dict[str, Any]] = {"username": "", "password": ""}
    # A permission that is never made use of, and that Open WebUI gives with every pull.
    IGNORED: ClassVar[frozenset[str]] = frozenset({"insecure"})


class PullRequest(TransferRequest, frozen=True, kw_only=True):
    """``dry_run``: say what the pull would come to, as ``/api/estimate`` does, and fetch nothing."""

    dry_run: bool = False


class OpeningMessage(Fields, frozen=True, kw_only=True):
    """A turn that stands before every conversation with a model."""

    role: Literal["system", "user", "assistant"]
    content: str


class CreateRequest(Named, frozen=True, kw_only=True, rename={"from_": "from"}):
    """``quantization`` is the older word for ``quantize``."""

    stream: bool | None = None
    from_: ModelName | None = None
    files: dict[str, str] | None = None
    adapters: dict[str, str] | None = None
    template: str | None = None
    system: str | None = None
    license: str | list[str] | None = None
    parameters: Given | None = None
    messages: list[OpeningMessage] | None = None
    quantize: str | None = None
    quantization: str | None = None
    renderer: str | None = None
    parser: str | None = None
    requires: str | None = None
    remote_host: str | None = None

    REFUSED: ClassVar[dict[str, Any]] = {"remote_host": ""}
    # Drafts only make answers come faster, and ``info`` describes models that others run.
    IGNORED: ClassVar[frozenset[str]] = frozenset({"draft_files", "draft_quantize", "info"})


class CopyRequest(Fields, frozen=True, kw_only=True):
    source: ModelName
    destination: ModelName
