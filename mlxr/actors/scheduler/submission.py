"""Submission: whether a request may come into the queue, and which sequences it is made of."""

from __future__ import annotations

import msgspec

from mlxr.actors.scheduler.sequences import Request, Sequence, Status
from mlxr.actors.scheduler.settings import Limits
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo, Sampling, sequence_id
from mlxr.runtime.messages.scheduler import Submit, Task

SEED_STRIDE = 0x9E3779B97F4A7C15
SEED_MASK = 0x7FFFFFFFFFFFFFFF


def open_request(submit: Submit, arrival: int) -> Request:
    """Returns the request with its sequences: the first is to compute the prompt, the others wait to share it."""
    request = Request(submit, (submit.priority, arrival))
    for index in range(submit.n):
        sampling = choice_sampling(submit.sampling, index)
        sequence = Sequence(sequence_id(submit.request, index), request, sampling)
        if index:
            sequence.status = Status.FORKING
        request.sequences.append(sequence)
    if submit.output:
        # As after an executor's death: its tokens stand, and are computed again with the prompt.
        request.sequences[0].output = submit.output.list()
        request.completion_tokens = len(submit.output)
    return request


def choice_sampling(sampling: Sampling, index: int) -> Sampling:
    """Choice 0 keeps the request's seed; each other draws from a stream of its own."""
    if not index:
        return sampling
    return msgspec.structs.replace(sampling, seed=(sampling.seed + index * SEED_STRIDE) & SEED_MASK)


GUESTS = 8
"""Which part of a full queue a client may have beyond its end, so that nobody is kept out by what others have there."""


def too_many(queue: list[str | None], client: str | None, limits: Limits) -> ErrorInfo | None:
    """Returns why the queue takes no more from ``client``, with a time to come back. ``queue``: the clients of who
    waits."""
    waiting, own = len(queue), queue.count(client)
    if waiting < limits.max_waiting:
        return None
    if own < waiting and own < limits.max_waiting // GUESTS and waiting < 2 * limits.max_waiting:
        return None
    message = f"{waiting} requests are waiting already, the most that scheduler.max_waiting allows"
    return ErrorInfo(ErrorCode.QUEUE_FULL, message, retry_after=max(1.0, waiting / max(1, limits.max_sequences)))


def too_long(submit: Submit, capacity: int | None) -> ErrorInfo | None:
    """Returns why a prompt can never run in a pool of ``capacity`` tokens, None for any number."""
    if submit.task is not Task.GENERATE or capacity is None or len(submit.tokens) < capacity:
        return None
    message = (
        f"the prompt has {len(submit.tokens)} tokens and the KV pool holds {capacity}: "
        "shorten it, or raise kv.pool_tokens"
    )
    return ErrorInfo(ErrorCode.CONTEXT_LENGTH, message)
