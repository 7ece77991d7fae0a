"""The limit on paper: bytes and operations of a step, over what memory and arithmetic do in a second. Pure.

A step takes no less than reading each byte once, nor than computing each operation; the larger of the two is the bound.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from mlxr.cli.bench.result import Bound, Result
from mlxr.runtime.errors import ConfigError

STREAMS = 16


@dataclass(frozen=True, slots=True)
class Work:
    """Of one step: ``nbytes`` that are read, ``operations`` (multiplications and additions), ``tokens`` it is for."""

    nbytes: int
    operations: int
    tokens: int

    def seconds(self, bandwidth: float, arithmetic: float) -> float:
        """Returns the least it takes, of bytes and of operations a second."""
        return max(self.nbytes / bandwidth, self.operations / arithmetic)


@dataclass(frozen=True, slots=True)
class Line:
    """``measured`` and ``bound`` are tokens a second; ``nbytes`` and ``operations`` are of a step."""

    what: str
    measured: float
    bound: float
    bound_by: str
    nbytes: int
    operations: int

    @property
    def share(self) -> float:
        return self.measured / self.bound


@dataclass(frozen=True, slots=True)
class Roofline:
    """``bandwidth``: bytes, ``arithmetic``: multiplications and additions a second, as measured on this machine."""

    model: str
    machine: str
    bandwidth: float
    arithmetic: float
    lines: tuple[Line, ...]

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "lines": [{**asdict(line), "share": line.share} for line in self.lines]}


def decode(bound: Bound, context: int, batch: int) -> Work:
    """Returns the work of one token for each of ``batch`` answers: weights are read once for all of them."""
    attended = sum(each * (min(context, window) if window else context) for each, window in bound.attention)
    return Work(bound.weights + batch * bound.kept(context), batch * (bound.operations + attended), batch)


def prefill(bound: Bound, tokens: int) -> Work:
    """Returns the work of a prompt up to its first answer: logits are those of its last token."""
    attended = sum(each * _seen(tokens, window) for each, window in bound.attention)
    each = bound.operations - bound.head_operations
    return Work(bound.weights + bound.kept(tokens), tokens * each + bound.head_operations + attended, tokens)


def _seen(tokens: int, window: int) -> int:
    """Returns how many pairs of a token and one that it sees there are."""
    full = min(tokens, window) if window else tokens
    return full * (full + 1) // 2 + (tokens - full) * full


def roofline_of(result: Result) -> Roofline:
    """Returns measured over bound. Raises ``ConfigError`` where this machine's bounds are not those of the server."""
    bound = result.bound
    if bound is None or not bound.bandwidth or not bound.arithmetic:
        raise ConfigError(
            "--roofline needs a server on this machine and a model that can be looked at: leave out --endpoint, or "
            "measure without --roofline"
        )
    first, many = result.contexts[-1], result.batches[-1]
    lines = (
        _line(f"prefill of {first.context:,}", first.prefill or 0.0, prefill(bound, first.context), bound),
        _line("decode", first.decode, decode(bound, first.context, 1), bound),
        _line(f"{many.batch} streams", many.decode, decode(bound, many.context, many.batch), bound),
    )
    told = ", ".join(part for part in (result.model, result.parameters, result.quantization) if part)
    return Roofline(told, result.machine, bound.bandwidth, bound.arithmetic, lines)


def _line(what: str, measured: float, work: Work, bound: Bound) -> Line:
    seconds = work.seconds(bound.bandwidth, bound.arithmetic)
    by = "memory" if work.nbytes / bound.bandwidth >= work.operations / bound.arithmetic else "arithmetic"
    return Line(what, measured, work.tokens / seconds, by, work.nbytes, work.operations)
