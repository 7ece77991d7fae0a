"""Errors as Ollama's clients read them."""

from __future__ import annotations

from typing import Any, Final

from mlxr.http.errors import Problem

ERROR_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"error": {"type": "string"}},
    "required": ["error"],
}


def ollama_error(problem: Problem) -> dict[str, Any]:
    return {"error": problem.message}
