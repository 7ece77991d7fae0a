"""Grammars that make a model call tools, in its own family's format, with arguments that fit their schemas."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from mlxr.models.chat.call_forms.call_format import CallFormat
from mlxr.models.chat.families import Signs, family_of, signs_of
from mlxr.models.constraints.errors import ConstraintError, ToolError
from mlxr.models.constraints.parameters import ANY_OBJECT, parameters
from mlxr.models.constraints.reasoning import ReasoningMode, behind, section_of
from mlxr.models.constraints.trial_compilation import trial_compile
from mlxr.models.json_schema import Schema
from mlxr.models.lark import LarkTerms
from mlxr.models.tokenizers import Tokenizer
from mlxr.runtime.messages.common import Constraint, ConstraintKind
from mlxr.runtime.messages.tokenizer import Tool


def force_tools(
    source: Signs,
    tools: Sequence[Tool],
    tokenizer: Tokenizer,
    *,
    choice: str = "required",
    parallel: bool = True,
    mode: ReasoningMode = ReasoningMode.OFF,
    budget: int | None = None,
) -> Constraint:
    """Returns the constraint for ``tool_choice`` required, or a function's name.

    ``source``: the chat template, which tells the family. ``budget``: as in ``after_reasoning``. Raises
    ``ConstraintError`` for a name that is no tool's, and a schema that is no object.
    """
    chosen = [tool for tool in tools if choice in ("required", tool.name)]
    if not chosen:
        known = ", ".join(tool.name for tool in tools) or "none"
        raise ConstraintError(f"tool_choice names {choice!r}, and the tools are: {known}")
    lark, family = LarkTerms(tokenizer), family_of(source)
    form = family.call_format(signs_of(source).source)
    prefix, more = family.channels.analysis(lark, budget) if family.channels else ("", [])
    parts = [prefix, lark.terms(*form.before), _calls(form, lark, parallel), lark.terms(*form.after)]
    start = "start: " + " ".join(filter(None, parts))

    def make(schemas: Mapping[str, Schema]) -> Constraint:
        return behind_reasoning([start, *call_rules(form, lark, "call", schemas), *more], source, mode, budget)

    return compiled_tools(chosen, make)


def compiled_tools(tools: Sequence[Tool], make: Callable[[Mapping[str, Schema]], Constraint]) -> Constraint:
    """Returns what ``make`` makes of the tools' schemas, by name, once it is known to compile.

    A tool that can't be held to although its schema can be read gets any object for its arguments. Raises
    ``ConstraintError`` where that tool is strict, for a schema with mistakes, and for more than can be compiled.
    """
    read = {tool.name: parameters(tool) for tool in tools}
    schemas = {name: found.schema for name, found in read.items()}
    unheld = {name: found.unheld for name, found in read.items()}
    constraint = make(schemas)
    if trial_compile(constraint) is None:
        return _leaving_out(constraint, unheld)
    for tool in tools:
        reason = trial_compile(make({tool.name: schemas[tool.name]}))
        if reason and tool.strict:
            clear = trial_compile(Constraint(ConstraintKind.JSON_SCHEMA, json.dumps(schemas[tool.name])))
            clear = clear or "it is too complex for its format"
            raise ToolError(f"the tool {tool.name!r} is strict, and can't be held to: {clear}", tool.field)
        if reason:
            schemas[tool.name], unheld[tool.name] = ANY_OBJECT, (f"{tool.field}#",)
    constraint = make(schemas)
    if reason := trial_compile(constraint):
        raise ToolError(f"the tools are too much together: {reason}")
    return _leaving_out(constraint, unheld)


def _leaving_out(constraint: Constraint, unheld: Mapping[str, tuple[str, ...]]) -> Constraint:
    """Returns ``constraint`` with all places of keywords that it leaves out."""
    return replace(constraint, unheld=tuple(place for places in unheld.values() for place in places))


def call_rules(form: CallFormat, lark: LarkTerms, rule: str, schemas: Mapping[str, Schema]) -> list[str]:
    """Rules for one call, named ``rule``, of a function among ``schemas``."""
    rules: list[str] = []
    for i, (name, schema) in enumerate(schemas.items()):
        terms, more = form.call(lark, name, f"{rule}_{i}", schema)
        rules += [f"{rule}_{i}: {terms}", *more]
    return [*rules, f"{rule}: " + " | ".join(f"{rule}_{i}" for i in range(len(schemas)))]


def behind_reasoning(rules: Sequence[str], source: Signs, mode: ReasoningMode, budget: int | None) -> Constraint:
    """Returns the constraint of ``rules``, behind the reasoning; ``rules`` have it where a family has channels."""
    constraint = Constraint(ConstraintKind.LARK, "\n".join([*rules, ""]))
    channels = family_of(source).channels
    if channels is None:
        return behind(constraint, section_of(source), mode, budget)
    return behind(constraint, channels.reasoning, ReasoningMode.MAY, budget) if budget is not None else constraint


def _calls(form: CallFormat, lark: LarkTerms, parallel: bool) -> str:
    if not parallel or form.between is None:
        return "call"
    between = lark.terms(*form.between)
    return f"call ({between} call)*" if between else "call+"
