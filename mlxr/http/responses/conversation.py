"""A Responses request in the runtime's terms."""

from __future__ import annotations

from msgspec.structs import replace

from mlxr.api.capabilities import require_reasoning
from mlxr.api.constraints import response_format
from mlxr.api.errors import invalid, unsupported
from mlxr.api.gateway import Gateway
from mlxr.api.model_defaults import with_model_defaults, with_option_defaults
from mlxr.api.parameters import reasoning_effort, seed, token_limit, unlimited
from mlxr.api.reasoning_round_trip import reasoning_of
from mlxr.api.tools import UNSEEN, Offer, offer, offer_allowed, offer_named, past_call
from mlxr.http.adapters import adapters_of
from mlxr.http.responses.functions import offered, qualified_name
from mlxr.http.responses.schema import LOGPROBS, InputFields, Item, Part, ResponsesRequest, TextOptions, ToolChoice
from mlxr.http.settings import ServerSettings
from mlxr.runtime.messages.common import Constraint, Sampling
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, Generate

SEARCH = "web_search_call"
IMAGE = "input_image"


def model_prompt(body: InputFields, gateway: Gateway, settings: ServerSettings) -> ChatPrompt:
    """Returns the conversation as the model gets it. Raises ``RequestError`` naming the field that can't be had."""
    if isinstance(body.input, list) and len(body.input) > settings.max_messages:
        raise invalid(f"`input` has {len(body.input)} items; at most {settings.max_messages}", "input")
    tools, choice = _offer(body)
    prompt = ChatPrompt(
        messages=messages_of(body),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=body.parallel_tool_calls is not False,
        reasoning_effort=reasoning_effort(body.reasoning.effort if body.reasoning else None),
    )
    entry = gateway.find(body.model)
    require_reasoning(prompt.reasoning_effort, entry, "reasoning.effort")
    return with_model_defaults(prompt, entry)


def to_generate(body: ResponsesRequest, gateway: Gateway, settings: ServerSettings) -> Generate:
    """Raises ``RequestError`` naming the field that can't be had."""
    command = Generate(
        request=0,
        prompt=model_prompt(body, gateway, settings),
        sampling=Sampling(
            temperature=1.0 if body.temperature is None else body.temperature,
            top_p=1.0 if body.top_p is None else body.top_p,
            seed=seed(None),
            logprobs=(body.top_logprobs or 0) if wants_logprobs(body) else None,
        ),
        max_tokens=token_limit(body.max_output_tokens, "max_output_tokens"),
        unlimited=unlimited(body.max_output_tokens),
        constraint=_constraint(body.text),
        truncate_keep=0 if body.truncation == "auto" else None,
        adapters=adapters_of(body.adapters),
        most_drafted=body.most_drafted,
        draft_model=body.draft_model,
    )
    return with_option_defaults(command, body, gateway.find(body.model))


def wants_logprobs(body: ResponsesRequest) -> bool:
    return bool(body.top_logprobs) or LOGPROBS in (body.include or [])


def messages_of(body: InputFields) -> list[ChatMessage]:
    """Returns the conversation; reasoning and calls of one assistant's turn become one message with its text."""
    messages = [ChatMessage("system", body.instructions)] if body.instructions else []
    if isinstance(body.input, str):
        return [*messages, ChatMessage("user", body.input)]
    if not body.input:
        raise invalid("`input` is empty", "input")
    searched = searches(body)
    if len(searched) == len(body.input):
        raise invalid("`input` has nothing but searches", "input")
    for index, item in enumerate(body.input):
        if index in searched:
            continue
        made = _message(item, f"input[{index}]")
        if messages and made.role == messages[-1].role == "assistant":
            messages[-1] = _joined(messages[-1], made)
        else:
            messages.append(made)
    return messages


def searches(body: InputFields) -> list[int]:
    """Which input items are left out: searches that somebody else's server made, and whose results are not in them."""
    items = body.input if isinstance(body.input, list) else []
    return [index for index, item in enumerate(items) if item.type == SEARCH]


def unseen(body: InputFields) -> list[str]:
    """Returns the places of images in the results of functions: the model is told that there are some."""
    items = body.input if isinstance(body.input, list) else []
    return [
        f"input.{index}.output.{at}"
        for index, item in enumerate(items)
        if isinstance(item.output, list)
        for at, part in enumerate(item.output)
        if part.type == IMAGE
    ]


def _seen(output: str | list[Part] | None) -> str | list[Part] | None:
    if not isinstance(output, list):
        return output
    return [Part(type="input_text", text=UNSEEN) if part.type == IMAGE else part for part in output]


def _message(item: Item, place: str) -> ChatMessage:
    match item.type:
        case "message":
            if item.role is None:
                raise invalid(f"`{place}.role` is missing", f"{place}.role")
            role = "system" if item.role == "developer" else item.role
            return ChatMessage(role, _text(item.content, f"{place}.content"))
        case "function_call":
            name = qualified_name(item.namespace, item.name)
            call = past_call(item.call_id, name, item.arguments, field=f"{place}.name")
            return ChatMessage("assistant", tool_calls=[call])
        case "function_call_output":
            output = _text(_seen(item.output), f"{place}.output")
            return ChatMessage("tool", output, tool_call_id=item.call_id or None)
        case "reasoning":
            reasoning = _text(item.content or item.summary, f"{place}.content")
            return ChatMessage("assistant", reasoning=reasoning or reasoning_of(item.encrypted_content))
    raise unsupported(f"{place}.type", f"items of type {item.type!r} need what mlxr does not run")


def _joined(first: ChatMessage, second: ChatMessage) -> ChatMessage:
    return ChatMessage(
        "assistant",
        first.content + second.content,
        first.reasoning + second.reasoning,
        [*first.tool_calls, *second.tool_calls],
    )


def _text(content: str | list[Part] | None, place: str) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    for index, part in enumerate(content):
        if part.text is None and part.refusal is None:
            raise unsupported(f"{place}[{index}].type", f"{part.type!r} parts need a model that takes them")
    return "".join(part.text or part.refusal or "" for part in content)


def _offer(body: InputFields) -> Offer:
    tools, choice = offered(body.tools or []), body.tool_choice
    if not isinstance(choice, ToolChoice):
        return offer(tools, choice)
    if choice.type == "allowed_tools":
        allowed = enumerate(choice.tools)
        names = [_named(tool.name, f"tool_choice.tools[{index}]") for index, tool in allowed]
        return offer_allowed(tools, names, choice.mode)
    return offer_named(tools, _named(choice.name, "tool_choice"))


def _named(name: str, place: str) -> str:
    """Returns the name that ``tool_choice`` has at ``place``. Raises ``RequestError`` where it has none there."""
    if not name:
        raise invalid(f"`{place}.name` is missing", f"{place}.name")
    return name


def _constraint(text: TextOptions | None) -> Constraint | None:
    if text is None or text.format is None:
        return None
    given = text.format
    made = response_format(given.type, given.schema, "text.format.schema", strict=bool(given.strict))
    return made and replace(made, field="text.format")
