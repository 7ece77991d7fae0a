"""Steps under way: which rows they hold, and which rows turn out not to have run."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from mlxr.actors.scheduler.sequences import Sequence


@dataclass(slots=True)
class Flight:
    """One row of a step. ``samples``: who takes a token from it. ``registered``: it told the executor of its
    sequence."""

    sequence: Sequence
    start: int
    samples: list[Sequence]
    registered: bool


class Flights:
    """Rows by step. The KV manager's word that a row did not run and the executor's that its step is done may arrive in
    either order."""

    def __init__(self) -> None:
        self._steps: dict[int, list[Flight]] = {}

    def __len__(self) -> int:
        return len(self._steps)

    def __contains__(self, step: int) -> bool:
        return step in self._steps

    def add(self, step: int, flight: Flight) -> None:
        self._steps.setdefault(step, []).append(flight)

    def clear(self) -> None:
        self._steps.clear()

    def all(self) -> Iterator[Flight]:
        return (flight for flights in self._steps.values() for flight in flights)

    def latest(self) -> set[int]:
        """The sequences that the newest step samples for."""
        newest = next(reversed(self._steps.values()), [])
        return {sampler.id for flight in newest for sampler in flight.samples}

    def holds(self, sequence: Sequence) -> bool:
        """Whether any row of ``sequence`` is under way."""
        return any(flight.sequence is sequence for flight in self.all())

    def land(self, step: int, ran: Collection[int]) -> list[Flight]:
        """The step is done; returns the rows that did not run, with those planned behind them."""
        missing = [flight.sequence.id for flight in self._steps[step] if flight.sequence.id not in ran]
        withdrawn = [flight for sequence in missing for flight in self.withdraw(sequence, step)]
        self._steps.pop(step, None)
        return withdrawn

    def withdraw(self, sequence: int, step: int) -> list[Flight]:
        """Take out the row of ``sequence`` that did not run in ``step``, and those planned behind it, which can't run.

        A row withdrawn already (because an earlier one was) is reported too, and says nothing of rows planned since.
        """
        if not any(flight.sequence.id == sequence for flight in self._steps.get(step, [])):
            return []
        withdrawn: list[Flight] = []
        for number in sorted(n for n in self._steps if n >= step):
            withdrawn += [flight for flight in self._steps[number] if flight.sequence.id == sequence]
            self._steps[number] = [flight for flight in self._steps[number] if flight.sequence.id != sequence]
            if not self._steps[number]:
                del self._steps[number]
        return withdrawn
