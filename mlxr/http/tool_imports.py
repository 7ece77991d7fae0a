"""Imports of models from other tools' stores, as requests say them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from mlxr.api.errors import invalid
from mlxr.http.field_types import ModelName
from mlxr.http.fields import Fields
from mlxr.models.names import TOOLS
from mlxr.runtime.messages.registry import ImportModels


class ImportFields(Fields, frozen=True, kw_only=True):
    """``models``: as ``/api/stores`` names them, or as ``from`` does; none for all of ``from``. ``name``: what to call
    it, where it is one."""

    models: Annotated[list[ModelName], Meta(max_length=1024)] | None = None
    from_: str | None = field(default=None, name="from")
    name: ModelName | None = None


def import_command(body: ImportFields) -> ImportModels:
    """Raises ``RequestError`` for a tool that is not known, and where nothing is asked for."""
    tool = known_tool(body.from_ or "", "from")
    if not body.models and not tool:
        raise invalid(f"give `models`, or `from`, one of {', '.join(TOOLS)}", "models")
    return ImportModels(body.models or [], tool, body.name or "")


def known_tool(tool: str, field: str) -> str:
    """Returns ``tool``, '' for none; raises ``RequestError`` for one that is not known."""
    if tool and tool not in TOOLS:
        raise invalid(f"`{field}`: there is no {tool[:100]!r}; it may be {', '.join(TOOLS)}", field)
    return tool
