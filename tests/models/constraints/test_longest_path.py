"""The longest chain of what refers to each other, rounds and all."""

from __future__ import annotations

import random
from typing import Any

import pytest

from mlxr.models.constraints import longest_path as module
from mlxr.models.constraints.errors import ConstraintError
from mlxr.models.constraints.limits import MOST_CHAIN, check_grammar, check_schema
from mlxr.models.constraints.longest_path import components, longest_path

Edges = dict[int, list[int]]


def longest_by_trying(edges: Edges) -> int:
    """By trying all."""
    best, paths = 0, [(node,) for node in edges]
    while paths:
        path = paths.pop()
        best = max(best, len(path))
        paths += [(*path, each) for each in set(edges[path[-1]]) if each not in path]
    return best


def graphs(count: int, *, round: bool) -> list[Edges]:
    numbers = random.Random(7)
    made: list[Edges] = []
    for _ in range(count):
        nodes = numbers.randint(1, 7)
        made.append({i: [numbers.randrange(0 if round else i, nodes) for _ in range(2)] for i in range(nodes)})
    return [{i: [each for each in below if round or each > i] for i, below in edges.items()} for edges in made]


def test_it_is_exact_where_nothing_goes_round() -> None:
    for edges in graphs(200, round=False):
        assert longest_path(edges) == longest_by_trying(edges)


@pytest.mark.parametrize("small", [1, module.SMALL])
def test_it_is_never_too_few_where_something_does(small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SMALL", small)
    for edges in graphs(500, round=True):
        assert longest_by_trying(edges) <= longest_path(edges) <= len(edges)


def test_components_come_behind_what_they_lead_to() -> None:
    assert [sorted(each) for each in components({1: [2], 2: [3], 3: [2, 4], 4: []})] == [[4], [2, 3], [1]]


def test_paths_as_long_as_there_are_nodes_are_no_recursion() -> None:
    line = {i: [i + 1] for i in range(20_000)} | {20_000: list[int]()}
    assert longest_path(line) == 20_001
    assert longest_path(line | {20_000: [0]}) == 20_001


def rounds_in_a_row(levels: int, length: int) -> dict[str, Any]:
    """Definitions that lead back to themselves, or through a chain to the next that do."""
    made: dict[str, Any] = {}
    for level in range(levels):
        made[f"s{level}"] = {"anyOf": [{"$ref": f"#/$defs/a{level}"}, {"$ref": f"#/$defs/c{level}_0"}]}
        made[f"a{level}"] = {"type": "object", "properties": {"x": {"$ref": f"#/$defs/s{level}"}}}
        for i in range(length):
            below = f"c{level}_{i + 1}" if i < length - 1 else f"a{level - 1}" if level else "end"
            made[f"c{level}_{i}"] = {"type": "object", "properties": {"p": {"$ref": f"#/$defs/{below}"}}}
    return {"$defs": {**made, "end": {"type": "null"}}, "$ref": f"#/$defs/s{levels - 1}"}


def test_a_chain_of_a_schema_through_what_goes_round_is_refused() -> None:
    check_schema(rounds_in_a_row(1, 220))
    with pytest.raises(ConstraintError, match=f"chain of references has .* at most {MOST_CHAIN}"):
        check_schema(rounds_in_a_row(6, 220))


def test_a_chain_of_a_grammar_through_what_goes_round_is_refused() -> None:
    rules = [f's{i}: "x" a{i} | c{i}x0\na{i}: s{i}' + (f" | s{i - 1}" if i else "") for i in range(6)]
    rules += [
        f'c{i}x{j}: "c" ' + (f"c{i}x{j + 1}" if j < 99 else f"a{max(0, i - 1)}") for i in range(6) for j in range(100)
    ]
    with pytest.raises(ConstraintError, match=f"chain of rules has .* at most {MOST_CHAIN}"):
        check_grammar("\n".join(["start: s5", *rules, ""]))


def test_a_large_language_whose_kinds_refer_to_each_other_through_one_is_no_long_chain() -> None:
    below = {"type": "array", "items": {"$ref": "#/$defs/expression"}}
    kinds = {
        f"kind{i}": {"type": "object", "properties": {f"field{j}": below for j in range(4)}, "required": ["field0"]}
        for i in range(100)
    }
    expression = {"anyOf": [{"type": "string"}, *({"$ref": f"#/$defs/{kind}"} for kind in kinds)]}
    check_schema({"$ref": "#/$defs/expression", "$defs": {"expression": expression, **kinds}})
