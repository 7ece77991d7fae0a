"""Requests of OpenAI's Responses API. It is stateless here: what refers to stored responses is refused."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from msgspec import Meta, Struct, field

from mlxr.api.constraints import JsonSchema
from mlxr.http.adapters import Adapters
from mlxr.http.field_types import HARMLESS, Effort, ModelName, MostDrafted, Probability, Temperature, TokenLimit
from mlxr.http.fields import Fields
from mlxr.http.model_request import ModelRequest


class Part(Fields, frozen=True, kw_only=True):
    """``input_text``, ``output_text``, ``reasoning_text`` or ``summary_text``."""

    type: str
    text: str | None = None
    refusal: str | None = None

    # What outputs have besides, and clients hand back with them; where to cache elsewhere; and what images have, which
    # are named or refused as a whole.
    IGNORED: ClassVar[frozenset[str]] = frozenset(
        {"annotations", "logprobs", "parsed", "prompt_cache_breakpoint", "image_url", "file_id", "detail"}
    )


class Item(Fields, frozen=True, kw_only=True):
    """An input item: a message, a function call, its output, reasoning, or the name of one (``item_reference``) that a
    recent answer had. A web search is left out."""

    type: str = "message"
    id: str | None = None
    role: Literal["system", "developer", "user", "assistant"] | None = None
    content: str | list[Part] | None = None
    summary: list[Part] | None = None
    encrypted_content: str | None = None
    call_id: str | None = None
    namespace: str | None = None
    name: str = ""
    arguments: str | None = None
    output: str | list[Part] | None = None

    # What output items have besides, and clients hand back with them.
    IGNORED: ClassVar[frozenset[str]] = frozenset({"status", "phase", "caller", "async", "parsed_arguments", "action"})


class Format(Fields, frozen=True, kw_only=True):
    """``strict``: a schema that can't be held to in every keyword is a 400. Without it such keywords (``uniqueItems``,
    ``not``, ``if`` and so on) are left out, as the response's header says, and the rest is held to all the same."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    name: str | None = None
    description: str | None = None
    schema: JsonSchema | None = None
    strict: bool | None = None

    # They are given back in the response.
    IGNORED: ClassVar[frozenset[str]] = frozenset({"name", "description"})


class TextOptions(Fields, frozen=True, kw_only=True):
    format: Format | None = None
    verbosity: str | None = None

    REFUSED: ClassVar[dict[str, Any]] = {"verbosity": "medium"}


class Reasoning(Fields, frozen=True, kw_only=True):
    effort: Effort | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None
    context: str | None = None
    mode: str | None = None

    REFUSED: ClassVar[dict[str, Any]] = {"context": "auto", "mode": "standard"}

    @property
    def summarized(self) -> bool:
        """Whether reasoning is wanted as its summary: the whole of it is as detailed as a summary can be."""
        return bool(self.summary or self.generate_summary)


class ResponsesTool(Fields, frozen=True, kw_only=True, rename={"async_": "async"}):
    """A function, or a ``namespace`` that has ``tools`` of its own."""

    COMPONENT: ClassVar[str | None] = "mlxr.http.responses.schema.Tool"

    type: str
    name: str = ""
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    allowed_callers: list[str] | None = None
    defer_loading: bool | None = None
    output_schema: dict[str, Any] | None = None
    async_: bool | None = None
    tools: list[ResponsesTool] | None = None

    # What web searches have; they are left out, or refused as a whole.
    IGNORED: ClassVar[frozenset[str]] = frozenset(
        {"external_web_access", "filters", "search_content_types", "search_context_size", "user_location"}
    )
    REFUSED: ClassVar[dict[str, Any]] = {
        "allowed_callers": ["direct"],
        "defer_loading": False,
        "output_schema": None,
        "async_": False,
    }


class NamedTool(Fields, frozen=True, kw_only=True):
    type: str = "function"
    name: str = ""

    REFUSED: ClassVar[dict[str, Any]] = {"type": "function"}


class ToolChoice(Fields, frozen=True, kw_only=True):
    type: Literal["function", "allowed_tools"]
    name: str = ""
    mode: Literal["auto", "required"] = "auto"
    tools: list[NamedTool] = []


class StreamOptions(Fields, frozen=True, kw_only=True):
    include_obfuscation: bool | None = None

    REFUSED: ClassVar[dict[str, Any]] = {"include_obfuscation": False}


LOGPROBS: Final = "message.output_text.logprobs"
ENCRYPTED: Final = "reasoning.encrypted_content"

Included = Literal[
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "code_interpreter_call.outputs",
]
"""What ``include`` may name. All but the first two belong to items that mlxr never makes."""


class InputFields(ModelRequest, frozen=True, kw_only=True):
    """What a request to count its tokens has in common with one to answer."""

    input: str | list[Item]
    instructions: str | None = None
    text: TextOptions | None = None
    reasoning: Reasoning | None = None
    tools: list[ResponsesTool] | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    truncation: Literal["auto", "disabled"] | None = None
    previous_response_id: str | None = None
    conversation: Any = None

    REFUSED: ClassVar[dict[str, Any]] = {"previous_response_id": None, "conversation": None}


class InputTokensRequest(InputFields, frozen=True, kw_only=True):
    """``POST /v1/responses/input_tokens``."""

    # Neither is read by the model.
    IGNORED: ClassVar[frozenset[str]] = frozenset({"text", "parallel_tool_calls", "truncation"})


class InputTokens(Struct, frozen=True, kw_only=True):
    object: str = "response.input_tokens"
    input_tokens: int


class ResponsesRequest(InputFields, frozen=True, kw_only=True):
    """``POST /v1/responses``. ``store``: false keeps the answer's items from being referred to; others are kept in
    memory for a while."""

    store: bool | None = None
    max_output_tokens: TokenLimit | None = None
    temperature: Temperature | None = None
    top_p: Probability | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    include: list[Included] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    metadata: dict[str, Any] | None = None
    user: str | None = None
    adapters: Adapters | None = None
    most_drafted: MostDrafted | None = field(default=None, name="speculative.n_max")
    draft_model: ModelName | None = None
    background: bool | None = None
    prompt: Any = None
    max_tool_calls: int | None = None
    access_programs: Any = None
    background_options: Any = None
    context_management: list[Any] | None = None
    image: Any = None
    moderation: Any = None

    IGNORED: ClassVar[frozenset[str]] = HARMLESS - {"user", "metadata"} | {"client_metadata"}
    REFUSED: ClassVar[dict[str, Any]] = {
        **InputFields.REFUSED,
        "background": False,
        "prompt": None,
        "max_tool_calls": None,
        "access_programs": None,
        "background_options": None,
        "context_management": [],
        "image": None,
        "moderation": None,
    }
