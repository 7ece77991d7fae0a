from __future__ import annotations

from mlxr.actors.kv.disk.index import PageIndex, Place
from mlxr.runtime.messages.kv import StoredPage, StoredSegment

ONE, TWO, PARENT = b"1" * 16, b"2" * 16, b"p" * 16


def twice() -> PageIndex:
    """Two engines have stored the same two pages."""
    index = PageIndex()
    for name, pages in (("a", [ONE, TWO]), ("b", [TWO, ONE])):
        index.add(StoredSegment(name, 0, [StoredPage(address, PARENT, 3) for address in pages]))
    return index


def test_a_page_whose_file_is_gone_is_found_in_the_other_one() -> None:
    index = twice()
    assert index.place(0, ONE) == Place("a", 0)
    index.forget("a")
    assert (index.place(0, ONE), index.place(0, TWO)) == (Place("b", 1), Place("b", 0))
    assert index.tails(PARENT) == [3]
    index.forget("b")
    assert index.place(0, ONE) is None
    assert index.tails(PARENT) == []


def test_a_page_that_is_damaged_in_one_file_is_read_from_the_other() -> None:
    index = twice()
    index.remove(0, ONE, "a")
    assert index.place(0, ONE) == Place("b", 1)
    assert index.place(0, TWO) == Place("a", 1)
    index.remove(0, ONE, "b")
    index.forget("a")
    index.forget("b")
    assert index.place(0, ONE) is None
    assert index.tails(PARENT) == []


def test_a_page_that_was_damaged_in_a_file_that_is_gone_since_stays_in_the_other() -> None:
    index = twice()
    index.forget("a")
    index.remove(0, ONE, "a")
    assert index.place(0, ONE) == Place("b", 1)


def test_nothing_stays_of_a_file_that_held_what_another_has() -> None:
    index = twice()
    index.forget("b")
    index.forget("a")
    assert index.place(0, ONE) is None
