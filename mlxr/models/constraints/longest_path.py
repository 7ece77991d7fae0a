"""How far what refers to each other may lead, in graphs that may go round."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)

SMALL = 100
"""Members of a component that is not looked into."""

ROUNDS = 6
"""How often a component is taken apart. Each round at best halves what is left to be found too long."""


def longest_path(edges: Mapping[Node, Collection[Node]], rounds: int = ROUNDS) -> int:
    """Returns the most nodes that a path may have which comes to none of them twice; never too few.

    Exact where nothing goes round. Finding the longest path in a strongly connected component is hard, so that one
    counts with all its members, or with what is known from a member taken out of it: a path comes there once, and the
    two parts before and behind it run through what is left.
    """
    lengths: dict[Node, int] = {}
    for component in components(edges):
        members = set(component)
        below = (lengths[each] for node in component for each in edges[node] if each not in members)
        length = _within(component, edges, rounds) + max(below, default=0)
        lengths.update(dict.fromkeys(component, length))
    return max(lengths.values(), default=0)


def _within(component: list[Node], edges: Mapping[Node, Collection[Node]], rounds: int) -> int:
    if len(component) <= SMALL or not rounds:
        return len(component)
    members = set(component)
    inner = {node: [each for each in edges[node] if each in members] for node in component}
    referred = dict.fromkeys(component, 0)
    for each in inner.values():
        for node in each:
            referred[node] += 1
    hub = max(component, key=lambda node: referred[node] * len(inner[node]))
    rest = {node: [each for each in below if each != hub] for node, below in inner.items() if node != hub}
    return min(len(component), 1 + 2 * longest_path(rest, rounds - 1))


def components(edges: Mapping[Node, Iterable[Node]]) -> list[list[Node]]:
    """Returns strongly connected components, each behind all that it leads to (Tarjan 1972). Not by recursion: paths
    may be as long as there are nodes."""
    found: list[list[Node]] = []
    index: dict[Node, int] = {}
    lowest: dict[Node, int] = {}
    open_: dict[Node, None] = {}
    for root in edges:
        if root in index:
            continue
        index[root] = lowest[root] = len(index)
        open_[root] = None
        pending = [(root, iter(edges[root]))]
        while pending:
            node, rest = pending[-1]
            for each in rest:
                if each not in index:
                    index[each] = lowest[each] = len(index)
                    open_[each] = None
                    pending.append((each, iter(edges[each])))
                    break
                if each in open_:
                    lowest[node] = min(lowest[node], index[each])
            else:
                pending.pop()
                if pending:
                    above = pending[-1][0]
                    lowest[above] = min(lowest[above], lowest[node])
                if lowest[node] == index[node]:
                    component: list[Node] = []
                    while not component or component[-1] != node:
                        component.append(open_.popitem()[0])
                    found.append(component)
    return found
