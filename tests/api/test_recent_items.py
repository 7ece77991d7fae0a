"""The latest items are kept, as many as there is room for."""

from __future__ import annotations

from mlxr.api.recent_items import RecentItems


def test_the_latest_items_are_kept() -> None:
    recent = RecentItems(100)
    for number in range(5):
        recent.put("a", str(number), bytes(30))
    assert [recent.get("a", str(number)) is not None for number in range(5)] == [False, False, True, True, True]
    recent.put("a", "2", b"again")
    recent.put("a", "huge", bytes(51))
    assert recent.get("a", "huge") is None
    recent.put("a", "5", bytes(40))
    assert [recent.get("a", key) is not None for key in "2345"] == [True, False, True, True]


def test_nobody_has_the_items_of_others() -> None:
    recent = RecentItems()
    recent.put("a", "1", b"x")
    assert (recent.get("a", "1"), recent.get("b", "1"), recent.get(None, "1")) == (b"x", None, None)
