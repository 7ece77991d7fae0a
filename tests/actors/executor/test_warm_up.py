"""What would be compiled when requests first want it is computed before, while nobody wants anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import pytest

from mlxr.actors.executor import engine_reports
from mlxr.actors.executor.device import DeviceThread
from mlxr.actors.executor.warm_up import QUIET_SECONDS, STAGE, WarmUp
from mlxr.metal.mlx.device import WAYS
from mlxr.metal.operations import DeviceBatch
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.models.architectures.decoder import Decoder
from mlxr.models.loading import LoadedModel, load_model
from mlxr.runtime.messages.executor import Describe
from mlxr.runtime.messages.registry import LoadProgress
from tests.actors.executor.engines import ask, engine_of, prompt_of, said, small_pool
from tests.models.architectures.checkpoints_hybrid import config_of, write_folder

LAYERS = 5


class Compiling(ReferenceBackend):
    """Stands for a device whose kernels are compiled at their first launch."""

    first_steps = ((1, 1), (3, 1), (1, 9), (1, 1000))
    forgot = False

    def forget_steps(self) -> None:
        self.forgot = True


@pytest.fixture
def model(tmp_path: Path) -> LoadedModel:
    return load_model(write_folder(tmp_path, config_of("qwen3_5")), Compiling())


def warm_up_of(
    model: LoadedModel,
    backend: Compiling,
    decoder: Any = None,
    room_beside: Callable[[int], int] = lambda tokens: 1 << 30,
) -> WarmUp:
    return WarmUp(decoder or model.model, backend, small_pool(model, 64), room_beside, now=0.0)


def pieces(warm_up: WarmUp) -> list[float]:
    """How far it is behind each piece."""
    found = []
    while warm_up.due:
        warm_up.advance()
        found.append(warm_up.done)
    return found


class Watched:
    """A decoder that tells what its layers are given. ``breaks``: the first layer can't be computed."""

    def __init__(self, model: LoadedModel, breaks: bool = False) -> None:
        assert isinstance(model.model, Decoder)
        self._model, self._breaks = model.model, breaks
        self.depth, self.logits = self._model.depth, self._model.logits
        self.ran: list[tuple[int, int]] = []

    def by_layer(self, tokens: mx.array, batch: DeviceBatch, pool: Pool) -> Iterator[mx.array]:
        self.ran.append((len(batch.batch.context_lengths), tokens.size))  # type: ignore[attr-defined]
        for x in self._model.by_layer(tokens, batch, pool):
            yield x
            if self._breaks:
                raise RuntimeError("Failed to compile kernel")


def test_a_layer_at_a_time_of_each_step_that_there_is_room_for(model: LoadedModel) -> None:
    watched = Watched(model)
    found = pieces(warm_up_of(model, Compiling(), watched))
    assert watched.ran == [(1, 1), (3, 3), (1, 9)]
    assert watched.depth == LAYERS
    assert len(found) == 3 * (1 + LAYERS + 1)
    assert found == sorted(found)
    assert [done for done in found if done == 1.0] == [1.0]


def test_texts_are_the_same_beside_it(model: LoadedModel) -> None:
    """A piece between any two steps."""
    texts = []
    for warm in (False, True):
        backend = Compiling()
        engine = engine_of(model, backend, small_pool(model, 64))
        ask(engine, 1, prompt_of(11, 0))
        warm_up = warm_up_of(model, backend)
        while engine.move():
            if warm and warm_up.due:
                warm_up.advance()
        texts.append(said(engine, 1))
        assert warm_up.due != warm
    assert texts[0] == texts[1]


def test_a_step_that_fails_is_no_reason_not_to_serve(model: LoadedModel, caplog: pytest.LogCaptureFixture) -> None:
    backend = Compiling()
    warm_up = warm_up_of(model, backend, Watched(model, breaks=True))
    assert pieces(warm_up)[-1] == 1.0
    assert "Failed to compile kernel" in caplog.text
    assert backend.forgot


def test_its_pages_are_gone_with_the_last_piece(model: LoadedModel) -> None:
    warm_up = warm_up_of(model, Compiling())
    before = mx.get_active_memory()
    warm_up.advance()
    assert mx.get_active_memory() > before
    pieces(warm_up)
    assert mx.get_active_memory() <= before


def test_its_pages_take_what_the_longest_step_would_work_with_and_go_back_before_one_is_computed(
    model: LoadedModel,
) -> None:
    backend, watched = Compiling(), Watched(model)
    taken = backend.sizes.pool(small_pool(model, 64).sized([1, 3]))
    warm_up = warm_up_of(model, backend, watched, lambda tokens: taken if tokens == 9 else 0)
    before = mx.get_active_memory()
    warm_up.advance()
    held = mx.get_active_memory()
    warm_up.note_work(2.0)
    assert mx.get_active_memory() <= held - taken
    assert pieces(warm_up)[-1] == 1.0
    assert watched.ran == [(1, 9)]
    assert mx.get_active_memory() <= before


def test_there_are_no_pages_of_two_steps_at_once(model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    backend, pools, beside = Compiling(), list[Pool](), list[bool]()
    make = backend.pool

    def pool(spec: PoolSpec) -> Pool:
        beside.append(any(other.layers for other in pools))
        pools.append(make(spec))
        return pools[-1]

    monkeypatch.setattr(backend, "pool", pool)
    pieces(warm_up_of(model, backend))
    assert beside == [False, False, False]


def test_it_waits_until_nobody_has_wanted_anything_for_a_while(model: LoadedModel) -> None:
    warm_up = warm_up_of(model, Compiling())
    assert warm_up.wait(0.0) == QUIET_SECONDS
    warm_up.note_work(2.0)
    assert warm_up.wait(2.25) == QUIET_SECONDS - 0.25
    assert warm_up.wait(99.0) == 0.0
    pieces(warm_up)
    assert warm_up.wait(99.0) is None


@pytest.mark.parametrize("kind", ["cuda", "metal"])
def test_no_step_is_of_so_few_rows_that_it_would_be_computed_with_more(kind: str) -> None:
    rows = [sequences * length for sequences, length in WAYS[kind].first_steps]
    assert not [count for count in rows if 1 < count < WAYS[kind].least_rows]
    assert rows


class Pieces:
    """A warm-up of so many pieces, whose time it always is unless there was work since the last look."""

    def __init__(self, count: int) -> None:
        self.left, self.count, self.rests = count, count, False

    @property
    def done(self) -> float:
        return 1 - self.left / self.count

    def note_work(self, now: float) -> None:
        self.rests = True

    def wait(self, now: float) -> float | None:
        rests, self.rests = self.rests, False
        return None if not self.left else QUIET_SECONDS if rests else 0.0

    def advance(self) -> None:
        self.left -= 1


@pytest.fixture
def thread(tmp_path: Path) -> tuple[DeviceThread, list[Any]]:
    told: list[Any] = []
    context: Any = SimpleNamespace(engine="tiny", epoch=0, run_directory=tmp_path)
    made = DeviceThread(context, SimpleNamespace())  # type: ignore[arg-type]
    made._reports._sender = SimpleNamespace(tell=lambda _, message: told.append(message))  # type: ignore[assignment]
    return made, told


def serve(thread: DeviceThread, received: Callable[[float | None], Any]) -> None:
    """Until ``received`` stops the thread."""
    thread._serve(SimpleNamespace(receive=received), SimpleNamespace(), SimpleNamespace())  # type: ignore[arg-type]


def test_pieces_run_where_no_message_comes_and_are_told(
    thread: tuple[DeviceThread, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, told = thread
    monkeypatch.setattr(engine_reports, "PROGRESS_SECONDS", 0.0)
    made._warm_up = work = Pieces(3)  # type: ignore[assignment]
    messages, left = [Describe(), None, None, Describe(), None, None, None], []

    def received(timeout: float | None) -> Any:
        left.append((timeout, work.left))
        if len(left) == len(messages):
            made._stopping.set()
        return messages[len(left) - 1]

    serve(made, received)
    assert not work.left
    assert [message.fraction for message in told if isinstance(message, LoadProgress)] == [
        pytest.approx(part / 3) for part in (1, 2, 3)
    ]
    assert {message.stage for message in told if isinstance(message, LoadProgress)} == {STAGE}
    # Who is told of a message has until the next look, and then nothing is waited for but messages.
    assert left[-1][0] is None


def test_none_runs_while_somebody_streams_from_the_server(thread: tuple[DeviceThread, list[Any]]) -> None:
    made, _ = thread
    made._warm_up = work = Pieces(2)  # type: ignore[assignment]
    mark = Path(made._context.run_directory) / "streaming"
    mark.touch()
    looks = []

    def received(timeout: float | None) -> None:
        looks.append(work.left)
        if len(looks) == 4:
            mark.unlink()
        if timeout is None:
            made._stopping.set()

    serve(made, received)
    assert looks[:4] == [2, 2, 2, 2]
    assert not work.left
