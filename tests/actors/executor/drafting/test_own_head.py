"""A model's own head drafts from the hidden states of the last tokens, however steps have left them."""

from __future__ import annotations

import gc
import random

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.actors.executor.draft_sizes import SEEN_TOKENS, draft_pool
from mlxr.actors.executor.drafting import Wanted
from mlxr.actors.executor.drafting.own_head import KEPT, OwnHead
from mlxr.actors.executor.sequences import Sequence
from mlxr.metal.backend import Backend
from mlxr.metal.cpu.backend import CpuBackend
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.models.loading import LoadedModel, load_model
from mlxr.runtime.messages.common import Sampling
from mlxr.runtime.messages.scheduler import DrafterInfo, DrafterKind
from tests.models.architectures.test_drafting_head import with_head

INFO = DrafterInfo(DrafterKind.MTP, 0.1, reads=False)
LONGEST = 200


@pytest.fixture(scope="module")
def backend() -> Backend:
    return CpuBackend(2)


@pytest.fixture(scope="module", params=["glm4_moe", "deepseek_v3", "qwen3_5"])
def model(request: pytest.FixtureRequest, backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    path, _, _ = with_head(tmp_path_factory.mktemp("model") / "model", request.param)
    return load_model(path, backend, drafts=True)


class Said:
    """A sequence with the hidden states that a model may have had of it."""

    def __init__(self, id: int, model: LoadedModel, temperature: float = 0.0) -> None:
        numbers = np.random.RandomState(id)
        self.tokens: list[int] = numbers.randint(0, model.vocab_size, LONGEST).tolist()
        self.hidden: NDArray[np.float32] = numbers.standard_normal((LONGEST, model.spec.width)).astype(np.float32)
        self.sequence = Sequence(id, Sampling(temperature, seed=id), [], 0, None, normalize=True)

    def step(self, head: OwnHead, start: int, end: int, wrong: int = 0) -> None:
        """A step computes positions ``start`` to ``end``, and so many behind that turn out to be wrong; another
        sequence's stand before them."""
        others, spoilt = np.ones((3, self.hidden.shape[1]), np.float32), np.full((wrong, self.hidden.shape[1]), 9.0)
        rows = np.concatenate([others, self.hidden[start:end], spoilt.astype(np.float32)])
        head.saw(self.sequence.id, start, mx.array(rows), 3, end - start + wrong)

    def wanted(self, known: int, most: int) -> Wanted:
        self.sequence.tokens = self.tokens[:known]
        return Wanted(self.sequence, self.sequence.tokens, known, most, 0.0)


def head_of(model: LoadedModel, backend: Backend, tokens: int = 512) -> OwnHead:
    assert model.drafting_head is not None
    return OwnHead(model, model.drafting_head, backend, draft_pool(model.drafting_head.groups, 8, tokens), INFO)


def test_drafts_are_those_of_a_head_that_reads_all_at_once(model: LoadedModel, backend: Backend) -> None:
    """Steps leave a token or several, and some that are wrong; drafts are asked for now and then, rows together."""
    choose, head = random.Random(2), head_of(model, backend)
    rows = [Said(1, model), Said(2, model, temperature=0.8), Said(3, model)]
    known = {each.sequence.id: 12 + each.sequence.id for each in rows}
    for each in rows:
        each.step(head, 0, known[each.sequence.id] - 1)
    for _ in range(10):
        asked = [each for each in rows if choose.random() < 0.6]
        wanted = [each.wanted(known[each.sequence.id], choose.randint(1, 4)) for each in asked]
        for each, row, made in zip(asked, wanted, head.draft(wanted), strict=True):
            fresh = head_of(model, backend)
            each.step(fresh, 0, row.known - 1)
            assert made.draft == fresh.draft([row])[0].draft
            assert len(made.draft) == row.most
        for each in rows:
            at, more = known[each.sequence.id], choose.randint(1, 5)
            each.step(head, at - 1, at - 1 + more, wrong=choose.randint(0, 3))
            known[each.sequence.id] = at + more


def test_of_a_prompt_that_was_found_computed_it_has_what_came_since(model: LoadedModel, backend: Backend) -> None:
    head, said = head_of(model, backend), Said(1, model)
    assert head.draft([said.wanted(101, 2)])[0].unread > 0
    said.step(head, 100, 101)
    made = head.draft([said.wanted(102, 2)])[0]
    assert len(made.draft) == 2
    assert head.forwards[0][0] == 1


def test_a_sequence_that_outgrows_all_pages_goes_on_from_its_last_tokens(model: LoadedModel, backend: Backend) -> None:
    head, said = head_of(model, backend, tokens=64), Said(1, model)
    for at in range(0, 150, 10):
        said.step(head, at, at + 10)
        made = head.draft([said.wanted(at + 11, 2)])[0]
        assert len(made.draft) == 2


def test_what_is_over_is_forgotten(model: LoadedModel, backend: Backend) -> None:
    head, said = head_of(model, backend), Said(1, model)
    said.step(head, 0, 30)
    head.draft([said.wanted(31, 2)])
    head.forget(1)
    assert head.draft([said.wanted(31, 2)])[0].draft == []


def test_no_more_is_kept_of_a_sequence_than_its_last_positions(model: LoadedModel, backend: Backend) -> None:
    head, width = head_of(model, backend), model.spec.width
    for at in range(3 * KEPT):
        head.saw(1, at, mx.zeros((1, width)), 0, 1)
    assert sum(seen.count for seen in head._sequences[1].seen) <= KEPT + 1


def test_of_a_step_that_others_share_only_the_rows_of_a_sequence_are_kept(model: LoadedModel, backend: Backend) -> None:
    head, width, others = head_of(model, backend), model.spec.width, 800
    mx.clear_cache()
    before = mx.get_active_memory()
    for at in range(20):
        hidden = mx.ones((others, width)) * at
        mx.eval(head.saw(1, at, hidden, others // 2, 1))
    del hidden
    assert mx.get_active_memory() - before < others * width * 4
    assert [seen.hidden[0, 0].item() for seen in head._sequences[1].seen] == list(range(20))


def test_of_a_long_step_only_the_last_positions_are_kept(model: LoadedModel, backend: Backend) -> None:
    head, length = head_of(model, backend), 3 * KEPT
    head.saw(1, 0, mx.broadcast_to(mx.arange(length)[:, None], (length, model.spec.width)), 0, length)
    (seen,) = head._sequences[1].seen
    assert (seen.start, seen.end) == (length - KEPT, length)
    assert seen.rows(length - 2, length)[:, 0].tolist() == [length - 2, length - 1]


def test_what_was_read_of_hidden_states_is_dropped(model: LoadedModel, backend: Backend) -> None:
    head, said = head_of(model, backend), Said(1, model)
    for at in range(100):
        said.step(head, at, at + 1)
    head.draft([said.wanted(101, 2)])
    assert sum(seen.count for seen in head._sequences[1].seen) == 1


def test_all_sequences_together_keep_no_more_than_is_counted(model: LoadedModel, backend: Backend) -> None:
    """Those that steps were about last keep theirs."""
    head, width = head_of(model, backend), model.spec.width
    most = SEEN_TOKENS // KEPT
    for id in range(most + 3):
        head.saw(id, 0, mx.zeros((KEPT, width)), 0, KEPT)
    assert [id for id, read in head._sequences.items() if read.seen] == list(range(3, most + 3))
    head.forget(5)
    head.saw(5, 0, mx.zeros((KEPT, width)), 0, KEPT)
    assert [id for id, read in head._sequences.items() if not read.seen] == [0, 1, 2]


def test_pages_are_given_back_before_there_are_new_ones(
    model: LoadedModel, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_pool, there = backend.pool, []

    def pool(spec: PoolSpec) -> Pool:
        gc.collect()
        there.append(sum(isinstance(each, Pool) for each in gc.get_objects()))
        return made_pool(spec)

    monkeypatch.setattr(backend, "pool", pool)
    drafter = head_of(model, backend)
    drafter.clear()
    assert there[0] == there[1]
