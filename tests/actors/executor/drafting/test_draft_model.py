"""A draft model says the same of a sequence whatever it has read of it before."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from mlxr.actors.executor.draft_sizes import draft_pool
from mlxr.actors.executor.drafting import CANNOT, Wanted
from mlxr.actors.executor.drafting.draft_model import READ_AT_ONCE, DraftModel
from mlxr.actors.executor.sequences import Sequence
from mlxr.metal.backend import Backend
from mlxr.metal.cpu.backend import CpuBackend
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.metal.tensors import TensorType
from mlxr.models.loading import LoadedModel, load_model
from mlxr.runtime.messages.common import Sampling
from mlxr.runtime.messages.scheduler import DrafterInfo, DrafterKind
from tests.models.architectures import checkpoints_hybrid
from tests.models.files import Sizes, write_model

INFO = DrafterInfo(DrafterKind.DRAFT_MODEL, 0.1, "small")
VOCABULARY = 300


def llama(path: Path) -> Path:
    return write_model(path / "llama.gguf", "llama", TensorType.Q8_0, Sizes(vocabulary=VOCABULARY))


def windowed(path: Path) -> Path:
    sizes = Sizes(vocabulary=VOCABULARY, tied=True, settings={"attention.sliding_window": 8})
    return write_model(path / "gemma3.gguf", "gemma3", TensorType.Q8_0, sizes)


def hybrid(path: Path) -> Path:
    return checkpoints_hybrid.write_gguf(path / "hybrid.gguf", checkpoints_hybrid.config_of("qwen3_5"))


@pytest.fixture(scope="module")
def backend() -> Backend:
    return CpuBackend(2)


Made = Callable[[int], DraftModel]


@pytest.fixture(scope="module", params=[llama, windowed, hybrid])
def loaded(request: pytest.FixtureRequest, backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_model(request.param(tmp_path_factory.mktemp("model")), backend)


@pytest.fixture
def made(loaded: LoadedModel, backend: Backend) -> Made:
    def make(tokens: int) -> DraftModel:
        return DraftModel(loaded, backend, draft_pool(loaded.cache_groups, 8, tokens), loaded.vocab_size, INFO)

    return make


def sequence(id: int, tokens: list[int], temperature: float = 0.0) -> Sequence:
    return Sequence(id, Sampling(temperature, seed=id), tokens, len(tokens), None, normalize=True)


def wanted(sequence: Sequence, most: int, given: tuple[int, ...] = (), least: float = 0.0) -> Wanted:
    return Wanted(sequence, [*sequence.tokens, *given], len(sequence.tokens), most, least)


def test_drafts_are_those_of_a_model_that_reads_all_anew(made: Made, loaded: LoadedModel) -> None:
    """Sequences go on with a part of their drafts, or with something else; rows share passes; pages run out."""
    choose, most = random.Random(1), min(loaded.vocab_size, VOCABULARY)
    model, fresh = made(256), made(256)
    sequences = [
        sequence(id, [choose.randrange(most) for _ in range(20 + id)], temperature)
        for id, temperature in enumerate((0.0, 0.0, 0.9, 0.0, 0.7))
    ]
    for _ in range(12):
        rows = [wanted(each, choose.randint(1, 5)) for each in sequences if choose.random() < 0.6]
        if not rows:
            continue
        drafts = model.draft(rows)
        assert [each.unread for each in drafts] == [0] * len(rows)
        for row, draft in zip(rows, drafts, strict=True):
            fresh.clear()
            assert fresh.draft([row])[0].draft == draft.draft
            assert len(draft.draft) == row.most
            kept = draft.draft[: choose.randint(0, row.most)]
            row.sequence.tokens += [*kept, choose.randrange(most)]


def test_a_long_sequence_is_read_in_parts(made: Made) -> None:
    model, long = made(512), sequence(1, [5 + at % 90 for at in range(2 * READ_AT_ONCE + 9)])
    unread = [model.draft([wanted(long, 2)])[0].unread for _ in range(3)]
    assert unread == [READ_AT_ONCE + 9, 9, 0]
    assert [tokens for tokens, _ in model.forwards] == [9, 1]


def test_what_was_read_of_a_sequence_that_is_over_serves_one_that_begins_alike(made: Made) -> None:
    model, tokens = made(512), [5 + at % 90 for at in range(100)]
    model.draft([wanted(sequence(1, tokens), 2)])
    model.forget(1)
    model.draft([wanted(sequence(2, [*tokens, 7, 8]), 1)])
    assert model.forwards[0][0] in (2, 3)


def test_a_prompt_that_was_read_before_gets_the_drafts_that_it_got_then(made: Made) -> None:
    """Alone in its step, and beside another."""
    tokens, other = [5 + at % 90 for at in range(100)], [7 + at % 80 for at in range(20)]
    for beside in ([], [wanted(sequence(9, other), 3)]):
        model = made(512)
        first = sequence(1, [*tokens])
        drafts = [model.draft([wanted(first, 3)])[0].draft]
        first.tokens += drafts[0][:2]
        model.draft([wanted(first, 3)])
        model.forget(1)
        again = model.draft([*beside, wanted(sequence(2, tokens), 3)])
        assert again[-1].draft == drafts[0]


def test_a_sequence_that_is_longer_than_all_pages_gets_none(made: Made) -> None:
    model = made(32)
    assert model.draft([wanted(sequence(1, [5] * 40), 2)])[0].unread == CANNOT


def test_sequences_that_are_not_drafted_for_make_room(made: Made) -> None:
    model = made(64)
    for id in range(5):
        assert len(model.draft([wanted(sequence(id, [5 + id] * 40), 2)])[0].draft) == 2


def test_a_draft_goes_on_behind_what_is_given(made: Made, loaded: LoadedModel) -> None:
    """A model with states has none to go back to, and makes none."""
    model, fresh = made(256), made(256)
    given = wanted(sequence(1, [7, 8, 9]), 3, given=(20, 21))
    found = model.draft([given])[0]
    if any(group.state_size for group in loaded.cache_groups):
        assert found.unread == CANNOT
        return
    assert found.draft == fresh.draft([wanted(sequence(2, [7, 8, 9, 20, 21]), 3)])[0].draft


def test_no_token_is_made_that_is_less_likely_than_is_worth_it(made: Made) -> None:
    model = made(256)
    assert model.draft([wanted(sequence(1, [7, 8, 9]), 3, least=1.0)])[0].draft == []
    assert len(model.forwards) == 1


def test_pages_are_given_back_before_there_are_new_ones(
    made: Made, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_pool, there = backend.pool, []

    def pool(spec: PoolSpec) -> Pool:
        gc.collect()
        there.append(sum(isinstance(each, Pool) for each in gc.get_objects()))
        return made_pool(spec)

    monkeypatch.setattr(backend, "pool", pool)
    drafter = made(64)
    drafter.clear()
    assert there[0] == there[1]
