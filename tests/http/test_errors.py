"""Errors that quote what is no text."""

from __future__ import annotations

import json

import pytest

from mlxr.http.errors import Problem, error_body, shape_for


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/chat", "/v1/messages"])
def test_bytes_of_a_header_that_are_no_text_are_written_out(path: str) -> None:
    problem = Problem(403, "pages of http://localhost\udcad are not let in", param="x\udcff")
    body = json.loads(error_body(problem, shape_for(path)))
    assert "pages of http://localhost\\udcad are not let in" in json.dumps(body).replace("\\\\", "\\")
