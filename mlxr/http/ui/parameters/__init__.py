"""What answers are made with where a chat says nothing else."""

from __future__ import annotations

from mlxr.http.services import Route
from mlxr.http.ui.parameters.handlers import ModelParameters, parameters

ROUTES = (
    Route(
        "GET",
        "/api/ui/parameters",
        parameters,
        "What a model's answers are made with where a chat says nothing else",
        gives=ModelParameters,
        tag="ui",
        query={"model": {"type": "string"}},
    ),
)
