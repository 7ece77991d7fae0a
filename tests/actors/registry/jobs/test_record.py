from __future__ import annotations

import json

import msgspec
import pytest

from mlxr.actors.registry.jobs.record import JobRecord, Outcome, again, ended, interrupted, new_record, started
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.registry import ConvertModel, CreateModel, ImportModels, PullModel, PushModel, Work

WORK: list[tuple[Work, tuple[str, str, str, str]]] = [
    (PullModel("tiny"), ("pull", "tiny", "", "")),
    (ImportModels(["ollama:a"]), ("import", "ollama:a", "", "")),
    (ConvertModel("tiny", json.dumps({"type": "Q8_0"}).encode(), "small"), ("convert", "small", "tiny", "Q8_0")),
    (CreateModel("mine", b'{"from": "tiny"}'), ("create", "mine", "tiny", "")),
    (PushModel("tiny", "you/tiny"), ("push", "tiny", "you/tiny", "")),
]


@pytest.mark.parametrize(("work", "described"), WORK, ids=lambda value: type(value).__name__)
def test_every_kind_of_work_is_described_and_outlives_its_server(
    work: Work, described: tuple[str, str, str, str]
) -> None:
    record = new_record(work, "17", 5.0)
    job = record.job
    assert (job.kind, job.model, job.source, job.detail) == described
    assert msgspec.json.decode(msgspec.json.encode(record), type=JobRecord) == record


def test_a_job_ends_done_failed_or_cancelled() -> None:
    job = started(new_record(PullModel("tiny"), "17", 1.0).job, 2.0)
    assert ended(job, 3.0, Outcome("tiny", ["so"])).state == "done"
    failed = ended(job, 3.0, error=ErrorInfo(ErrorCode.INVALID, "it is bad"))
    assert (failed.state, failed.error, failed.code) == ("failed", "it is bad", "invalid_request")
    assert ended(job, 3.0).state == "cancelled"


def test_what_did_not_get_to_its_end_can_be_tried_again_and_nothing_else() -> None:
    job = new_record(PullModel("tiny"), "17", 1.0).job
    for left in (interrupted(job, 2.0), ended(job, 2.0), ended(job, 2.0, error=ErrorInfo(ErrorCode.INVALID, "bad"))):
        fresh = again(left)
        assert (fresh.state, fresh.error, fresh.ended, fresh.attempts) == ("waiting", "", None, 2)
    with pytest.raises(RequestError, match="at work already"):
        again(job)
    with pytest.raises(RequestError, match="is done"):
        again(ended(job, 2.0, Outcome("tiny")))
