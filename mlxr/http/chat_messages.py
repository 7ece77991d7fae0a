"""Conversations and tools in the form of OpenAI's chat completions, which routes of other servers take, too."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Protocol

from mlxr.api.errors import invalid, unsupported
from mlxr.api.parameters import check_message_count
from mlxr.api.tools import make_tool, past_calls
from mlxr.http.fields import Fields
from mlxr.http.template_args import template_args
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, Tool

_ROLES = {"developer": "system", "function": "tool"}
"""Roles that templates know by another name."""

_TEXT_PARTS = frozenset({"text", "input_text", "output_text"})


class ContentPart(Fields, frozen=True, kw_only=True):
    type: str
    text: str | None = None
    refusal: str | None = None

    IGNORED: ClassVar[frozenset[str]] = frozenset({"cache_control", "prompt_cache_breakpoint", "annotations"})


class CalledFunction(Fields, frozen=True, kw_only=True):
    COMPONENT: ClassVar[str | None] = "mlxr.http.openai.schema.CalledFunction"

    name: str
    arguments: str | None = None

    IGNORED: ClassVar[frozenset[str]] = frozenset({"parsed_arguments", "provider_specific_fields"})


class CalledTool(Fields, frozen=True, kw_only=True):
    COMPONENT: ClassVar[str | None] = "mlxr.http.openai.schema.CalledTool"

    function: CalledFunction
    id: str | None = None
    type: str | None = None

    REFUSED: ClassVar[dict[str, Any]] = {"type": "function"}
    # Calls are in order; some clients hand back the number that a stream gave them.
    IGNORED: ClassVar[frozenset[str]] = frozenset({"index", "provider_specific_fields"})


class CompletionMessage(Fields, frozen=True, kw_only=True):
    COMPONENT: ClassVar[str | None] = "mlxr.http.openai.schema.Message"

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None
    name: str | None = None
    tool_calls: list[CalledTool] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    function_call: Any = None
    audio: Any = None

    REFUSED: ClassVar[dict[str, Any]] = {"function_call": None, "audio": None}
    # What answers have besides, and clients hand back with them.
    IGNORED: ClassVar[frozenset[str]] = frozenset(
        {"annotations", "parsed", "cache_control", "provider_specific_fields", "thinking_blocks"}
    )


class Function(Fields, frozen=True, kw_only=True):
    COMPONENT: ClassVar[str | None] = "mlxr.http.openai.schema.Function"

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionTool(Fields, frozen=True, kw_only=True):
    type: str
    function: Function | None = None

    IGNORED: ClassVar[frozenset[str]] = frozenset({"cache_control"})


class Conversation(Protocol):
    """What a request says of its conversation besides the messages."""

    @property
    def tools(self) -> list[FunctionTool] | None: ...
    @property
    def chat_template(self) -> str | None: ...
    @property
    def chat_template_kwargs(self) -> dict[str, Any] | None: ...
    @property
    def add_generation_prompt(self) -> bool | None: ...
    @property
    def continue_final_message(self) -> bool | None: ...


def chat_prompt(messages: list[CompletionMessage], request: Conversation, most: int) -> ChatPrompt:
    """Returns the prompt of ``messages``, with all tools on offer. Raises ``RequestError`` naming the field that can't
    be had, ``messages`` where there are more than ``most``."""
    check_message_count(messages, most)
    return ChatPrompt(
        messages=[_chat_message(message, f"messages[{index}]") for index, message in enumerate(messages)],
        tools=[_tool(tool, f"tools[{index}]") for index, tool in enumerate(request.tools or [])],
        template_args=template_args(request.chat_template_kwargs or {}),
        template=request.chat_template,
        continue_final=_continues(messages, request),
        opens_answer=request.add_generation_prompt is not False,
    )


def _text_of(content: str | list[ContentPart] | None, place: str) -> str:
    """A message's text; raises ``RequestError`` for parts that aren't text."""
    if isinstance(content, str):
        return content
    parts: list[str] = []
    for index, part in enumerate(content or []):
        if part.type not in _TEXT_PARTS and part.refusal is None:
            raise unsupported(f"{place}.content[{index}].type", f"{part.type!r} parts need a model that takes them")
        parts.append(part.text or part.refusal or "")
    return "".join(parts)


def _chat_message(message: CompletionMessage, place: str) -> ChatMessage:
    return ChatMessage(
        role=_ROLES.get(message.role, message.role),
        content=_text_of(message.content, place) or message.refusal or "",
        reasoning=message.reasoning_content or message.reasoning or "",
        tool_calls=past_calls(message.tool_calls, place),
        tool_call_id=message.tool_call_id or None,
        name=message.name or None,
    )


def _tool(tool: FunctionTool, place: str) -> Tool:
    if tool.type != "function":
        raise unsupported(f"{place}.type", f"only tools of type 'function' run here, not {tool.type!r}")
    if tool.function is None:
        raise invalid(f"`{place}.function` is missing", f"{place}.function")
    function, strict = tool.function, bool(tool.function.strict)
    return make_tool(function.name, function.description, function.parameters, strict, place=f"{place}.function")


def _continues(messages: list[CompletionMessage], request: Conversation) -> bool:
    if not request.continue_final_message:
        return False
    if request.add_generation_prompt:
        raise invalid(
            "`continue_final_message` and `add_generation_prompt` exclude each other", "add_generation_prompt"
        )
    if not messages or messages[-1].role != "assistant":
        raise invalid("`continue_final_message` needs an assistant's message at the end", "continue_final_message")
    return True
