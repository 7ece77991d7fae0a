"""A tool's schema as one that its arguments can be held to."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from mlxr.models.constraints.errors import ConstraintError, ToolError, refused
from mlxr.models.constraints.limits import MOST_BYTES, check_schema
from mlxr.models.constraints.schema_normalisation import SAYS_MORE, close_objects
from mlxr.models.constraints.supported_keywords import rewrite_unsupported
from mlxr.models.json_schema import Schema
from mlxr.runtime.messages.tokenizer import Tool

ANY_OBJECT: Schema = {"type": "object", "additionalProperties": True}
COMPOSED = frozenset({"$ref", "anyOf", "oneOf", "allOf", "enum", "const"})
"""Keywords that say elsewhere what the object is."""


class Parameters(NamedTuple):
    """The schema of a tool's arguments, and the places of the keywords that it leaves out, as in ``Constraint``."""

    schema: Schema
    unheld: tuple[str, ...] = ()


def parameters(tool: Tool) -> Parameters:
    """Returns the schema of a tool's arguments: an object of what is listed, and nothing else unless the schema says
    so.

    What of it can't be held to is left out. Raises ``ToolError`` for a schema with a mistake in it, for one that is too
    large or no object's, and where the tool is ``strict`` and a keyword can't be held to.
    """
    try:
        schema = _read(tool)
        check_schema(schema)
    except ConstraintError as error:
        raise ToolError(f"parameters of the tool {tool.name!r}: {error}", tool.field) from error
    problems = rewrite_unsupported(schema)
    if (problem := refused(problems, strict=tool.strict)) is not None:
        if problem.mistake:
            raise ToolError(f"parameters of the tool {tool.name!r}: {problem}", tool.field)
        raise ToolError(f"the tool {tool.name!r} is strict, and {problem}", tool.field)
    close_objects(schema)
    if schema.keys().isdisjoint(COMPOSED) and schema.keys().isdisjoint(SAYS_MORE):
        schema = {"properties": {}, "additionalProperties": False, **schema}
    unheld = tuple(f"{tool.field}{problem.pointer}" for problem in problems)
    return Parameters({**schema, "type": "object"}, unheld)


def _read(tool: Tool) -> Schema:
    text = bytes(tool.parameters)
    if len(text) > MOST_BYTES:
        raise ConstraintError(f"the schema has {len(text)} bytes, and at most {MOST_BYTES} are taken")
    try:
        schema: Any = json.loads(text)
    except RecursionError:
        raise ConstraintError("the schema is nested too deeply") from None
    except ValueError as error:
        raise ConstraintError(f"they are not JSON: {error}") from error
    if schema is None or schema is True:
        return {}
    if not isinstance(schema, dict):
        raise ConstraintError("they are not the schema of an object")
    given = schema.get("type")
    if given is not None and "object" not in (given if isinstance(given, list) else [given]):
        if given == "any" or given == ["any"]:
            return {**schema, "type": "object"}
        raise ConstraintError("they are not the schema of an object")
    return {**schema, "type": "object"}
