"""Errors as the web application reads them: a sentence for people, and a code."""

from __future__ import annotations

from typing import Any, Final

from mlxr.http.errors import Problem

ERROR_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"error": {"type": "string"}, "code": {"type": ["string", "null"]}},
    "required": ["error"],
}


def ui_error(problem: Problem) -> dict[str, Any]:
    return {"error": problem.message, "code": problem.code}
