"""The surface of the web application: a folder a subject, each with its table of routes, joined here."""

from __future__ import annotations

from mlxr.http.services import Route
from mlxr.http.ui import bundle, chats, fetch, jobs, mcp, models, parameters, settings, telemetry, tools

ROUTES: tuple[Route, ...] = (
    *bundle.ROUTES,
    *chats.ROUTES,
    *tools.ROUTES,
    *mcp.ROUTES,
    *fetch.ROUTES,
    *parameters.ROUTES,
    *jobs.ROUTES,
    *models.ROUTES,
    *telemetry.ROUTES,
    *settings.ROUTES,
)
