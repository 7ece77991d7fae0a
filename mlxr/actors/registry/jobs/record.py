"""A job as it is kept: how it stands, and what it takes to do it again. Pure: states and what may follow them."""

from __future__ import annotations

import json
import secrets

from msgspec import Struct
from msgspec.structs import replace

from mlxr.api.errors import invalid
from mlxr.api.jobs import Job, JobKind, JobState
from mlxr.runtime.messages.common import ErrorInfo
from mlxr.runtime.messages.registry import ConvertModel, CreateModel, ImportModels, PullModel, PushModel, Work


class JobRecord(Struct, frozen=True):
    """``work``: what is to be done. ``server``: the run directory's name of the server whose it is."""

    job: Job
    work: Work
    server: str


class Outcome(Struct, frozen=True):
    """What came of work. ``model``: that is here now, '' where none is. ``notes``: as in ``Job``."""

    model: str = ""
    notes: list[str] = []


def new_record(work: Work, server: str, now: float) -> JobRecord:
    kind, model, source, detail = _described(work)
    job = Job(
        id=f"{kind}-{secrets.token_hex(5)}",
        kind=kind,
        model=model,
        source=source,
        detail=detail,
        state="waiting",
        created=now,
        resumes=kind in ("pull", "push"),
    )
    return JobRecord(job, work, server)


def started(job: Job, now: float) -> Job:
    return replace(job, state="running", started=now)


def ended(job: Job, now: float, outcome: Outcome | None = None, error: ErrorInfo | None = None) -> Job:
    """Returns the job after its last word: done with an ``outcome``, failed with an ``error``, else cancelled."""
    state: JobState = "done" if outcome else "failed" if error else "cancelled"
    made = outcome or Outcome()
    return replace(
        job,
        state=state,
        ended=now,
        rate=0.0,
        seconds_left=None,
        error=(error.message or error.code.value) if error else "",
        code=error.code.value if error else "",
        result=made.model,
        notes=made.notes,
    )


def interrupted(job: Job, now: float) -> Job:
    return replace(job, state="interrupted", ended=now, rate=0.0, seconds_left=None)


def again(job: Job) -> Job:
    """Returns the job as it waits for another attempt. Raises ``RequestError`` for one that needs none."""
    if job.going_on:
        raise invalid(f"{job.id} is at work already", "action")
    if job.state == "done":
        raise invalid(f"{job.id} is done; start another one", "action")
    return replace(
        job, state="waiting", status="", error="", code="", ended=None, started=None, attempts=job.attempts + 1
    )


def _described(work: Work) -> tuple[JobKind, str, str, str]:
    """Kind, model, source and detail, as ``Job`` has them."""
    match work:
        case PullModel():
            return "pull", work.name, "", ""
        case ImportModels():
            return "import", work.name or ", ".join(work.names) or work.tool, work.tool, ""
        case CreateModel():
            spec = json.loads(work.spec)
            return "create", work.name, str(spec.get("from", "")), str(spec.get("quantize", ""))
        case ConvertModel():
            wanted = json.loads(work.wanted)
            detail = str(wanted.get("type") or wanted.get("format") or "gguf")
            return "convert", work.name, work.source, detail
        case PushModel():
            return "push", work.name, work.target, ""
