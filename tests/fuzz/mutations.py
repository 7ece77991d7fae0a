"""Valid inputs made wrong: bytes, JSON values, and text."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

EXTREMES = (0, 1, 2, 7, 8, 31, 32, 255, 256, 65535, 65536, 2**28, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40,
            2**62, 2**63 - 1, 2**63, 2**64 - 1)  # fmt: skip
TEXTS = (
    "", "\0", " ", "a", "a" * 300, "é", "\ud800", "\u202e", "../../x", "/etc/passwd", "-1", "<|im_end|>", "{{ 1 }}",
    "\r\n", "\x1b[2J", "\u2028", "𝒳" * 20,
)  # fmt: skip
VALUES: tuple[Any, ...] = (None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, 2**31, 2**32 - 1, 2**53 + 1, -(2**63), 2**64,
                           [], {}, [None], [[]], {"": ""}, *TEXTS)  # fmt: skip


LONG, LONGEST = 4_000, 200_000
"""Characters of a word again and again: mostly, and at most, for what is longest takes a hundred times as long."""


def mutated_bytes(random: Random, data: bytes) -> bytes:
    """``data`` with one to six bytes or integers changed, or cut, or grown."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        at = random.randrange(len(changed)) if changed else 0
        match random.randrange(7):
            case 0 if changed:
                changed[at] = random.randrange(256)
            case 1 if changed:
                changed[at] ^= 1 << random.randrange(8)
            case 2:
                changed[at : at + 4] = (random.choice(EXTREMES) & 0xFFFFFFFF).to_bytes(4, "little")
            case 3:
                changed[at : at + 8] = random.choice(EXTREMES).to_bytes(8, "little")
            case 4:
                del changed[at : random.choice((len(changed), at + random.randrange(1, 40)))]
            case 5:
                changed[at:at] = changed[at : at + random.randrange(1, 60)] * random.choice((1, 2, 9))
            case 6:
                changed[at:at] = random.randbytes(random.choice((1, 4, 40)))
    return bytes(changed)


def mutated_json(random: Random, value: Any, hostile: Sequence[Callable[[Random], Any]] = ()) -> Any:
    """A copy of ``value`` with one to four of its parts replaced, dropped, doubled or nested. ``hostile`` makes values
    that mean something where they may stand."""
    root, grown = [copy.deepcopy(value)], False
    for _ in range(random.choice((1, 1, 2, 4))):
        holder, key = random.choice(list(itertools.islice(_places(root), 2_000)))
        match random.randrange(6):
            case 0 | 1:
                holder[key] = copy.deepcopy(random.choice(VALUES))
            case 2 if hostile:
                holder[key] = random.choice(hostile)(random)
            case 3 if isinstance(holder, dict):
                del holder[key]
            case 4 if isinstance(holder, dict):
                holder[random.choice(TEXTS)] = copy.deepcopy(holder[key])
            case 4 if holder is not root:
                count = 300 if not grown and random.random() < 0.3 else 2
                holder += [copy.deepcopy(holder[key]) for _ in range(count)]
                grown = True
            case 5:
                holder[key] = nested(random, holder[key], random.choice((1, 3, 40, 150)))
    return root[0]


def written_json(random: Random, value: Any) -> str:
    """``value`` as JSON text; now and then with arrays or objects in it that are nested as no encoder would."""
    text = json.dumps(value)
    if random.random() < 0.95 or ("[]" not in text and "{}" not in text and "null" not in text):
        return text
    depth, opening, closing = random.choice((1000, 3000, 60_000)), *random.choice((("[", "]"), ('{"a":', "}")))
    hole = next(hole for hole in random.sample(("[]", "{}", "null"), 3) if hole in text)
    return text.replace(hole, opening * depth + "null" + closing * depth, 1)


def nested(random: Random, value: Any, depth: int) -> Any:
    key = random.choice((None, "a", "items", "properties", "anyOf"))
    for _ in range(depth):
        value = [value] if key is None else {key: value}
    return value


def mutated_text(random: Random, text: str, words: Sequence[str]) -> str:
    """``text`` with parts dropped, doubled, moved, or replaced by ``words`` of its language."""
    for _ in range(random.choice((1, 1, 2, 4))):
        at, end = sorted((random.randrange(len(text) + 1), random.randrange(len(text) + 1)))
        match random.randrange(5):
            case 0:
                text = text[:at] + text[min(end, at + 30) :]
            case 1:
                text = text[:at] + text[at:end] * random.choice((2, 3, 20)) + text[end:]
            case 2:
                text = text[:at] + random.choice(words) + text[at:]
            case 3:
                text = text[:at] + random.choice(TEXTS) + text[at:]
            case 4:
                repeated = random.choice(words) * random.choice((1, 5, 400))
                text = text[:at] + repeated[: LONG if random.random() < 0.98 else LONGEST] + text[at:]
        text = text[:LONGEST]
    return text


def _places(value: Any) -> Any:
    """Every (container, key) within ``value``."""
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        for key in holder if isinstance(holder, dict) else range(len(holder)):
            yield holder, key
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
