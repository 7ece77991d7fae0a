"""Tools that are offered, and the words that choose among them."""

from __future__ import annotations

import pytest

from mlxr.api.tools import MODES, make_tool, offer_allowed, offer_named
from mlxr.runtime.errors import RequestError


@pytest.mark.parametrize("name", MODES)
def test_a_function_that_is_called_like_a_mode_cant_be_chosen_by_name(name: str) -> None:
    tools = [make_tool(name, None, None, place="tools[0]"), make_tool("f", None, None, place="tools[0]")]
    with pytest.raises(RequestError, match=f"can't name the function '{name}'"):
        offer_named(tools, name)
    assert offer_named(tools, "f") == (tools, "f")


def test_a_call_that_is_required_needs_a_function_that_is_allowed() -> None:
    tools = [make_tool("f", None, None, place="tools[0]")]
    assert offer_allowed(tools, [], "auto") == ([], "auto")
    with pytest.raises(RequestError, match="list of allowed tools is empty"):
        offer_allowed(tools, [], "required")
