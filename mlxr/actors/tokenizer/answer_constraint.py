"""What holds one request's answer: its format, its tools, its budget for reasoning."""

from __future__ import annotations

from mlxr.models.chat.families import reasons
from mlxr.models.constraints import (
    FREE,
    ConstraintError,
    Thinking,
    ToolError,
    Vocabulary,
    after_reasoning,
    force_tools,
    offer_tools,
    trial_compile,
)
from mlxr.models.tokenizers import Tokenizer
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import Constraint, ErrorCode, ErrorInfo
from mlxr.runtime.messages.tokenizer import ChatPrompt, Generate


def answer_constraint(
    command: Generate,
    source: str,
    tokenizer: Tokenizer,
    vocabulary: Vocabulary | None = None,
    *,
    thinking: bool = False,
) -> Constraint | None:
    """The constraint of the answer; None where nothing holds it. ``source``: the chat template, empty for none.
    ``thinking``: the prompt ends inside a reasoning section. ``vocabulary``: what the constraint is tried with.

    Raises ``RequestError`` for an output format or tools that can't be had."""
    prompt = command.prompt
    try:
        if isinstance(prompt, ChatPrompt):
            made = _constraint(command, prompt, source, tokenizer, thinking=thinking)
        else:
            made = command.constraint
        return _checked(made, vocabulary)
    except ConstraintError as error:
        tools_field = "tool_choice" if isinstance(prompt, ChatPrompt) and prompt.forces_tools else "tools"
        field = command.constraint.field if command.constraint and not isinstance(error, ToolError) else tools_field
        raise RequestError(ErrorInfo(ErrorCode.INVALID, f"`{field}`: {error}", field)) from error


def _constraint(
    command: Generate, prompt: ChatPrompt, source: str, tokenizer: Tokenizer, *, thinking: bool
) -> Constraint | None:
    """What holds the answer to its format, its tools and its budget for reasoning; None where nothing does."""
    section = _section(prompt, source, thinking=thinking)
    budget = prompt.thinking_budget if section is not Thinking.OFF else 0
    answer = command.constraint
    tools = prompt.tools if prompt.tool_choice != "none" else []
    parallel = prompt.several_calls
    if prompt.forces_tools:
        choice = prompt.tool_choice
        return force_tools(source, tools, tokenizer, choice=choice, parallel=parallel, thinking=section, budget=budget)
    if tools and (answer or any(tool.strict for tool in tools)):
        # Of a grammar that is made of it, llguidance would name another place.
        _checked(answer)
        return offer_tools(source, tools, tokenizer, answer, parallel=parallel, thinking=section, budget=budget)
    if answer is None and not budget:
        return None
    return after_reasoning(answer or FREE, source, tokenizer, section, budget)


def _section(prompt: ChatPrompt, source: str, *, thinking: bool) -> Thinking:
    if thinking:
        return Thinking.OPEN
    if prompt.think != "none" and reasons(source):
        return Thinking.MAY
    return Thinking.OFF


def _checked(constraint: Constraint | None, vocabulary: Vocabulary | None = None) -> Constraint | None:
    if constraint is not None and (reason := trial_compile(constraint, vocabulary)):
        raise ConstraintError(reason)
    return constraint
