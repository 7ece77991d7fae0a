"""What planned steps consist of, as telemetry tells it once they have run."""

from __future__ import annotations

from mlxr.runtime.messages.kv import Plan


class PlannedShapes:
    """Owns the shapes of steps in flight. Steps are done in the order of their plans, so that those planned before one
    that is done have run, or never will."""

    def __init__(self) -> None:
        self._shapes: dict[int, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._shapes)

    def note(self, plan: Plan) -> None:
        others = [row.length for row in plan.rows if not (row.draft or (row.length == 1 and row.sample))]
        self._shapes[plan.step] = len(plan.rows) - len(others), sum(others)

    def take(self, step: int) -> tuple[int, int] | None:
        """Returns the decode rows and prompt tokens of ``step``, which is done; None where nobody has noted it."""
        shape = self._shapes.get(step)
        self._shapes = {number: each for number, each in self._shapes.items() if number > step}
        return shape
