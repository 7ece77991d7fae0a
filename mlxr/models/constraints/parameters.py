"""A tool's schema as one that its arguments can be held to."""

from __future__ import annotations

import json
from typing import Any

from mlxr.models.constraints.errors import ConstraintError, ToolError
from mlxr.models.constraints.limits import MOST_BYTES, check_schema
from mlxr.models.constraints.schema_normalisation import SAYS_MORE, close_objects
from mlxr.models.constraints.supported_keywords import rewrite_unsupported
from mlxr.models.json_schema import Schema
from mlxr.runtime.messages.tokenizer import Tool

ANY_OBJECT: Schema = {"type": "object", "additionalProperties": True}
COMPOSED = frozenset({"$ref", "anyOf", "oneOf", "allOf", "enum", "const"})
"""Keywords that say elsewhere what the object is."""


def parameters(tool: Tool) -> Schema:
    """Returns the schema of a tool's arguments: an object of what is listed, and nothing else unless the schema says
    so.

    What of it can't be held to is left free. Raises ``ConstraintError`` where the tool is ``strict`` and something
    can't, where it is too large, and for what is not the schema of an object.
    """
    try:
        schema = _read(tool)
        check_schema(schema)
    except ConstraintError as error:
        raise ToolError(f"parameters of the tool {tool.name!r}: {error}") from error
    problems = rewrite_unsupported(schema)
    if problems and tool.strict:
        raise ToolError(f"the tool {tool.name!r} is strict, and {problems[0]}")
    close_objects(schema)
    if schema.keys().isdisjoint(COMPOSED) and schema.keys().isdisjoint(SAYS_MORE):
        schema = {"properties": {}, "additionalProperties": False, **schema}
    return {**schema, "type": "object"}


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
