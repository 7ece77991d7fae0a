"""What a measurement found. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Point:
    """Tokens a second, medians.

    context: tokens of the prompt, batch: answers at once.
    prefill: None where it was not measured.
    decode: of all answers together.
    bound: what the machine's memory allows of ``decode``; None where that is not known.
    """

    context: int
    batch: int
    prefill: float | None
    decode: float
    bound: float | None = None

    @property
    def share(self) -> float | None:
        """The part of the bound that is reached."""
        return self.decode / self.bound if self.bound else None


@dataclass(frozen=True, slots=True)
class Bound:
    """What bounds decoding by memory.

    bandwidth: bytes a second that this machine's kernels read weights with, as measured.
    weights: bytes of them that a token needs.
    arithmetic: multiplications and additions a second of products of many rows, as measured; 0 where it is not known.
    operations, head_operations, attention: as in ``mlxr.api.estimate.SpeedEstimate``.
    groups: for each kind of layers, bytes a token of the context, bytes whatever the context, and the tokens that are
        kept at most (0 for all).
    """

    bandwidth: float
    weights: int
    groups: tuple[tuple[int, int, int], ...] = ()
    arithmetic: float = 0.0
    operations: int = 0
    head_operations: int = 0
    attention: tuple[tuple[int, int], ...] = ()

    def tokens_per_second(self, context: int, batch: int) -> float:
        """Returns the bound: weights are read once for all answers, what is kept of a sequence for each."""
        return batch * self.bandwidth / (self.weights + batch * self.kept(context))

    def kept(self, context: int) -> int:
        """Returns the bytes that a token reads of what is kept of its sequence."""
        return sum(
            token * (min(context, window) if window else context) + whole for token, whole, window in self.groups
        )


@dataclass(frozen=True, slots=True)
class Result:
    """``contexts``: one answer, over context; ``batches``: over answers at once. ``stopped``: why longer contexts were
    not measured, '' where all were."""

    model: str
    quantization: str
    parameters: str
    machine: str
    repeat: int
    contexts: tuple[Point, ...]
    batches: tuple[Point, ...]
    bound: Bound | None = None
    stopped: str = ""

    def as_json(self) -> dict[str, Any]:
        whole = asdict(self)
        for name, points in (("contexts", self.contexts), ("batches", self.batches)):
            whole[name] = [{**asdict(point), "share": point.share} for point in points]
        return whole
