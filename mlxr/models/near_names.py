"""What a model's name that nobody has may be a misspelling of."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from itertools import islice

from mlxr.models import names

MOST_KNOWN = 300
"""So many names are looked at: whoever makes up names must not keep a server busy."""
MOST_CHARACTERS = 100
"""Longer names are nobody's misspelling."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Returns "did you mean 'smollm2'? " for the name of ``known`` that is nearest to ``name``, and '' where none is
    near. Of ``MODEL+ADAPTER`` each part is looked for by itself."""
    if len(name) > MOST_CHARACTERS:
        return ""
    spelled = {names.key(each): names.tidy(each) for each in islice(known, MOST_KNOWN)}
    keys = [key for key in spelled if len(key) <= MOST_CHARACTERS]
    near = [_nearest(names.key(part), keys) for part in name.split("+")]
    found = "+".join(spelled[each] for each in near if each)
    return f"did you mean {names.quoted(found)}? " if all(near) and names.key(found) != names.key(name) else ""


def _nearest(key: str, keys: Sequence[str]) -> str:
    """Returns the key that is nearest by letters, with or without what stands before a model's own name and behind
    it; '' if none is."""
    if key in keys:
        return key
    of_short: dict[str, str] = {}
    for each in keys:
        of_short.setdefault(_short(each), each)
    if near := difflib.get_close_matches(key, keys, 1):
        return near[0]
    if near := difflib.get_close_matches(_short(key), of_short, 1):
        return of_short[near[0]]
    return ""


def _short(key: str) -> str:
    """Returns ``model`` of ``host/namespace/model:tag``."""
    return key.rpartition("/")[2].partition(":")[0]
