from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlxr.actors.registry.sources.transfer.segments import MOST, SMALLEST, Segments, segment_length


def test_segments_are_taken_once_and_in_order() -> None:
    segments = Segments(2 * SMALLEST + 5)
    taken = [segments.take(), segments.take(), segments.take()]
    assert [(each.start, each.end) for each in taken if each] == [
        (0, SMALLEST),
        (SMALLEST, 2 * SMALLEST),
        (2 * SMALLEST, 2 * SMALLEST + 5),
    ]
    assert segments.take() is None


def test_a_segment_that_is_given_back_is_gone_on_with_where_it_ends() -> None:
    segments = Segments(SMALLEST)
    missing = segments.take()
    assert missing is not None
    segments.add(missing.index, 7)
    segments.give_back(missing.index)
    again = segments.take()
    assert again is not None
    assert (again.start, again.end) == (7, SMALLEST)


def test_what_is_there_survives_in_a_snapshot() -> None:
    segments = Segments(3 * SMALLEST)
    segments.add(0, SMALLEST)
    segments.add(2, 9)
    later = Segments(3 * SMALLEST, segments.snapshot())
    assert (later.completed, later.contiguous, later.extent) == (SMALLEST + 9, SMALLEST, 2 * SMALLEST + 9)


def test_a_snapshot_of_another_file_counts_for_nothing() -> None:
    for have in ([1, 2, 3], [-1], [SMALLEST + 1], []):
        assert Segments(SMALLEST, have).completed == 0


def test_an_empty_file_is_whole() -> None:
    segments = Segments(0)
    assert (segments.whole, segments.take(), segments.contiguous) == (True, None, 0)


@given(st.integers(0, 1 << 42))
def test_no_file_has_more_segments_than_a_note_can_hold(size: int) -> None:
    assert len(Segments(size).snapshot()) <= MOST
    assert segment_length(size) >= SMALLEST


@given(st.integers(1, 5 * SMALLEST), st.data())
def test_bytes_are_counted_in_the_segments_that_they_lie_in(size: int, data: st.DataObject) -> None:
    segments = Segments(size)
    at = 0
    while at < size:
        count = data.draw(st.integers(1, size - at)) if size - at > 1 else 1
        count = max(count, size // 7)
        count = min(count, size - at)
        for index, here in segments.spread(at, count):
            segments.add(index, here)
        at += count
        assert (segments.completed, segments.contiguous) == (at, at)
    assert segments.whole
