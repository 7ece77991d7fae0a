"""Errors that quote what is no text."""

from __future__ import annotations

import json

import pytest

from mlxr.http.anthropic.errors import anthropic_error
from mlxr.http.errors import ErrorShape, Problem, error_body
from mlxr.http.ollama.errors import ollama_error
from mlxr.http.openai.errors import openai_error


@pytest.mark.parametrize("shape", [openai_error, ollama_error, anthropic_error])
def test_bytes_of_a_header_that_are_no_text_are_written_out(shape: ErrorShape) -> None:
    problem = Problem(403, "pages of http://localhost\udcad are not let in", param="x\udcff")
    body = json.loads(error_body(problem, shape))
    assert "pages of http://localhost\\udcad are not let in" in json.dumps(body).replace("\\\\", "\\")
