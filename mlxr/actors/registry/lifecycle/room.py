"""Whether an engine has room to start, and which others must go for it: pure functions over what each may take."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from mlxr.actors.registry.lifecycle.engine import OVERHEAD_BYTES, Engine
from mlxr.models.sizes import readable


@dataclass(frozen=True, slots=True)
class Room:
    """What it takes to start an engine.

    there: whether it can start now.
    asks: engines that are to give pages back first, and how many bytes.
    victims: engines that must stop first, those used longest ago before others, and idle ones before busy ones.
    refusal: why it can never start, '' where it can.
    bytes: how much it may take if it starts; 0 for no limit.
    """

    there: bool = False
    asks: Sequence[tuple[Engine, int]] = field(default_factory=list)
    victims: Sequence[Engine] = field(default_factory=list)
    refusal: str = ""
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """What all engines together may have.

    engines: how many may run at once.
    memory: bytes that they may take; 0 for no limit.
    free: bytes that the system could give beyond what engines may take already; None where that is not known.
    leaving: what engines take that were told to stop and have not yet.
    """

    engines: int
    memory: int = 0
    free: int | None = None
    leaving: Sequence[int] = ()


def find_room(engine: Engine, others: Collection[Engine], awaiting: Collection[str], limits: Limits) -> Room:
    """Returns how ``engine`` can start beside ``others``, which were all started. ``awaiting``: names of those that
    have not had the request yet that they were loaded for: if they could be made to stop, engines might take turns at
    loading, and none would serve."""
    needs = engine.needs + OVERHEAD_BYTES
    if refusal := _refusal(engine, needs, others, limits):
        if not engine.optional:
            return Room(refusal=refusal)
        needs -= engine.optional
        if refusal := _refusal(engine, needs, others, limits):
            return Room(refusal=refusal)
    spare = sum(other.spare for other in others)
    # Half of what others keep for reuse is worth more to an engine that has nothing yet.
    lacking = _lacking(needs + spare // 2, [other.takes for other in others], limits)
    free_place = len(others) + len(limits.leaving) < limits.engines
    if free_place and lacking and _lacking(needs, [other.takes for other in others], limits) <= spare:
        return Room() if any(other.pending for other in others) else Room(asks=_asks(others, min(lacking, spare)))
    if _fits(needs, [other.takes for other in others], limits):
        return Room(there=True, bytes=_allowed(others, limits))
    later = replace(limits, leaving=(), free=None if limits.free is None else limits.free + sum(limits.leaving))
    going = [other for other in others if other.ending]
    staying = [other for other in others if not other.ending]
    could = [other for other in staying if not (other.fixed or other.loading or other.name in awaiting)]
    could.sort(key=lambda other: (not other.idle, other.used))
    while True:
        freed = sum(other.takes for other in going)
        freed += sum(other.spare for other in staying)
        after = later if later.free is None else replace(later, free=later.free + freed)
        if _fits(needs, [other.takes - other.spare for other in staying], after) or not could:
            return Room(victims=[other for other in going if not other.ending or other.for_room])
        victim = could.pop(0)
        staying.remove(victim)
        going.append(victim)


def order_of_giving(engines: Collection[Engine]) -> list[Engine]:
    """Returns who gives pages back, first those that are idle and were used longest ago."""
    return sorted((each for each in engines if each.spare), key=lambda each: (not each.idle, each.used))


def _asks(others: Collection[Engine], wanted: int) -> list[tuple[Engine, int]]:
    """Returns how much of ``wanted`` bytes each is to give back."""
    asks: list[tuple[Engine, int]] = []
    for other in order_of_giving(others):
        gives = min(other.spare, wanted)
        wanted -= gives
        if gives:
            asks.append((other, gives))
    return asks


def _lacking(needs: int, held: list[int], limits: Limits) -> int:
    """Returns the bytes by which ``needs`` goes beyond the limits, beside others that hold so much each."""
    over = [sum(held) + sum(limits.leaving) + needs - limits.memory] if limits.memory else []
    over += [needs - limits.free] if limits.free is not None else []
    return max(0, *over) if over else 0


def _fits(needs: int, held: list[int], limits: Limits) -> bool:
    """Whether an engine has room beside others that hold so much each."""
    held = [*held, *limits.leaving]
    return len(held) < limits.engines and not _lacking(needs, held, replace(limits, leaving=()))


def _allowed(others: Collection[Engine], limits: Limits) -> int:
    """Bytes that an engine may take beside ``others``; 0 for no limit."""
    held = sum(other.takes for other in others) + sum(limits.leaving)
    most = [] if limits.free is None else [limits.free]
    most += [limits.memory - held] if limits.memory else []
    return max(min(most) - OVERHEAD_BYTES, 1) if most else 0


def _refusal(engine: Engine, needs: int, others: Collection[Engine], limits: Limits) -> str:
    """Why an engine can't start with ``needs`` even if all others go that may; '' where it can."""
    fixed = [other for other in others if other.fixed]
    names = ", ".join(sorted(other.spec.model for other in fixed))
    if len(fixed) >= limits.engines:
        return (
            f"{limits.engines} models may be loaded at once (models.max_loaded), and as many are pinned: {names}; "
            "`mlxr stop` one of them"
        )
    held = sum(other.takes - other.spare for other in fixed)
    if limits.memory and held + needs > limits.memory:
        pinned = f", of which pinned models take {readable(held)} ({names})" if fixed else ""
        why = f"the limit for all models is {readable(limits.memory)} (models.memory_limit){pinned}"
        return _explained(engine, needs, limits.memory - held, why)
    if limits.free is not None:
        going = sum(other.spare if other.fixed else other.takes for other in others)
        most = limits.free + going + sum(limits.leaving)
        if needs > most:
            return _explained(engine, needs, most, f"this machine has {readable(max(most, 0))} to give")
    return ""


def _explained(engine: Engine, needs: int, most: int, why: str) -> str:
    """``why`` an engine has no more than ``most`` bytes, behind what it ``needs``."""
    if engine.explain is None:
        return f"it needs {readable(needs)}, and {why}"
    return f"it {engine.explain(max(most - OVERHEAD_BYTES, 0))}; {why}"
