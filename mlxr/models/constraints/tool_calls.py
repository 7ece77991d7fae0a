"""Grammars that make a model call tools, in its own family's format, with arguments that fit their schemas."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mlxr.models.constraints.formats import Format, format_of
from mlxr.models.constraints.grammars import ConstraintError
from mlxr.models.constraints.reasoning import Thinking, is_harmony, markers_of, optional_reasoning
from mlxr.models.constraints.spelling import Spelling
from mlxr.models.tokenizers import Tokenizer
from mlxr.runtime.messages.common import Constraint, ConstraintKind
from mlxr.runtime.messages.tokenizer import Tool


def force_tools(
    source: str,
    tools: Sequence[Tool],
    tokenizer: Tokenizer,
    *,
    choice: str = "required",
    parallel: bool = True,
    thinking: Thinking = Thinking.OFF,
) -> Constraint:
    """The constraint for ``tool_choice`` required, or a function's name.

    ``source``: the chat template, which tells the family. Raises ``ConstraintError`` for a name that is no tool's, or a
    schema that is no object.
    """
    chosen = [tool for tool in tools if choice in ("required", tool.name)]
    if not chosen:
        known = ", ".join(tool.name for tool in tools) or "none"
        raise ConstraintError(f"tool_choice names {choice!r}, and the tools are: {known}")
    spelling, form = Spelling(tokenizer), format_of(source)
    rules: list[str] = []
    for i, tool in enumerate(chosen):
        terms, more = form.call(spelling, tool.name, f"call_{i}", parameters(tool))
        rules += [f"call_{i}: {terms}", *more]
    rules.append("call: " + " | ".join(f"call_{i}" for i in range(len(chosen))))
    prefix, more = _reasoning(source, spelling, thinking)
    parts = [prefix, spelling.terms(*form.before), _calls(form, spelling, parallel), spelling.terms(*form.after)]
    grammar = "\n".join([f"start: {' '.join(filter(None, parts))}", *rules, *more, ""])
    opened = thinking is Thinking.OPEN and not is_harmony(source)
    return Constraint(ConstraintKind.LARK, grammar, markers_of(source)[1] if opened else "")


def parameters(tool: Tool) -> dict[str, Any]:
    """The schema of a tool's arguments: an object, closed to what it doesn't name unless it says otherwise."""
    try:
        schema = json.loads(bytes(tool.parameters))
    except (ValueError, RecursionError) as error:
        raise ConstraintError(f"parameters of the tool {tool.name!r} are not JSON: {error}") from error
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        raise ConstraintError(f"parameters of the tool {tool.name!r} are not the schema of an object")
    return {"properties": {}, "additionalProperties": False, **schema, "type": "object"}


def _calls(form: Format, spelling: Spelling, parallel: bool) -> str:
    if not parallel or form.between is None:
        return "call"
    between = spelling.terms(*form.between)
    return f"call ({between} call)*" if between else "call+"


def _reasoning(source: str, spelling: Spelling, thinking: Thinking) -> tuple[str, list[str]]:
    """A term for what may be thought before the calls, and its rules."""
    if is_harmony(source):
        thoughts, rules = spelling.up_to("thoughts", "<|end|>")
        opening = spelling.terms("<|channel|>", "analysis", "<|message|>")
        again = spelling.terms("<|start|>", "assistant")
        return "reasoning?", [f"reasoning: {opening} {thoughts} {again}", rules]
    if thinking is not Thinking.MAY:
        return "", []
    term, rules = optional_reasoning(spelling, *markers_of(source))
    return term, [rules]
