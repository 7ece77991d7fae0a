"""Loading an engine's model: what drafts for it, the room for both, and the pool beside them.

It is loaded whole or not at all, and before anything of it is read, its headers say whether there is room.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mlxr.actors.executor.draft_sizes import head_bytes, seen_bytes
from mlxr.actors.executor.drafting import Drafter
from mlxr.actors.executor.drafting.loading import (
    ChosenDraft,
    NoDraftModel,
    choose_draft,
    head_pool,
    load_draft,
    own_head,
)
from mlxr.actors.executor.memory_budget import free_bytes, pool_budget
from mlxr.actors.executor.memory_need import LEAST_CONTEXT, DoesNotFit, memory_need, step_bytes
from mlxr.actors.executor.pool_files.left import delete_left
from mlxr.actors.executor.pool_files.opening import open_shared_pool
from mlxr.actors.executor.pool_files.shared_pool import SharedPool
from mlxr.actors.executor.pool_size import group_pages, pool_spec
from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.metal.backend import Backend
from mlxr.metal.pool import PoolSpec
from mlxr.models.footprint import Footprint
from mlxr.models.identity import require_same
from mlxr.models.loading import LoadedModel, load_model
from mlxr.models.page_types import typed_groups
from mlxr.models.sizes import readable
from mlxr.runtime.messages.kv import CacheKind, GroupPages

NOMINAL_PAGES = 4096
"""Of a model that keeps nothing in pages: so many whole inputs."""

Progress = Callable[[str, float], None]
"""Hears a stage of loading, and how much of it is done, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was loaded for an engine.

    Attributes:
        drafter: what drafts for the model; None where nothing does.
        draft_bytes: what drafting takes of the memory.
        spec: of the pool; None for a model that keeps nothing in pages.
        shared: the pool's, where it outlives the process.
        groups: the pool's parts.
        room_beside: returns how many bytes of what the longest step works with are free while one of so many tokens
            runs.
    """

    model: LoadedModel
    drafter: Drafter | None
    draft_bytes: int
    spec: PoolSpec | None
    groups: list[GroupPages]
    shared: SharedPool | None
    room_beside: Callable[[int], int]


class FittingLoader:
    """Loads the model and what drafts for it as far as both fit.

    ``goes_without``: hears why nothing drafts that was to. ``again``: the model was served by an executor that is
    gone, and goes on without a draft model that was deleted meanwhile, or replaced.
    """

    def __init__(
        self, settings: ExecutorSettings, backend: Backend, goes_without: Callable[[str], None], *, again: bool
    ) -> None:
        self._settings = settings
        self._backend = backend
        self._goes_without = goes_without
        self._again = again
        self._path = Path(settings.path)
        self._footprint: Footprint | None = None
        """Of the model that was last looked at."""

    def load(self, progress: Progress) -> Loaded:
        """Raises ``DoesNotFit``, ``NoDraftModel``, what ``load_model`` raises, and ``ModelFileError`` where the files
        are not those that the engine was made for."""
        require_same(self._path, self._settings.identity)
        model, draft = self.load_model(self.chosen_draft(), progress)
        require_same(self._path, self._settings.identity)
        drafter, draft_bytes = self._load_drafter(draft, model)
        spec, shared = None, None
        if model.cache_groups:
            spec_of = partial(self._pool_spec, model, draft_bytes)
            shared = open_shared_pool(self._settings, self._backend, spec_of)
            spec = spec_of() if shared is None else shared.spec
        groups = _group_pages(spec, model, self._backend)
        return Loaded(model, drafter, draft_bytes, spec, groups, shared, partial(self._room_beside, model))

    def chosen_draft(self) -> ChosenDraft | None:
        """Returns the draft model. Raises ``NoDraftModel`` where one is required and can't draft."""
        kv, drafts = self._settings.kv, self._settings.drafts
        try:
            return choose_draft(self._path, drafts, self._backend, kv.page_size, kv.page_type, self._goes_without)
        except NoDraftModel as error:
            if not self._again:
                raise
            self._goes_without(str(error))
            return None

    def load_model(self, draft: ChosenDraft | None, progress: Progress) -> tuple[LoadedModel, ChosenDraft | None]:
        """Loads the model, with its own head that drafts where no other model does; returns it with the draft model
        where there is room for that beside it. Raises ``DoesNotFit`` where it does not fit alone, or with a draft model
        that it requires."""
        ways: list[tuple[ChosenDraft | None, bool]] = [] if draft is None else [(draft, False)]
        if draft is None or not draft.files.required:
            ways += [(None, True), (None, False)] if self._settings.mtp else [(None, False)]
        for beside, head in ways[:-1]:
            try:
                return self._load_beside(beside, head, progress), beside
            except DoesNotFit as error:
                what = f"its draft model {beside.files.name}" if beside is not None else "its own head that drafts"
                self._goes_without(f"there is no room for {what}: {error}")
        beside, head = ways[-1]
        return self._load_beside(beside, head, progress), beside

    def _load_beside(self, draft: ChosenDraft | None, head: bool, progress: Progress) -> LoadedModel:
        admit = partial(self._require_room, draft, head)
        return load_model(self._path, self._backend, progress, admit=admit, drafts=head)

    def _require_room(self, draft: ChosenDraft | None, head: bool, footprint: Footprint) -> None:
        """Raises ``DoesNotFit``. ``head``: whether the model's own is to draft."""
        self._footprint = footprint
        sizes_of = self._backend.sizes
        available = free_bytes(self._backend.memory(), self._settings.memory_bytes)
        typed = footprint.typed(self._settings.kv.page_type)
        if draft is not None:
            available = max(0, available - draft.least_bytes)
        elif head:
            available = max(0, available - head_bytes(typed, self._settings.kv.page_size, sizes_of))
        sizes = self._settings.pool_sizes(footprint.context_length, available, self._backend.step_tokens)
        context_length = self._settings.executor.context_length
        try:
            memory_need(typed, sizes, sizes_of, context_length, available).require()
        except DoesNotFit as error:
            if self._settings.kv.shared_memory and delete_left(None):
                # What others left counted as free where it was decided that there is room.
                return self._require_room(draft, head, footprint)
            if draft is None or not draft.files.required:
                raise
            beside = f"its draft model {draft.files.name} takes {readable(draft.least_bytes)} beside"
            raise DoesNotFit(
                f"{error} ({beside}; the model's own PARAMETER draft_model names it: none goes without)"
            ) from None

    def _load_drafter(self, chosen: ChosenDraft | None, model: LoadedModel) -> tuple[Drafter | None, int]:
        """Loads the draft model, else has the model's own head draft, if it has one; with the bytes that takes."""
        kv, backend = self._settings.kv, self._backend
        budget = pool_budget(backend.memory(), kv.memory_fraction, model.nbytes, self._settings.memory_bytes)
        if chosen is not None:
            return load_draft(chosen, model, backend, kv.page_size, kv.page_type, budget)
        pages = head_pool(model, backend, kv.page_size, kv.page_type, budget)
        if pages is None:
            return None, 0
        return own_head(model, backend, pages), backend.sizes.pool(pages) + seen_bytes(model.spec.width)

    def _room_beside(self, model: LoadedModel, tokens: int) -> int:
        assert self._footprint is not None
        sizes = self._settings.pool_sizes(model.context_length, 0, self._backend.step_tokens)
        return step_bytes(self._footprint, sizes.longest_row) - step_bytes(self._footprint, tokens)

    def _pool_spec(self, model: LoadedModel, draft_bytes: int, left: int = 0) -> PoolSpec:
        """``left``: bytes of memory that count as free."""
        kv, backend = self._settings.kv, self._backend
        held = model.nbytes + draft_bytes
        budget = pool_budget(backend.memory(), kv.memory_fraction, held, self._settings.memory_bytes, left)
        sizes = self._settings.pool_sizes(model.context_length, budget, backend.step_tokens)
        groups = typed_groups(model.cache_groups, kv.page_type, model.architecture)
        return pool_spec(groups, sizes, backend.sizes.pool)


def least_pages_bytes(settings: ExecutorSettings, spec: PoolSpec | None, context: int, backend: Backend) -> int:
    """Returns what pages for the shortest context take that a load makes sure of."""
    if spec is None:
        return 0
    tokens = min(settings.executor.context_length or LEAST_CONTEXT, context)
    sizes = settings.pool_sizes(tokens, 0, backend.step_tokens)
    groups = tuple(part.group for part in spec.groups)
    return backend.sizes.pool(pool_spec(groups, replace(sizes, tokens=tokens), backend.sizes.pool))


def _group_pages(spec: PoolSpec | None, model: LoadedModel, backend: Backend) -> list[GroupPages]:
    """Returns the pool's parts. A model that keeps nothing in pages gets nominal ones, a whole input each."""
    if spec is None:
        return [GroupPages(CacheKind.FULL, NOMINAL_PAGES, model.context_length)]
    return group_pages(spec, backend.sizes, backend.lazy_pages)
