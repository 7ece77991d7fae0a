"""What holds one request's answer: its format, its tools, its budget for reasoning."""

from __future__ import annotations

from mlxr.actors.tokenizer.text import Encoded
from mlxr.models.chat.capabilities import REASONING
from mlxr.models.constraints import (
    FREE,
    ConstraintError,
    Thinking,
    Vocabulary,
    after_reasoning,
    check,
    force_tools,
    offer_tools,
)
from mlxr.models.tokenizers import Tokenizer
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import Constraint, ErrorCode, ErrorInfo
from mlxr.runtime.messages.tokenizer import ChatPrompt, Generate


def constraint_of(
    command: Generate, encoded: Encoded, tokenizer: Tokenizer, vocabulary: Vocabulary | None = None
) -> Constraint | None:
    """The constraint of the answer to ``encoded``; None where nothing holds it. Raises ``RequestError`` for an output
    format or tools that can't be had, and with a ``vocabulary`` for those that fail a trial."""
    prompt = command.prompt
    try:
        made = command.constraint
        if isinstance(prompt, ChatPrompt):
            made = _constraint(command, prompt, encoded, tokenizer)
        else:
            _checked(made)
        if made is not None and vocabulary is not None and (reason := check(made, vocabulary)):
            raise ConstraintError(reason)
        return made
    except ConstraintError as error:
        tools_field = "tool_choice" if isinstance(prompt, ChatPrompt) and prompt.forces_tools else "tools"
        field = command.constraint.field if command.constraint else tools_field
        raise RequestError(ErrorInfo(ErrorCode.INVALID, f"`{field}`: {error}", field)) from error


def _constraint(command: Generate, prompt: ChatPrompt, encoded: Encoded, tokenizer: Tokenizer) -> Constraint | None:
    """What holds the answer to its format, its tools and its budget for reasoning; None where nothing does."""
    thinking = _thinking(prompt, encoded)
    budget = prompt.thinking_budget if thinking is not Thinking.OFF else 0
    source, answer = encoded.source, _checked(command.constraint)
    tools = prompt.tools if prompt.tool_choice != "none" else []
    parallel = prompt.several_calls
    if prompt.forces_tools:
        choice = prompt.tool_choice
        return force_tools(source, tools, tokenizer, choice=choice, parallel=parallel, thinking=thinking, budget=budget)
    if tools and (answer or any(tool.strict for tool in tools)):
        return offer_tools(source, tools, tokenizer, answer, parallel=parallel, thinking=thinking, budget=budget)
    if answer is None and not budget:
        return None
    return after_reasoning(answer or FREE, source, tokenizer, thinking, budget)


def _thinking(prompt: ChatPrompt, encoded: Encoded) -> Thinking:
    if encoded.thinking:
        return Thinking.OPEN
    if prompt.think != "none" and REASONING.search(encoded.source):
        return Thinking.MAY
    return Thinking.OFF


def _checked(constraint: Constraint | None) -> Constraint | None:
    if constraint is not None and (reason := check(constraint)):
        raise ConstraintError(reason)
    return constraint
