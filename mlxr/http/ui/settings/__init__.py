"""What the server is, and how it is set up."""

from __future__ import annotations

from mlxr.http.services import Route
from mlxr.http.ui.settings.handlers import settings
from mlxr.http.ui.settings.schema import ServerSetup

ROUTES = (
    Route(
        "GET",
        "/api/ui/settings",
        settings,
        "The server's versions and memory, and each key of its configuration with where it comes from",
        gives=ServerSetup,
        tag="ui",
    ),
)
