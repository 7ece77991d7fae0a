"""Tests of the command that prints the OpenAPI document."""

from __future__ import annotations

import msgspec
import pytest

from mlxr.http import openapi_document
from mlxr.http.routes import ROUTES


def test_the_command_prints_the_document_of_every_route(capsys: pytest.CaptureFixture[str]) -> None:
    openapi_document.main()
    printed = msgspec.json.decode(capsys.readouterr().out)
    paths = {path for path in printed["paths"] if "{" not in path}
    assert {route.path for route in ROUTES if "{" not in route.path} == paths
