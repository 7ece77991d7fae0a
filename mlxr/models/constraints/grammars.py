"""Constraints as llguidance grammars, and what is wrong with those that can't be."""

from __future__ import annotations

import json
import re
from typing import Any

from msgspec.structs import replace

from mlxr.models.constraints.errors import ConstraintError, KeywordProblem, readable, refused
from mlxr.models.constraints.limits import check_schema, check_size
from mlxr.models.constraints.schema_normalisation import close_objects
from mlxr.models.constraints.supported_keywords import rewrite_unsupported
from mlxr.models.lark import styled
from mlxr.runtime.messages.common import Constraint, ConstraintKind

GBNF_SIGN = "::="

_ESCAPED = re.compile(r"\\.|/", re.DOTALL)
"""What a regex has escaped already, or a slash, which would end it in a grammar."""


def compile_grammar(constraint: Constraint) -> str:
    """Returns the grammar in llguidance's own JSON form. Raises ``ConstraintError`` for a source that doesn't parse.

    A Lark source may also be GBNF, told by its ``::=``.
    """
    from llguidance import LLMatcher, grammar_from

    try:
        match constraint.kind:
            case ConstraintKind.JSON_OBJECT:
                return LLMatcher.grammar_from_json_schema(styled({"type": "object"}))
            case ConstraintKind.JSON_SCHEMA:
                return LLMatcher.grammar_from_json_schema(styled(_schema(constraint)))
            case ConstraintKind.REGEX:
                return LLMatcher.grammar_from_regex(constraint.source)
            case ConstraintKind.LARK:
                return grammar_from("gbnf" if GBNF_SIGN in constraint.source else "lark", constraint.source)
            case ConstraintKind.FREE:
                return LLMatcher.grammar_from_regex(r"(.|\n)*")
    except ConstraintError:
        raise
    except ValueError as error:
        raise ConstraintError(readable(str(error))) from error


def answer_rule(constraint: Constraint) -> str:
    """Returns ``constraint`` as the rule ``answer`` of a Lark grammar. Raises ``ConstraintError`` where it is one
    itself."""
    match constraint.kind:
        case ConstraintKind.REGEX:
            escaped = _ESCAPED.sub(lambda match: r"\/" if match[0] == "/" else match[0], constraint.source)
            return f"answer: /{escaped}/"
        case ConstraintKind.JSON_OBJECT:
            return f"answer: %json {styled({'type': 'object'})}"
        case ConstraintKind.JSON_SCHEMA:
            return f"answer: %json {styled(_schema(constraint))}"
    raise ConstraintError(
        "a grammar of your own can't go with tools, nor with gpt-oss's budget for reasoning: leave them out, or set "
        "tool_choice to none"
    )


def normalised(constraint: Constraint) -> tuple[Constraint, tuple[str, ...]]:
    """Returns ``constraint`` with its schema, if it is one, in terms that can be held to, and the places of the
    keywords that these leave out, as ``Constraint.unheld`` has them. Raises ``ConstraintError`` for what is too large
    or wrong."""
    if constraint.kind is not ConstraintKind.JSON_SCHEMA or constraint.normalised:
        return constraint, ()
    check_size(constraint)
    schema, problems = _rewritten(constraint)
    places = tuple(f"{constraint.field or ''}{problem.pointer}" for problem in problems)
    return replace(constraint, source=json.dumps(schema, ensure_ascii=False), normalised=True), places


def _schema(constraint: Constraint) -> dict[str, Any] | bool:
    return json.loads(constraint.source) if constraint.normalised else _rewritten(constraint)[0]


def _rewritten(constraint: Constraint) -> tuple[dict[str, Any] | bool, list[KeywordProblem]]:
    """Returns a constraint's schema in terms that can be held to, with closed objects, and what was taken out of it."""
    try:
        schema = json.loads(constraint.source)
    except RecursionError:
        raise ConstraintError("the schema is nested too deeply") from None
    except ValueError as error:
        raise ConstraintError(f"the schema is not JSON: {error}") from error
    if not isinstance(schema, dict | bool):
        raise ConstraintError("schema must be an object or boolean")
    check_schema(schema)
    problems = rewrite_unsupported(schema) if isinstance(schema, dict) else []
    if (problem := refused(problems, strict=constraint.strict)) is not None:
        others = sum(each.mistake or constraint.strict for each in problems) - 1
        more = f" (and {others} more)" if others else ""
        raise ConstraintError(f"{problem}{more}")
    if isinstance(schema, dict):
        close_objects(schema)
    return schema, problems
