"""What this machine's memory allows of a model: the same figures that a load is estimated by."""

from __future__ import annotations

from mlxr.cli.bench.result import Bound
from mlxr.cli.printing import remark
from mlxr.runtime.errors import MlxrError


async def memory_bound(model: str) -> Bound | None:
    """Returns the bound, measuring the machine where nothing is known of it; None where it can't be told, with a
    remark."""
    # What reads headers of models.
    from mlxr.cli.estimate import estimated

    try:
        found = await estimated(model, 0)
    except MlxrError as error:
        remark(f"what the memory allows is not known: {error}")
        return None
    if found.speed is None or found.memory is None:
        return None
    # A state is read and written.
    groups = tuple((group.token_bytes, 2 * group.sequence_bytes, group.window or 0) for group in found.memory.groups)
    speed = found.speed
    return Bound(
        speed.bandwidth,
        speed.read,
        groups,
        speed.arithmetic,
        speed.operations,
        speed.head_operations,
        tuple((each.operations, each.window) for each in speed.attention),
    )
