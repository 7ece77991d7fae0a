"""Requests of OpenAI's Responses API. It is stateless here: what refers to stored responses is refused."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct

from mlxr.http.openai.schema import Effort, JsonSchema, Probability, Temperature, Tokens


class Part(Struct, frozen=True, kw_only=True):
    """``input_text``, ``output_text``, ``reasoning_text`` or ``summary_text``."""

    type: str
    text: str | None = None
    refusal: str | None = None


class Item(Struct, frozen=True, kw_only=True):
    """An input item: a message, a function call, its output, or reasoning."""

    type: str = "message"
    role: Literal["system", "developer", "user", "assistant"] | None = None
    content: str | list[Part] | None = None
    summary: list[Part] | None = None
    call_id: str = ""
    name: str = ""
    arguments: str = "{}"
    output: str | list[Part] | None = None


class Format(Struct, frozen=True, kw_only=True):
    type: Literal["text", "json_object", "json_schema"] = "text"
    name: str | None = None
    description: str | None = None
    schema: JsonSchema | None = None
    strict: bool | None = None


class TextOptions(Struct, frozen=True, kw_only=True):
    format: Format | None = None
    verbosity: str | None = None

    REFUSED: ClassVar[dict[str, Any]] = {"verbosity": "medium"}


class Reasoning(Struct, frozen=True, kw_only=True):
    effort: Effort | None = None
    summary: str | None = None


class Tool(Struct, frozen=True, kw_only=True):
    type: str
    name: str = ""
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class NamedTool(Struct, frozen=True, kw_only=True):
    type: str = "function"
    name: str = ""


class ToolChoice(Struct, frozen=True, kw_only=True):
    type: Literal["function", "allowed_tools"]
    name: str = ""
    mode: Literal["auto", "required"] = "auto"
    tools: list[NamedTool] = []


class StreamOptions(Struct, frozen=True, kw_only=True):
    include_obfuscation: bool | None = None


class ResponsesRequest(Struct, frozen=True, kw_only=True):
    """``POST /v1/responses``."""

    model: str
    input: str | list[Item]
    instructions: str | None = None
    max_output_tokens: Tokens | None = None
    temperature: Temperature | None = None
    top_p: Probability | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    include: list[str] | None = None
    text: TextOptions | None = None
    reasoning: Reasoning | None = None
    tools: list[Tool] | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    truncation: Literal["auto", "disabled"] | None = None
    metadata: dict[str, Any] | None = None
    user: str | None = None
    previous_response_id: str | None = None
    conversation: Any = None
    background: bool | None = None
    prompt: Any = None
    max_tool_calls: int | None = None

    REFUSED: ClassVar[dict[str, Any]] = {
        "previous_response_id": None,
        "conversation": None,
        "background": False,
        "prompt": None,
        "max_tool_calls": None,
    }
