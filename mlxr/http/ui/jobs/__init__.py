"""Long work on models as jobs of the server: started, listed, cancelled, begun again, forgotten."""

from __future__ import annotations

from typing import Any

from mlxr.api.jobs import Job
from mlxr.http.services import Handler, Route
from mlxr.http.ui.jobs import schema
from mlxr.http.ui.jobs.handlers import control, convert, create, forget, import_models, jobs, one, pull, push


def _route(method: str, path: str, handle: Handler, summary: str, takes: Any = None, gives: Any = Job) -> Route:
    return Route(method, f"/api/ui/jobs{path}", handle, summary, takes=takes, gives=gives, tag="ui")


ROUTES = (
    _route("GET", "", jobs, "All jobs, the latest first", gives=schema.JobList),
    _route("POST", "/pull", pull, "Fetch a model, whoever waits for it or not", schema.PullJob),
    _route("POST", "/import", import_models, "Add models of other tools, in place", schema.ImportJob),
    _route("POST", "/convert", convert, "Make a model in another format or other types", schema.ConvertJob),
    _route("POST", "/create", create, "Make a model of another one, with a prompt and parameters", schema.CreateJob),
    _route("POST", "/push", push, "Give a model to a registry", schema.PushJob),
    _route("GET", "/{job}", one, "One job"),
    _route("POST", "/{job}", control, "Cancel a job, or begin it again where it stopped", schema.ControlRequest),
    _route("DELETE", "/{job}", forget, "Remove a job that has ended from the list"),
)
