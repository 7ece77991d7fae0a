"""The surface of the web application: a folder a subject, each with its table of routes, joined here."""

from __future__ import annotations

from mlxr.http.services import Route

ROUTES: tuple[Route, ...] = ()
