"""Which pages lie on disk, and in which files: what the KV manager knows of them. Pure bookkeeping."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass

from mlxr.runtime.messages.kv import StoredPage, StoredSegment


@dataclass(frozen=True, slots=True)
class Place:
    """``segment``: the file's name. ``number``: which of its pages."""

    segment: str
    number: int


class PageIndex:
    """Where pages of each cache group lie. What it says may be out of date, since others delete files too: whoever
    reads a page finds out, and has it forgotten."""

    def __init__(self) -> None:
        self._places: dict[int, dict[bytes, Place]] = {}
        self._others: dict[tuple[int, bytes], list[Place]] = {}
        """Further places of pages that two engines have stored before they heard of each other."""
        self._segments: dict[str, tuple[int, list[StoredPage]]] = {}
        self._tails: dict[bytes, list[int]] = {}

    @property
    def segments(self) -> int:
        return len(self._segments)

    def group(self, group: int) -> Container[bytes]:
        """Returns the addresses of a group's pages."""
        return self._places.setdefault(group, {})

    def place(self, group: int, address: bytes) -> Place | None:
        return self._places.get(group, {}).get(address)

    def tails(self, address: bytes) -> list[int]:
        """Lengths behind the block that ends with ``address`` up to which there are pages, the longest first."""
        return self._tails.get(address, [])

    def in_order(self) -> Iterator[tuple[int, StoredPage]]:
        """Yields all pages with their groups, segment by segment in the order that they were told of."""
        for group, pages in self._segments.values():
            for page in pages:
                yield group, page

    def add(self, segment: StoredSegment) -> None:
        """Of two places of a page the first counts, as long as it is there."""
        if segment.name in self._segments:
            return
        self._segments[segment.name] = segment.group, segment.pages
        places = self._places.setdefault(segment.group, {})
        for number, page in enumerate(segment.pages):
            place = Place(segment.name, number)
            if places.setdefault(page.address, place) is not place:
                self._others.setdefault((segment.group, page.address), []).append(place)
            if page.tail and page.tail not in (tails := self._tails.setdefault(page.parent, [])):
                tails.append(page.tail)
                tails.sort(reverse=True)

    def forget(self, name: str) -> None:
        """The segment is not there any more."""
        group, pages = self._segments.pop(name, (0, []))
        for page in pages:
            self._forget_place(group, page.address, name)
            if page.tail:
                self._forget_tail(page)

    def remove(self, group: int, address: bytes, name: str) -> None:
        """The page turned out to be damaged in the segment ``name``."""
        self._forget_place(group, address, name)

    def _forget_place(self, group: int, address: bytes, name: str) -> None:
        """The page is not in that segment; another place of it counts from now on."""
        places, others = self._places.get(group, {}), self._others.pop((group, address), [])
        others = [place for place in others if place.segment != name]
        if (place := places.get(address)) is not None and place.segment == name:
            del places[address]
            if others:
                places[address] = others.pop(0)
        if others:
            self._others[group, address] = others

    def _forget_tail(self, page: StoredPage) -> None:
        if any(page.address in places for places in self._places.values()):
            return
        tails = [tail for tail in self._tails.pop(page.parent, []) if tail != page.tail]
        if tails:
            self._tails[page.parent] = tails
