"""Grammars that make a model call tools, in its own family's format, with arguments that fit their schemas."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mlxr.models.constraints.annotations import drop_annotations
from mlxr.models.constraints.closing import close_objects
from mlxr.models.constraints.formats import Format, format_of
from mlxr.models.constraints.grammars import ConstraintError
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
    rules = call_rules(form, spelling, "call", {tool.name: parameters(tool) for tool in chosen})
    prefix, more = analysis(spelling, budget) if is_harmony(source) else ("", [])
    parts = [prefix, spelling.terms(*form.before), _calls(form, spelling, parallel), spelling.terms(*form.after)]
    return located(["start: " + " ".join(filter(None, parts)), *rules, *more], source, thinking, budget)


def call_rules(form: Format, spelling: Spelling, rule: str, schemas: Mapping[str, dict[str, Any]]) -> list[str]:
    """Rules for one call, named ``rule``, of a function among ``schemas``."""
    rules: list[str] = []
    for i, (name, schema) in enumerate(schemas.items()):
        terms, more = form.call(spelling, name, f"{rule}_{i}", schema)
        rules += [f"{rule}_{i}: {terms}", *more]
    return [*rules, f"{rule}: " + " | ".join(f"{rule}_{i}" for i in range(len(schemas)))]


def located(rules: Sequence[str], source: str, thinking: Thinking, budget: int) -> Constraint:
    """The constraint of ``rules``, behind the reasoning, which is among the rules where ``analysis`` put it there."""
    constraint = Constraint(ConstraintKind.LARK, "\n".join([*rules, ""]))
    if not is_harmony(source):
        return behind(constraint, markers_of(source), thinking, budget)
    return behind(constraint, ANALYSIS, Thinking.MAY, budget) if budget else constraint


def parameters(tool: Tool) -> dict[str, Any]:
    """The schema of a tool's arguments: an object of what is listed, and nothing else unless the schema says so."""
    try:
        schema = json.loads(bytes(tool.parameters))
    except (ValueError, RecursionError) as error:
        raise ConstraintError(f"parameters of the tool {tool.name!r} are not JSON: {error}") from error
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        raise ConstraintError(f"parameters of the tool {tool.name!r} are not the schema of an object")
    drop_annotations(schema)
    close_objects(schema)
    return {"properties": {}, "additionalProperties": False, **schema, "type": "object"}


def _calls(form: Format, spelling: Spelling, parallel: bool) -> str:
    if not parallel or form.between is None:
        return "call"
    between = spelling.terms(*form.between)
    return f"call ({between} call)*" if between else "call+"
