"""Which tensor of a file is which: roles, layers and experts by a family's table of names, and names by those."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mlxr.models.architectures.tensors import Names


class Place(NamedTuple):
    """``role``: what a tensor is. ``layer``, ``expert``: its numbers; None where it is in none."""

    role: str
    layer: int | None = None
    expert: int | None = None


def places_of(names: Names, tensors: Iterable[str]) -> dict[str, Place]:
    """Returns the place of each tensor that the table has a name for. Of several roles for a name the first counts."""
    patterns = [(role, _pattern(template)) for role, template in names.items()]
    exact = {template: role for role, template in reversed(list(names.items())) if "{" not in template}
    found: dict[str, Place] = {}
    for name in tensors:
        if name in exact:
            found[name] = Place(exact[name])
            continue
        for role, pattern in patterns:
            if match := pattern.fullmatch(name):
                numbers = {key: int(value) for key, value in match.groupdict().items()}
                found[name] = Place(role, numbers.get("layer"), numbers.get("expert"))
                break
    return found


def name_of(names: Names, place: Place) -> str:
    """Returns a tensor's name. Raises ``KeyError`` where the table has no such role."""
    return names[place.role].format(layer=place.layer, expert=place.expert)


def by_expert(places: Mapping[str, Place]) -> dict[tuple[str, int | None], list[str]]:
    """Returns the names of experts' tensors in their order, by role and layer."""
    groups: dict[tuple[str, int | None], list[tuple[int, str]]] = {}
    for name, place in places.items():
        if place.expert is not None:
            groups.setdefault((place.role, place.layer), []).append((place.expert, name))
    return {key: [name for _, name in sorted(group)] for key, group in groups.items()}


def _pattern(template: str) -> re.Pattern[str]:
    escaped = re.escape(template).replace(r"\{layer\}", r"(?P<layer>\d+)").replace(r"\{expert\}", r"(?P<expert>\d+)")
    return re.compile(escaped)
