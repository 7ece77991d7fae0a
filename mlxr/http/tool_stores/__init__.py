"""What other tools keep on this machine: listed, and brought into the catalogue where it is."""

from __future__ import annotations

from mlxr.http.services import Route
from mlxr.http.tool_stores.handlers import ImportRequest, import_models, stores

ROUTES = (
    Route(
        "GET",
        "/api/stores",
        stores,
        "Models in other tools' stores",
        query={"tool": {"type": "string"}},
    ),
    Route("POST", "/api/import", import_models, "Add such models to the catalogue, in place", takes=ImportRequest),
)
