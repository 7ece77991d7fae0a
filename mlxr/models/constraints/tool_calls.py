"""Grammars that make a model call tools, in its own family's format, with arguments that fit their schemas."""

from __future__ import annotations

import json
from collections.abc import Sequence

from mlxr.models.constraints.errors import ConstraintError
from mlxr.models.constraints.formats import Format, format_of
from mlxr.models.constraints.judging import check
from mlxr.models.constraints.parameters import ANY_OBJECT, parameters
from mlxr.models.constraints.reasoning import ANALYSIS, Thinking, analysis, behind, is_harmony, markers_of
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
    budget: int = 0,
) -> Constraint:
    """The constraint for ``tool_choice`` required, or a function's name.

    ``source``: the chat template, which tells the family. ``budget``: as in ``after_reasoning``. Raises
    ``ConstraintError`` for a name that is no tool's, and a schema that is no object.
    """
    chosen = [tool for tool in tools if choice in ("required", tool.name)]
    if not chosen:
        known = ", ".join(tool.name for tool in tools) or "none"
        raise ConstraintError(f"tool_choice names {choice!r}, and the tools are: {known}")
    spelling, form = Spelling(tokenizer), format_of(source)
    rules = call_rules(form, spelling, "call", chosen)
    prefix, more = analysis(spelling, budget) if is_harmony(source) else ("", [])
    parts = [prefix, spelling.terms(*form.before), _calls(form, spelling, parallel), spelling.terms(*form.after)]
    return located(["start: " + " ".join(filter(None, parts)), *rules, *more], source, thinking, budget)


def call_rules(form: Format, spelling: Spelling, rule: str, tools: Sequence[Tool]) -> list[str]:
    """Rules for one call, named ``rule``, of a function among ``tools``. Raises ``ConstraintError`` for a tool that is
    not an object's schema, or is strict and can't be held to; of others what can't be held to is left free."""
    rules: list[str] = []
    for i, tool in enumerate(tools):
        terms, more = _call(form, spelling, f"{rule}_{i}", tool)
        rules += [f"{rule}_{i}: {terms}", *more]
    return [*rules, f"{rule}: " + " | ".join(f"{rule}_{i}" for i in range(len(tools)))]


def _call(form: Format, spelling: Spelling, rule: str, tool: Tool) -> tuple[str, list[str]]:
    schema = parameters(tool)
    terms, more = form.call(spelling, tool.name, rule, schema)
    reason = check(Constraint(ConstraintKind.LARK, "\n".join([f"start: {terms}", *more, ""])))
    if reason is None:
        return terms, more
    if tool.strict:
        clear = check(Constraint(ConstraintKind.JSON_SCHEMA, json.dumps(schema))) or "it is too complex for its format"
        raise ConstraintError(f"the tool {tool.name!r} is strict, and can't be held to: {clear}")
    return form.call(spelling, tool.name, rule, ANY_OBJECT)


def located(rules: Sequence[str], source: str, thinking: Thinking, budget: int) -> Constraint:
    """The constraint of ``rules``, behind the reasoning, which is among the rules where ``analysis`` put it there."""
    constraint = Constraint(ConstraintKind.LARK, "\n".join([*rules, ""]))
    if not is_harmony(source):
        return behind(constraint, markers_of(source), thinking, budget)
    return behind(constraint, ANALYSIS, Thinking.MAY, budget) if budget else constraint


def _calls(form: Format, spelling: Spelling, parallel: bool) -> str:
    if not parallel or form.between is None:
        return "call"
    between = spelling.terms(*form.between)
    return f"call ({between} call)*" if between else "call+"
