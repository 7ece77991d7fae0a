"""Anthropic's requests."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct, field

from mlxr.http.adapters import Adapters
from mlxr.http.field_types import ModelName, MostDrafted
from mlxr.http.fields import Fields


class TextBlock(Fields, frozen=True, kw_only=True):
    type: str
    text: str = ""

    IGNORED: ClassVar[frozenset[str]] = frozenset({"cache_control", "citations"})


class Source(Fields, frozen=True, kw_only=True):
    """Where a document's text is: in ``data``, or in blocks of ``content``."""

    type: str
    data: str = ""
    content: str | list[TextBlock] | None = None

    # ``data`` is plain text; other types are refused as a whole.
    IGNORED: ClassVar[frozenset[str]] = frozenset({"media_type", "url", "file_id"})


class TextOrDocument(Fields, frozen=True, kw_only=True):
    """What blocks with text have in common: ``text``, ``document`` or ``search_result``. ``citations``: of a text,
    those that it was answered with, and of the others whether answers are to cite them."""

    type: str
    text: str = ""
    title: str | None = None
    context: str | None = None
    source: str | Source | None = None
    citations: Any = None


class ResultBlock(TextOrDocument, frozen=True, kw_only=True):
    """A block within a tool's result."""

    content: list[TextBlock] | None = None

    IGNORED: ClassVar[frozenset[str]] = frozenset({"cache_control"})


class AnthropicBlock(TextOrDocument, frozen=True, kw_only=True):
    """A content block: ``text``, ``document``, ``search_result``, ``thinking``, ``tool_use`` or ``tool_result``. Calls
    of tools that Anthropic ran, and their results, are left out."""

    COMPONENT: ClassVar[str | None] = "Block"

    thinking: str = ""
    signature: str = ""
    id: str = ""
    name: str = ""
    input: Any = None
    tool_use_id: str = ""
    content: str | list[ResultBlock] | dict[str, Any] | None = None
    is_error: bool | None = None

    # What answers have besides, and clients hand back with them (``data`` is thinking that only others can read); and
    # where to cache elsewhere.
    IGNORED: ClassVar[frozenset[str]] = frozenset({"cache_control", "caller", "toolset_name", "data"})


class AnthropicMessage(Fields, frozen=True, kw_only=True):
    """``clear_at``: a system's message with ``next_user_message`` is left out once a user's follows it."""

    COMPONENT: ClassVar[str | None] = "mlxr.http.anthropic.schema.Message"

    role: Literal["user", "assistant", "system"]
    content: str | list[AnthropicBlock]
    clear_at: Literal["next_user_message", "never"] | None = None


class AnthropicTool(Fields, frozen=True, kw_only=True):
    COMPONENT: ClassVar[str | None] = "mlxr.http.anthropic.schema.Tool"

    name: str
    type: str | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    strict: bool | None = None
    allowed_callers: list[str] | None = None
    defer_loading: bool | None = None
    input_examples: list[Any] | None = None

    REFUSED: ClassVar[dict[str, Any]] = {"allowed_callers": ["direct"], "defer_loading": False}
    # Arguments always stream as they come.
    IGNORED: ClassVar[frozenset[str]] = frozenset({"cache_control", "eager_input_streaming"})


class ToolChoice(Fields, frozen=True, kw_only=True):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class Thinking(Fields, frozen=True, kw_only=True):
    """``between_tools``: only what follows a tool's result is thought about first."""

    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    display: Literal["summarized", "omitted", "updates"] | None = None

    # Thinking that is handed back is bound to no conversation here.
    IGNORED: ClassVar[frozenset[str]] = frozenset({"block_binding"})


class OutputFormat(Fields, frozen=True, kw_only=True):
    type: Literal["json_schema"]
    schema: dict[str, Any] | bool


class OutputConfig(Fields, frozen=True, kw_only=True):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: OutputFormat | None = None


class ThinkingTurns(Fields, frozen=True, kw_only=True):
    """How many of the latest assistant turns keep their thinking."""

    type: Literal["thinking_turns", "all"]
    value: Annotated[int, Meta(ge=1)] | None = None


class Edit(Fields, frozen=True, kw_only=True):
    """Something to leave out of a conversation. Of Anthropic's edits only old thinking can be."""

    type: str
    keep: Literal["all"] | ThinkingTurns | None = None


class ContextManagement(Fields, frozen=True, kw_only=True):
    edits: list[Edit] = []


class Conversation(Fields, frozen=True, kw_only=True):
    """What a request to count tokens has in common with one to answer."""

    model: ModelName
    messages: Annotated[list[AnthropicMessage], Meta(min_length=1)]
    system: str | list[AnthropicBlock] | None = None
    tools: list[AnthropicTool] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    context_management: ContextManagement | None = None
    mcp_servers: list[Any] | None = None
    container: Any = None
    speed: str | None = None

    REFUSED: ClassVar[dict[str, Any]] = {"mcp_servers": [], "container": None, "speed": "standard"}
    # What accounts, bills, labels, places and caches elsewhere.
    IGNORED: ClassVar[frozenset[str]] = frozenset(
        {"metadata", "service_tier", "cache_control", "inference_geo", "user_profile_id", "workspace_id", "betas",
         "billing_policy", "fallback_credit_token"}
    )  # fmt: skip


class CountRequest(Conversation, frozen=True, kw_only=True):
    """``POST /v1/messages/count_tokens``. A request to compact is counted as it stands."""

    IGNORED: ClassVar[frozenset[str]] = Conversation.IGNORED | {"compaction"}


class Diagnostics(Fields, frozen=True, kw_only=True):
    """Asks why a prompt was not found computed as far as that of an earlier answer, which is not told here."""

    previous_message_id: str | None = None


class MessagesRequest(Conversation, frozen=True, kw_only=True):
    """``POST /v1/messages``. A ``max_tokens`` of 0 has the prompt computed, so that a next request finds it."""

    max_tokens: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_k: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    output_format: OutputFormat | None = None
    adapters: Adapters | None = None
    most_drafted: MostDrafted | None = field(default=None, name="speculative.n_max")
    draft_model: ModelName | None = None
    compaction: Any = None
    diagnostics: Diagnostics | None = None
    fallbacks: Any = None
    thread: Any = None

    REFUSED: ClassVar[dict[str, Any]] = {
        **Conversation.REFUSED,
        "compaction": None,
        "fallbacks": "default",
        "thread": None,
    }


class Count(Struct, frozen=True, kw_only=True):
    input_tokens: int
