from __future__ import annotations

from mlxr.actors.registry.jobs.rate import WINDOW_SECONDS, Rate
from mlxr.actors.registry.progress import Progress


def pulled(completed: int, digest: str = "a") -> Progress:
    return Progress("pulling", digest, 1000, completed)


def test_the_speed_is_that_of_late_and_says_how_long_it_takes() -> None:
    rate = Rate()
    assert rate.take(pulled(0), 0.0) == (0.0, None)
    assert rate.take(pulled(100), 2.0) == (50.0, 18.0)


def test_what_was_there_before_is_no_speed() -> None:
    rate = Rate()
    rate.take(pulled(500), 10.0)
    assert rate.take(pulled(510), 11.0)[0] == 10.0


def test_another_part_begins_anew() -> None:
    rate = Rate()
    rate.take(pulled(0), 0.0)
    rate.take(pulled(900), 3.0)
    assert rate.take(pulled(0, "b"), 4.0) == (0.0, None)


def test_a_stall_shows() -> None:
    rate = Rate()
    for second in range(10):
        rate.take(pulled(second * 10), float(second))
    slow, _ = rate.take(pulled(90), 9 + 3 * WINDOW_SECONDS)
    assert slow < 10 / 2
