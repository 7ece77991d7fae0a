"""One engine's speculation, put together as its configuration says."""

from __future__ import annotations

from dataclasses import dataclass

from mlxr.actors.scheduler.sequences import Sequence
from mlxr.actors.scheduler.speculation import Speculation
from mlxr.actors.scheduler.speculation.client_texts import ClientTexts
from mlxr.actors.scheduler.speculation.depth import LearnedDepths
from mlxr.actors.scheduler.speculation.device_drafts import DeviceDrafts
from mlxr.actors.scheduler.speculation.grammar import GrammarDrafter
from mlxr.actors.scheduler.speculation.lookup import LookupDrafter
from mlxr.actors.scheduler.speculation.origins import DraftKind, Origin, Part
from mlxr.actors.scheduler.speculation_section import SpeculationSection


class JoinedDrafter:
    """What is forced comes first, and behind it what is looked up."""

    def __init__(self, settings: SpeculationSection) -> None:
        texts = ClientTexts() if settings.shared else None
        self._lookup = LookupDrafter(texts) if settings.lookup else None
        self._grammar = GrammarDrafter() if settings.grammar else None
        self._parts: dict[int, list[Part]] = {}
        self.depths: LearnedDepths | None = None

    def opened(self, sequence: Sequence) -> None:
        if self._lookup is not None:
            self._lookup.opened(sequence)

    def accepted(self, sequence: Sequence, tokens: list[int]) -> None:
        forced = self._grammar.accepted(sequence, tokens) if self._grammar is not None and self._grammar.known else 0
        if self._lookup is not None:
            self._lookup.accepted(sequence, tokens, forced)

    def forced(self, sequence: Sequence, tokens: list[int]) -> None:
        if self._grammar is not None:
            self._grammar.forced(sequence, tokens)

    def closed(self, sequence: Sequence) -> None:
        self._parts.pop(sequence.id, None)
        if self._lookup is not None:
            self._lookup.closed(sequence)
        if self._grammar is not None:
            self._grammar.closed(sequence)
        if self.depths is not None:
            self.depths.closed(sequence)

    def hopeful(self, sequences: list[Sequence]) -> list[Sequence]:
        looked_up = self._lookup.hopeful if self._lookup is not None else ()
        forced = self._grammar.known if self._grammar is not None else ()
        if not (looked_up or forced):
            return []
        return [sequence for sequence in sequences if sequence.id in looked_up or sequence.id in forced]

    def propose(self, sequence: Sequence, most: int) -> list[int]:
        wished = sequence.request.submit.most_drafted
        if wished is not None:
            most = min(most, sequence.in_flight + wished)
        forced = self._grammar.propose(sequence, most) if self._grammar is not None else []
        draft = self._lookup.propose(sequence, most) if self._lookup is not None else []
        if forced:
            parts = [Part(Origin(DraftKind.GRAMMAR), len(forced))]
            draft = forced
            if self._lookup is not None:
                rest, further = self._lookup.behind(sequence, forced, most - len(forced))
                draft, parts = forced + rest, parts + further
            self._parts[sequence.id] = parts
        elif draft and self._lookup is not None:
            self._parts[sequence.id] = self._lookup.parts(sequence, len(draft))
        return draft

    def parts(self, sequence: Sequence) -> list[Part]:
        """Returns what a sequence's latest draft is made of."""
        return self._parts.get(sequence.id, [])


@dataclass(frozen=True, slots=True)
class EngineSpeculation(Speculation):
    """All parts, where the depths are learned."""

    depths: LearnedDepths
    device: DeviceDrafts


def speculation(settings: SpeculationSection) -> EngineSpeculation | None:
    """Returns an engine's drafter and depths; None where there is to be no speculation."""
    if not settings.enabled:
        return None
    drafter = JoinedDrafter(settings)
    drafter.depths = depths = LearnedDepths(drafter.parts)
    return EngineSpeculation(drafter, depths, DeviceDrafts(depths), drafter.parts)
