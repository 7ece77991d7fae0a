from __future__ import annotations

import pytest

from mlxr.http.ollama.options import command, constraint
from mlxr.http.ollama.schema import GenerateRequest
from mlxr.http.settings import ServerSettings
from mlxr.runtime.messages.common import ConstraintKind
from mlxr.runtime.messages.tokenizer import TextPrompt


@pytest.mark.parametrize(("given", "most"), [(None, None), (-1, None), (0, 0), (8, 8)])
def test_an_option_bounds_how_much_is_drafted(given: int | None, most: int | None) -> None:
    body = GenerateRequest(model="m", prompt="a", options={"draft_num_predict": given})
    assert command(body, None, TextPrompt("a"), ServerSettings()).most_drafted == most


def test_a_schema_that_asks_for_nothing_asks_for_json() -> None:
    anything = constraint({})
    assert anything is not None
    assert (anything.kind, anything.source) == (ConstraintKind.JSON_SCHEMA, "{}")
    assert [constraint(given) for given in (None, "")] == [None, None]
