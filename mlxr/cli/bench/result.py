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
    groups: for each kind of layers, bytes a token of the context, bytes whatever the context, and the tokens that are
        kept at most (0 for all).
    """

    bandwidth: float
    weights: int
    groups: tuple[tuple[int, int, int], ...] = ()

    def tokens_per_second(self, context: int, batch: int) -> float:
        """Returns the bound: weights are read once for all answers, what is kept of a sequence for each."""
        kept = sum(
            token * (min(context, window) if window else context) + whole for token, whole, window in self.groups
        )
        return batch * self.bandwidth / (self.weights + batch * kept)


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
