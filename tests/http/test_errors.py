"""Errors that quote what is no text, or far too much of it."""

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


@pytest.mark.parametrize("shape", [openai_error, ollama_error, anthropic_error])
def test_what_a_client_sent_is_quoted_by_its_ends(shape: ErrorShape) -> None:
    problem = Problem(400, f"begins {'x' * 10_000_000} ends", param=f"messages.{'y' * 10_000_000}")
    body = error_body(problem, shape)
    assert len(body) < 6_000
    assert b"begins xxx" in body
    assert b"xxx ends" in body
