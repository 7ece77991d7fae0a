"""What holds one request's answer: its format, its tools, its budget for reasoning."""

from __future__ import annotations

from msgspec.structs import replace

from mlxr.models.chat.families import Signs, reasons
from mlxr.models.constraints import (
    FREE,
    ConstraintError,
    ReasoningMode,
    ToolError,
    Vocabulary,
    after_reasoning,
    force_tools,
    normalised,
    offer_tools,
    trial_compile,
)
from mlxr.models.tokenizers import Tokenizer
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import Constraint, ErrorCode, ErrorInfo
from mlxr.runtime.messages.tokenizer import ChatPrompt, Generate

MOST_UNHELD = 100
"""Places of keywords that are told, of all that are left out."""


def answer_constraint(
    command: Generate,
    source: Signs,
    tokenizer: Tokenizer,
    vocabulary: Vocabulary | None = None,
    *,
    in_reasoning: bool = False,
) -> Constraint | None:
    """Returns the constraint of the answer; None where nothing holds it. ``source``: the chat template, empty for none.
    ``in_reasoning``: the prompt ends inside a reasoning section. ``vocabulary``: what the constraint is tried with.

    Raises ``RequestError`` for an output format or tools that can't be had."""
    prompt = command.prompt
    try:
        forced = isinstance(prompt, ChatPrompt) and prompt.forces_tools
        answer, left_out = (None, ()) if command.constraint is None or forced else normalised(command.constraint)
        if isinstance(prompt, ChatPrompt):
            made = _constraint(prompt, answer, source, tokenizer, in_reasoning=in_reasoning)
        else:
            made = answer
        if made is None:
            return None
        if reason := trial_compile(made, vocabulary):
            raise ConstraintError(reason)
        return replace(made, unheld=(*left_out, *made.unheld)[:MOST_UNHELD])
    except ConstraintError as error:
        tools_field = "tool_choice" if isinstance(prompt, ChatPrompt) and prompt.forces_tools else "tools"
        if isinstance(error, ToolError):
            field = error.field or tools_field
        else:
            field = (command.constraint.field if command.constraint is not None else None) or tools_field
        raise RequestError(ErrorInfo(ErrorCode.INVALID, f"`{field}`: {error}", field)) from error


def _constraint(
    prompt: ChatPrompt, answer: Constraint | None, source: Signs, tokenizer: Tokenizer, *, in_reasoning: bool
) -> Constraint | None:
    """Returns what holds the answer to ``answer``, its format, to its tools and its budget for reasoning; None where
    nothing does."""
    mode = _reasoning_mode(prompt, source, in_reasoning=in_reasoning)
    budget = prompt.reasoning_budget if mode is not ReasoningMode.OFF else None
    tools = prompt.tools if prompt.tool_choice != "none" else []
    parallel = prompt.several_calls
    if prompt.forces_tools:
        choice = prompt.tool_choice
        return force_tools(source, tools, tokenizer, choice=choice, parallel=parallel, mode=mode, budget=budget)
    if tools and (answer or any(tool.strict for tool in tools)):
        return offer_tools(source, tools, tokenizer, answer, parallel=parallel, mode=mode, budget=budget)
    if answer is None and budget is None:
        return None
    return after_reasoning(answer or FREE, source, tokenizer, mode, budget)


def _reasoning_mode(prompt: ChatPrompt, source: Signs, *, in_reasoning: bool) -> ReasoningMode:
    if in_reasoning:
        return ReasoningMode.OPEN
    if prompt.reasoning_effort != "none" and reasons(source):
        return ReasoningMode.MAY
    return ReasoningMode.OFF
