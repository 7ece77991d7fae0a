"""An executor whose model is a hash.

It keeps page memory, writes each token where the step says and reads the context back through the block tables, so a
page that is mapped, shared, copied or reused wrongly changes the tokens that come out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from typing import Protocol

import msgspec

from mlxr.runtime.messages.common import Adapter, adapters_address
from mlxr.runtime.messages.executor import Step
from mlxr.runtime.messages.kv import CacheKind, GroupPages, PlanRow, TableEntries
from mlxr.runtime.messages.scheduler import Sampled, StepDone, Verified

VOCABULARY = 97
PRIME = 1_000_003
STOP_TOKEN = 0
GARBAGE = (-1, -1)
STEP_NS_PER_TOKEN = 4_000_000
"""What a step takes: short for the scheduler with one or two sequences, long with more or with prompts."""


def extended(value: int, token: int) -> int:
    """What stands for a context, with one more token."""
    return (value * 31 + token + 1) % PRIME


def beginning(adapters: list[Adapter]) -> int:
    """What stands for a context without tokens: everything behind it depends on the adapters."""
    return reduce(extended, adapters_address(adapters).encode(), 0)


def digest(context: list[int], begin: int = 0) -> int:
    """What stands for a context: a function of all its tokens, and of its beginning."""
    return reduce(extended, context, begin)


def next_token(context: int, length: int, seed: int) -> int:
    """The model: any function that depends on the whole context, of which there is the digest."""
    return (context + (seed & 0xFFFFFFFF) * pow(31, length, PRIME)) % PRIME % VOCABULARY


def expected(prompt: list[int], seed: int, max_tokens: int, begin: int = 0) -> list[int]:
    """What one sequence must come to, alone or in any company."""
    tokens = list(prompt)
    while len(tokens) - len(prompt) < max_tokens:
        tokens.append(next_token(digest(tokens, begin), len(tokens), seed))
        if tokens[-1] == STOP_TOKEN:
            break
    return tokens[len(prompt) :]


@dataclass
class Memory:
    """One cache group's pages and block tables, as an executor has them.

    A place holds a token and the digest of all tokens up to it, which is made from the place before: as the keys of a
    layer depend on what the layer below saw. A state is a digest alone.
    """

    spec: GroupPages
    places: dict[int, tuple[int, int]] = field(default_factory=dict)
    tables: dict[int, dict[int, int]] = field(default_factory=dict)
    pages: int = field(init=False)
    """Pages that have memory."""

    def __post_init__(self) -> None:
        self.pages = min(self.spec.extent or self.spec.pages, self.spec.pages)

    def resize(self, pages: int) -> None:
        self.pages = pages
        size = 1 if self.spec.kind is CacheKind.STATE else self.spec.page_size
        self.places = {place: content for place, content in self.places.items() if place < pages * size}

    def enter(self, sequence: int, entries: TableEntries) -> None:
        if entries.pages:
            table = self.tables[sequence]
            kept = {entry: page for entry, page in table.items() if entry < entries.first}
            self.tables[sequence] = kept | dict(enumerate(entries.pages, entries.first))

    def copy(self, source: int, target: int) -> None:
        size = 1 if self.spec.kind is CacheKind.STATE else self.spec.page_size
        assert max(source, target) < self.pages, "a page has no memory"
        for offset in range(size):
            self.places[target * size + offset] = self.places.get(source * size + offset, GARBAGE)

    def run(self, sequence: int, start: int, tokens: list[int], begin: int) -> int:
        """Takes tokens in; returns the digest of the context with them."""
        if self.spec.kind is CacheKind.STATE:
            page = self.tables[sequence][0]
            assert page < self.pages, "a page has no memory"
            state = self.places[page][1] if start else begin
            state = reduce(extended, tokens, state)
            self.places[page] = (0, state)
            return state
        for position, token in enumerate(tokens, start):
            before = self._at(sequence, position - 1)[1] if position else begin
            self.places[self._place(sequence, position)] = token, extended(before, token)
        end = start + len(tokens)
        first = max(0, start - self.spec.window + 1) if self.spec.window else 0
        seen = [self._at(sequence, position) for position in range(first, end)]
        if self.spec.window is None:
            assert seen[-1][1] == digest([token for token, _ in seen], begin)
        for (_, before), (token, after) in itertools.pairwise(seen):
            assert after == extended(before, token), "somebody else's page is read"
        return seen[-1][1]

    def _at(self, sequence: int, position: int) -> tuple[int, int]:
        return self.places[self._place(sequence, position)]

    def _place(self, sequence: int, position: int) -> int:
        entry, offset = divmod(position, self.spec.page_size)
        assert self.tables[sequence][entry] < self.pages, "a page has no memory"
        return self.tables[sequence][entry] * self.spec.page_size + offset


Make = Callable[[list[int]], tuple[list[int], int]]


def no_drafts(right: list[int]) -> tuple[list[int], int]:
    return [], -1


@dataclass
class Device:
    """Page memory and block tables of every group. ``make``: of so many tokens of a draft that are right and wanted,
    those that it makes, and how many tokens it says that it has yet to read."""

    groups: list[Memory]
    make: Make = no_drafts
    seeds: dict[int, int] = field(default_factory=dict)
    begins: dict[int, int] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)

    def run(self, step: Step) -> StepDone:
        for index, group in enumerate(self.groups):
            for sequence in list(group.tables) if step.reset else step.forget:
                group.tables.pop(sequence, None)
            for fork in step.forks:
                group.tables[fork.child] = {}
                group.enter(fork.child, fork.tables[index])
        for group, asked in zip(self.groups, step.sizes, strict=False):
            group.resize(max(asked.pages, group.pages))
        for copy in step.copies:
            self.groups[copy.group].copy(copy.source, copy.target)
        for group, asked in zip(self.groups, step.sizes, strict=False):
            assert asked.pages <= asked.limit
            group.resize(asked.pages)
        sampled: list[Sampled] = []
        verified: list[Verified] = []
        last: dict[int, int] = {}
        # Rows of a step run at once: none may use a page that another one of them writes to. Hence both orders.
        for row in step.rows if step.step % 2 else reversed(step.rows):
            if row.setup is not None:
                self.seeds[row.sequence] = row.setup.sampling.seed
                self.begins[row.sequence] = beginning(row.setup.adapters)
            for id, setup in row.register:
                self.seeds[id] = setup.sampling.seed
                self.begins[id] = beginning(setup.adapters)
            for index, group in enumerate(self.groups):
                if row.setup is not None:
                    group.tables[row.sequence] = {}
                if row.tables:
                    group.enter(row.sequence, row.tables[index])
            tokens = [self.last[row.sequence]] if row.tokens is None else row.tokens.list()
            assert len(tokens) == row.length - row.wanted
            known = row.length - row.draft
            context = self._computed(row.sequence, row.start, tokens[:known])
            unread = 0
            if row.wanted:
                made, unread = self._made(row, context, tokens[known:])
                assert len(made) <= row.wanted
                tokens += made
            for id in row.sample:
                last[id] = next_token(context, row.start + known, self.seeds[id])
                sampled.append(Sampled(id, last[id]))
            if row.draft:
                verified.append(self._verify(row, known, tokens[known:], sampled, unread))
                del last[row.sequence]  # What comes next has been told by then.
        if sampled:
            self.last = last
        took = STEP_NS_PER_TOKEN * sum(row.length for row in step.rows)
        ran = [row.sequence for row in step.rows]
        return StepDone(step.epoch, step.step, sampled, device_ns=took, ran=ran, verified=verified)

    def collect(self) -> StepDone | None:
        return None

    def _computed(self, sequence: int, start: int, tokens: list[int]) -> int:
        """Runs all groups on some tokens; returns what stands for the context with them."""
        digests = {group.run(sequence, start, tokens, self.begins[sequence]) for group in self.groups}
        assert len(digests) == 1, "groups have seen different contexts"
        return digests.pop()

    def _made(self, row: PlanRow, context: int, given: list[int]) -> tuple[list[int], int]:
        """Makes what is wanted of a draft, behind what is ``given``."""
        context, right = reduce(extended, given, context), list[int]()
        for at in range(row.wanted):
            right.append(next_token(context, row.start + row.length - row.wanted + at, self.seeds[row.sequence]))
            context = extended(context, right[-1])
        return self.make(right)

    def _verify(self, row: PlanRow, known: int, draft: list[int], sampled: list[Sampled], unread: int = 0) -> Verified:
        """Computes all of a draft, as a device does, and samples as far as it is right."""
        accepted = 0
        for at, token in enumerate(draft, row.start + known):
            context = self._computed(row.sequence, at, [token])
            if accepted == at - row.start - known and sampled[-1].token == token:
                sampled.append(Sampled(row.sequence, next_token(context, at + 1, self.seeds[row.sequence])))
                accepted += 1
        return Verified(row.sequence, len(draft), accepted, unread)


@dataclass
class LateDevice:
    """A device that reads what a step gave only once the next one has been launched, which may have had it forget
    sequences."""

    device: Device
    running: StepDone | None = None

    def run(self, step: Step) -> StepDone | None:
        before = self.collect()
        if before is not None and step.forget:
            sampled = [each for each in before.sampled if each.sequence not in step.forget]
            verified = [each for each in before.verified if each.sequence not in step.forget]
            lost = {each.sequence for each in before.sampled if each.sequence in step.forget}
            before = msgspec.structs.replace(before, sampled=sampled, verified=verified, lost=list(lost))
        self.running = self.device.run(step)
        return before

    def collect(self) -> StepDone | None:
        running, self.running = self.running, None
        return running


class Runs(Protocol):
    """Whatever runs steps, with its page memory."""

    def run(self, step: Step) -> StepDone | None:
        """Takes a step in; returns the results of one, which is another where steps are run one behind another."""
        ...

    def collect(self) -> StepDone | None:
        """Returns the results of the step that has not been read, None where there is none."""
        ...
