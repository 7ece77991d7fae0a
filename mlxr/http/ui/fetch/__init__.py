"""Fetches pages for models, where a person has agreed to it."""

from __future__ import annotations

from mlxr.http.services import Route
from mlxr.http.ui.fetch.handlers import FetchedPage, FetchRequest, fetch

ROUTES = (
    Route(
        "POST",
        "/api/ui/fetch",
        fetch,
        "The text of a page, for a model that asked for it and a person who agreed",
        takes=FetchRequest,
        gives=FetchedPage,
        tag="ui",
    ),
)
