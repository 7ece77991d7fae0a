"""The web application's files, built by ``make setup`` from ``ui/``: any path of the application gives its one page."""

from __future__ import annotations

from mlxr.http.services import Route
from mlxr.http.ui.bundle.serve import file_or_page, page

ROUTES = (
    Route("GET", "/ui", page, "The web application", public=True, tag="ui"),
    Route("GET", "/ui/{path:.*}", file_or_page, "A page or a file of the web application", public=True, tag="ui"),
)
