"""Errors in HTTP's terms, also those that quote what is no text, or far too much of it."""

from __future__ import annotations

import json

import pytest

from mlxr.http.anthropic.errors import anthropic_error
from mlxr.http.errors import ErrorShape, Problem, error_body, error_headers, problem_of
from mlxr.http.ollama.errors import ollama_error
from mlxr.http.openai.errors import openai_error
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo


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


def test_a_pull_that_failed_may_be_tried_again_and_a_full_disk_is_not_the_models_fault() -> None:
    pull, disk = (problem_of(ErrorInfo(code, "why")) for code in (ErrorCode.PULL_FAILED, ErrorCode.STORAGE_FULL))
    assert (pull.status, pull.code, error_headers(pull)) == (502, "pull_failed", {})
    assert (disk.status, disk.code, error_headers(disk)) == (507, "storage_full", {"x-should-retry": "false"})
    assert openai_error(pull)["error"]["type"] == "server_error"
    assert anthropic_error(pull)["error"]["type"] == "api_error"


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_has_a_status(code: ErrorCode) -> None:
    assert 400 <= problem_of(ErrorInfo(code, "why")).status < 600
