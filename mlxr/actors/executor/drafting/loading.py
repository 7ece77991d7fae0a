"""Which draft model an executor has beside its model, what that takes, and how it is loaded."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlxr.actors.executor.draft_sizes import LEAST_TOKENS, MOST_TOKENS, POOL_PART, draft_bytes, draft_pool
from mlxr.actors.executor.drafting.draft_model import DraftModel
from mlxr.actors.executor.drafting.own_head import OwnHead
from mlxr.metal.backend import Backend
from mlxr.metal.cache import CacheGroup
from mlxr.metal.pool import PoolSpec
from mlxr.models.errors import UnusableModelError
from mlxr.models.footprint import Footprint
from mlxr.models.identity import require_same
from mlxr.models.loading import LoadedModel, load_model, read_footprint
from mlxr.models.page_type_setting import PageType
from mlxr.models.page_types import typed_groups
from mlxr.models.shared_vocabulary import difference
from mlxr.models.sizes import readable
from mlxr.models.tokenizers.errors import TokenizerError
from mlxr.runtime.engine_spec import DraftFiles
from mlxr.runtime.errors import ModelError
from mlxr.runtime.messages.scheduler import DrafterInfo, DrafterKind

log = logging.getLogger("mlxr.executor")

HEAD_COST = 3.0
"""Layers that a pass of the model's own head takes as long as, about, with the output projection."""

WAY_OUT = (
    "name another, or none, in speculation.draft_model, or as PARAMETER draft_model where the model's own names it"
)


class NoDraftModel(ModelError):  # noqa: N818  (what is so of the model)
    """A model can't draft for another."""


@dataclass(frozen=True, slots=True)
class ChosenDraft:
    """A model that can draft, and what it takes. ``least_bytes``: with the least of its pages."""

    files: DraftFiles
    footprint: Footprint
    least_bytes: int


def choose_draft(
    model: Path,
    drafts: list[DraftFiles],
    backend: Backend,
    page_size: int,
    page_type: PageType,
    left_out: Callable[[str], None],
) -> ChosenDraft | None:
    """Returns the first of ``drafts`` that can draft for ``model``; None where none can and none is required. Raises
    ``NoDraftModel`` for one that is. ``left_out``: hears why one can't that somebody named."""
    for files in drafts:
        try:
            return _examined(model, files, backend, page_size, page_type)
        except NoDraftModel as error:
            if files.required:
                raise
            if files.named:
                left_out(str(error))
            else:
                log.info("goes without a draft model: %s", error)
    return None


def _examined(model: Path, files: DraftFiles, backend: Backend, page_size: int, page_type: PageType) -> ChosenDraft:
    if files.missing:
        raise NoDraftModel(files.missing)
    path = Path(files.path)
    try:
        require_same(path, files.identity)
        footprint = read_footprint(path, backend.sizes).typed(page_type)
        if not footprint.groups:
            raise NoDraftModel(f"the draft model {files.name} is an embedding model; {WAY_OUT}")
        if apart := difference(model, path):
            raise NoDraftModel(f"the draft model {files.name} has another vocabulary: {apart}; {WAY_OUT}")
    except UnusableModelError as error:
        raise NoDraftModel(f"the draft model {files.name} can't be used: it {error.reason}; {WAY_OUT}") from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise NoDraftModel(f"the draft model {files.name} can't be read: {reason}; {WAY_OUT}") from error
    except (TokenizerError, ValueError) as error:
        raise NoDraftModel(f"the draft model {files.name} can't be used: {error}; {WAY_OUT}") from error
    return ChosenDraft(files, footprint, draft_bytes(footprint, page_size, backend.sizes))


def load_draft(
    chosen: ChosenDraft, target: LoadedModel, backend: Backend, page_size: int, page_type: PageType, budget: int
) -> tuple[DraftModel, int]:
    """Loads a draft model for ``target``; returns it with what its weights and pages take. ``budget``: what all pages
    of the engine may take."""
    model = load_model(chosen.files.path, backend)
    groups = typed_groups(model.cache_groups, page_type, model.architecture)
    spec = _pool(groups, backend, page_size, budget)
    nbytes = model.nbytes + backend.sizes.pool(spec)
    info = DrafterInfo(DrafterKind.DRAFT_MODEL, min(1.0, model.nbytes / max(1, target.nbytes)), chosen.files.name)
    log.info("%s drafts, in %s, with room for %d tokens", chosen.files.name, readable(nbytes), _tokens(spec))
    return DraftModel(model, backend, spec, target.vocab_size, info), nbytes


def head_pool(
    model: LoadedModel, backend: Backend, page_size: int, page_type: PageType, budget: int
) -> PoolSpec | None:
    """Returns the pages of the model's own head that drafts; None where it has none. ``budget``: as in
    ``load_draft``."""
    if model.drafting_head is None:
        return None
    groups = typed_groups(model.drafting_head.groups, page_type, model.architecture)
    return _pool(groups, backend, page_size, budget)


def own_head(model: LoadedModel, backend: Backend, pages: PoolSpec) -> OwnHead:
    """Returns what drafts by the model's own head."""
    assert model.drafting_head is not None
    info = DrafterInfo(DrafterKind.MTP, min(1.0, HEAD_COST / len(model.spec.layers)), reads=False)
    log.info("a head of the model's own drafts, with room for %d tokens", _tokens(pages))
    return OwnHead(model, model.drafting_head, backend, pages, info)


def _pool(groups: tuple[CacheGroup, ...], backend: Backend, page_size: int, budget: int) -> PoolSpec:
    one = backend.sizes.pool(draft_pool(groups, page_size, LEAST_TOKENS)) / LEAST_TOKENS
    tokens = int(max(LEAST_TOKENS, min(MOST_TOKENS, budget * POOL_PART / one)))
    return draft_pool(groups, page_size, tokens)


def _tokens(pages: PoolSpec) -> int:
    return max(part.pages * part.page_size for part in pages.groups)
