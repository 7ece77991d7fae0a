"""Routes about the server itself: is it up, is it ready, what has it done, what can it be asked."""

from __future__ import annotations

from mlxr.http.services import Route
from mlxr.http.status.health import Health, health, metrics, root

ROUTES = (
    Route("GET", "/", root, "Say that the server is up, in the words Ollama's clients look for", public=True),
    Route("GET", "/health", health, "200 when ready; 503 with progress while loading", gives=Health, public=True),
    Route("GET", "/v1/health", health, "The same", gives=Health, public=True),
    Route("GET", "/metrics", metrics, "Prometheus metrics"),
)
