"""Tools that run on a provider's own servers."""

from __future__ import annotations

from collections.abc import Sequence

SERVER_TOOLS = ("web_search", "web_fetch", "image_generation")
"""How the types of those begin that agents offer beside their own tools, to whoever may run them."""


def left_out(types: Sequence[str | None]) -> frozenset[int]:
    """Returns where in a list of tools, given by their types, those stand that are left out, and the answer says so.

    A model that is offered others does its work with them. A request that offers nothing else is after just these, so
    that none of them is left out, and they are refused.
    """
    found = frozenset(index for index, type in enumerate(types) if type and type.startswith(SERVER_TOOLS))
    return found if len(found) < len(types) else frozenset()


def field_names(found: frozenset[int]) -> list[str]:
    """Returns what ``left_out`` found, as the response's header names it."""
    return [f"tools.{index}" for index in sorted(found)]
