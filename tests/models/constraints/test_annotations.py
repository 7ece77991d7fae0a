"""Notes in a schema are no reason to refuse it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlxr.models.constraints import check
from mlxr.models.constraints.annotations import drop_annotations
from mlxr.runtime.messages.common import Constraint, ConstraintKind


def reason(schema: Any) -> str | None:
    return check(Constraint(ConstraintKind.JSON_SCHEMA, json.dumps(schema)))


@pytest.mark.parametrize("name", ["path", "int64", "password", "binary"])
def test_a_format_that_json_schema_does_not_know_is_a_note(name: str) -> None:
    assert reason({"type": "array", "items": {"type": ["string", "integer"], "format": name}}) is None


def test_a_format_that_it_knows_is_kept_or_refused() -> None:
    assert "json-pointer" in (reason({"type": "string", "format": "json-pointer"}) or "")
    schema = {"properties": {"format": {"type": "string", "format": "date"}}}
    drop_annotations(schema)
    assert schema == {"properties": {"format": {"type": "string", "format": "date"}}}


def test_a_schema_may_be_named_in_words() -> None:
    assert reason({"$id": "Output Format", "$defs": {"n": {"type": "integer"}}, "$ref": "#/$defs/n"}) is None


def test_a_name_that_is_referred_to_stays() -> None:
    schema = {"$id": "urn:a", "$defs": {"n": {"type": "integer"}}, "items": {"$ref": "urn:a#/$defs/n"}}
    drop_annotations(schema)
    assert schema["$id"] == "urn:a"
    assert reason(schema) is None
