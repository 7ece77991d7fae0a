"""From a branch of a chat to what its model is asked. Pure."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from msgspec import structs

from mlxr.api import constraints
from mlxr.api.chats.views import AnswerParameters, ChatCall, ChatTool, ChatTurn, FilePart, ImagePart
from mlxr.api.errors import unsupported
from mlxr.api.tools import MODES, make_tool, offer, offer_named
from mlxr.runtime.messages.common import Constraint, Sampling
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, Generate, ToolCall

SEED_BITS = 31
"""Of a seed that is drawn: browsers' numbers hold it."""
NOT_RUN = "This call was not run."

_SAMPLING = (
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "typical_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "seed",
)


def seeded(parameters: AnswerParameters) -> AnswerParameters:
    """Returns ``parameters`` with a seed, so that the answer can be gone on with."""
    if parameters.seed is not None:
        return parameters
    return structs.replace(parameters, seed=secrets.randbits(SEED_BITS))


def given_sampling(parameters: AnswerParameters) -> dict[str, float]:
    """Returns the sampling parameters that were asked for; the model's own defaults take the place of the others."""
    values = {name: getattr(parameters, name) for name in _SAMPLING}
    return {name: value for name, value in values.items() if value is not None}


def command_of(
    system: str,
    branch: Sequence[ChatTurn],
    parameters: AnswerParameters,
    tools: Sequence[ChatTool] = (),
    tool_choice: str = "auto",
) -> Generate:
    """Returns the command that answers ``branch``. ``parameters`` have a seed. Raises ``RequestError`` for what can't
    be had."""
    offered = [
        make_tool(tool.name, tool.description, tool.parameters, tool.strict, place=f"tools[{index}]")
        for index, tool in enumerate(tools)
    ]
    named = tool_choice not in MODES
    offered, choice = offer_named(offered, tool_choice) if named else offer(offered, tool_choice)
    return Generate(
        request=0,
        prompt=ChatPrompt(
            messages=conversation(system, branch),
            tools=offered,
            tool_choice=choice,
            reasoning_effort=parameters.reasoning_effort,
            reasoning_budget=parameters.reasoning_budget,
        ),
        sampling=_sampling(parameters),
        max_tokens=parameters.max_tokens,
        stop_strings=[text for text in parameters.stop or [] if text],
        constraint=_constraint(parameters),
        context_length=parameters.context_length,
    )


def conversation(system: str, branch: Sequence[ChatTurn]) -> list[ChatMessage]:
    messages = [ChatMessage("system", system)] if system else []
    for turn in branch:
        text = content_text(turn)
        if turn.role != "assistant":
            messages.append(ChatMessage(turn.role, text))
        elif text or turn.tool_calls or turn.reasoning:
            calls = [ToolCall(call.id, call.name, call.arguments or "{}") for call in turn.tool_calls]
            messages.append(ChatMessage("assistant", text, turn.reasoning, calls))
            messages += map(_result, turn.tool_calls)
    return messages


def _result(call: ChatCall) -> ChatMessage:
    text = NOT_RUN if call.result is None else call.result
    return ChatMessage("tool", text, tool_call_id=call.id, name=call.name)


def content_text(turn: ChatTurn) -> str:
    """Returns what a model reads of a message: files stand in fences under their names."""
    parts: list[str] = []
    for part in turn.content:
        if isinstance(part, ImagePart):
            raise unsupported("content", "no model here looks at images; take them out of the message")
        parts.append(f"{part.name}\n{fenced(part.text)}" if isinstance(part, FilePart) else part.text)
    return "\n\n".join(parts)


def fenced(text: str) -> str:
    """Returns ``text`` in a Markdown fence that nothing in it closes."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"


def _sampling(parameters: AnswerParameters) -> Sampling:
    values = given_sampling(parameters)
    if values.get("top_k") == 0:
        del values["top_k"]
    values["seed"] = int(values["seed"]) & (2**63 - 1)
    return structs.replace(
        Sampling(), **values, penalty_window=parameters.penalty_window, logprobs=parameters.top_logprobs
    )


def _constraint(parameters: AnswerParameters) -> Constraint | None:
    schema = parameters.json_schema
    if schema is None or schema is False:
        return None
    if schema is True:
        return constraints.json_object("parameters.json_schema")
    return constraints.json_schema(schema, "parameters.json_schema")


def first_title(turn: ChatTurn) -> str:
    """Returns a title made of a chat's first message: its first line, cut between words."""
    line = next((line.strip() for line in turn.text.splitlines() if line.strip()), "")
    if len(line) <= 60:
        return line
    cut = line[:60]
    return (cut[: cut.rfind(" ")] if " " in cut[20:] else cut).rstrip(" ,.;:") + "…"
