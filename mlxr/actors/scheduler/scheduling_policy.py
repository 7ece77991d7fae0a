"""What a step computes: ``schedule``, a pure function of the running sequences.

Decode rows come first, one token each, so that streams never wait for prompts. What is left of the token budget goes
to prompts in chunks: while anything decodes, a step holds at most one ``prefill_chunk`` of prompt tokens, which bounds
how long a running stream waits behind a long prompt.

Clients share those tokens alike. Of a client's prompts the first to have come gets them, but where another is much
shorter, that one gets half: it is soon done, and the long one takes at most twice as long however many short ones come.
In a step that finishes a prompt, prompts that are much longer get together no more tokens than that prompt, or one
``prefill_chunk``, shared alike: whoever waits for its first token would wait for theirs. A prompt that is alone gets
everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from msgspec import Struct

from mlxr.actors.scheduler.sequences import Sequence
from mlxr.actors.scheduler.settings import Limits
from mlxr.actors.scheduler.speculation import NO_DRAFT, RowDraft
from mlxr.runtime.messages.scheduler import Task


class Chunk(Struct, frozen=True):
    """The next ``length`` tokens of ``sequence``, and behind them a ``draft``. ``decodes``: they are no part of a
    prompt."""

    sequence: Sequence
    length: int
    draft: RowDraft = NO_DRAFT
    decodes: bool = False


SCORED_COST = 8
"""Tokens of a prompt that take as long as one whose log-probability is wanted, which has the whole vocabulary computed
and sorted: 1 ms of a processor for 49,000 tokens, 6 ms for 262,000. Streams would wait for a chunk of those for most of
a second."""


NO_DRAFTS: dict[int, RowDraft] = {}


def schedule(
    running: list[Sequence], limits: Limits, grid: int | None = None, drafts: Mapping[int, RowDraft] = NO_DRAFTS
) -> list[Chunk]:
    """Returns the rows of the next step. ``running`` is in order of arrival. ``grid``: no row of a prompt goes beyond a
    multiple of it; None for no such bounds. ``drafts``: of some sequences that decode, by their ids."""
    decodes: list[Chunk] = []
    prompts: list[Sequence] = []
    extra = 0
    for sequence in running:
        if not sequence.decoding:
            prompts.append(sequence)
        elif sequence.may_sample:
            draft = drafts.get(sequence.id, NO_DRAFT) if drafts else NO_DRAFT
            decodes.append(Chunk(sequence, 1 + sequence.behind, draft, decodes=True))
            extra += sequence.behind
            if draft is not NO_DRAFT:
                extra += len(draft)
    budget = limits.token_budget - len(decodes) - extra
    if decodes:
        budget = min(budget, limits.prefill_chunk)
    return decodes + _prompt_chunks(prompts, budget, limits, grid, SCORED_COST if decodes else 1)


def _prompt_chunks(
    prompts: list[Sequence], budget: int, limits: Limits, grid: int | None, scored_cost: int
) -> list[Chunk]:
    """Returns what a step computes of prompts, ``budget`` tokens in all. ``scored_cost``: how many of them one is whose
    log-probability is wanted."""
    chunks: list[Chunk] = []
    prompts = [s for s in prompts if s.remaining > 0 and not s.in_flight]
    if not prompts:
        return chunks
    turns = _turns(prompts, limits.whole_prompts)
    shared = sum(part for _, part in turns)
    ends: Sequence | None = None
    beside = limits.prefill_chunk
    for sequence, part in turns:
        length = sequence.remaining
        if grid is not None:
            length = min(length, grid - sequence.computed % grid)
        whole = limits.whole_prompts and sequence.request.submit.task is Task.EMBED
        if budget <= 0 or (whole and length > budget and chunks):
            break
        waits = ends is not None and not whole and _much_shorter(ends, sequence)
        if waits and beside <= 0:
            shared -= part
            continue
        if waits:
            length = min(length, max(1, int(beside * part / shared)) if part else beside)
        share = max(1, int(budget * part / shared)) if part else budget
        cost = scored_cost if sequence.request.submit.prompt_logprobs is not None else 1
        chunks.append(Chunk(sequence, length if whole else min(length, max(1, share // cost))))
        budget -= cost * chunks[-1].length
        beside -= chunks[-1].length if waits else 0
        shared -= part
        if ends is None and chunks[-1].length == sequence.remaining:
            ends, beside = sequence, max(beside, sequence.remaining)
    return chunks


MUCH_SHORTER = 4
"""A prompt passes its client's first where it has at most this part of that one's tokens to go."""


def _turns(prompts: list[Sequence], whole: bool) -> list[tuple[Sequence, Fraction | int]]:
    """Returns ``prompts`` in the order of their turns, each with the part of the tokens that is its own.

    First come those who share, the shortest ahead, so that what it leaves of its part goes to longer ones; then each
    client's second ahead of all others' third. Prompts that are computed as a ``whole`` wait for a step that has room
    for them and are passed by nobody, or the shorter ones of others could keep them waiting for ever.
    """
    if len(prompts) == 1:
        return [(prompts[0], 1)]
    clients: dict[str | None, list[Sequence]] = {}
    for sequence in prompts:
        clients.setdefault(sequence.client, []).append(sequence)
    sharing: list[tuple[Sequence, Fraction | int]] = []
    others: list[tuple[int, Sequence]] = []
    for own in clients.values():
        heads = own[:1] if whole else _heads(own)
        sharing += [(head, Fraction(1, len(heads))) for head in heads]
        others += enumerate(sequence for sequence in own if not any(sequence is head for head in heads))
    if not whole:
        sharing.sort(key=lambda turn: turn[0].remaining)
    others.sort(key=lambda other: other[0])
    return sharing + [(sequence, 0) for _, sequence in others]


def _heads(own: list[Sequence]) -> list[Sequence]:
    """Returns who of a client's prompts share its part: the first to have come, and the shortest where that is much
    shorter."""
    first, shortest = own[0], min(own, key=lambda sequence: sequence.remaining)
    return [shortest, first] if _much_shorter(shortest, first) else [first]


def _much_shorter(one: Sequence, other: Sequence) -> bool:
    return one.remaining * MUCH_SHORTER <= other.remaining
