"""Models for a page that shows them: installed, in other tools' stores, loaded; and what changes of all that."""

from __future__ import annotations

from mlxr.api.conversion import ConversionEstimate
from mlxr.http.services import Route
from mlxr.http.stream import SSE
from mlxr.http.ui.models import schema
from mlxr.http.ui.models.events import events
from mlxr.http.ui.models.handlers import estimate_conversion, library, load, unload

ROUTES = (
    Route(
        "GET",
        "/api/ui/models",
        library,
        "Models, what is loaded of them, memory, jobs, and what other tools have",
        gives=schema.LibraryState,
        tag="ui",
        query={"stores": {"type": "boolean"}},
    ),
    Route(
        "GET",
        "/api/ui/models/events",
        events,
        "What changes of models, memory and jobs, after Last-Event-ID",
        gives=schema.LibraryChanges,
        streams=SSE,
        tag="ui",
    ),
    Route(
        "POST",
        "/api/ui/models/load",
        load,
        "Load a model of any kind, or change how long it stays",
        takes=schema.LoadRequest,
        gives=schema.Loaded,
        tag="ui",
    ),
    Route(
        "POST",
        "/api/ui/models/unload",
        unload,
        "Unload a model as soon as it is idle",
        takes=schema.UnloadRequest,
        gives=schema.Loaded,
        tag="ui",
    ),
    Route(
        "POST",
        "/api/ui/models/conversions",
        estimate_conversion,
        "What a model would become in other types: sizes, and what falls back",
        takes=schema.ConversionRequest,
        gives=ConversionEstimate,
        tag="ui",
    ),
)
