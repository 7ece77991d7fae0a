"""Regular expressions that an answer is to match."""

from __future__ import annotations

from random import Random

from tests.fuzz.asked import AskedKind
from tests.fuzz.kinds.schemas import PATTERNS
from tests.fuzz.mutations import mutated_text

VALID = (r"[A-Z][a-z]{2,9} (one|two|three)", r"\d{4}-\d{2}-\d{2}", r"(?i)yes|no", r"^\s*\"[^\"]*\"$", r"(\w+\.)+\w{2,}")
WORDS = (
    "(", ")", "[", "]", "{", "}", "|", "*", "+", "?", "\\", "^", "$", ".", "(?:", "(?=", "(?!", "(?<n>", "(?i)",
    "{1000}", "{0,}", "{1000000}", "\\p{L}", "\\P{Han}", "\\x{110000}", "\\u0000", "\\b", "\\1", "[^\\s\\S]", "[z-a]",
    "&", "~", "(?x)", "\\Q", "[[:alpha:]]", "(a|a)*", *PATTERNS,
)  # fmt: skip


class Regexes(AskedKind):
    def make(self, random: Random) -> bytes:
        if random.random() < 0.01:
            return random.choice((nested, counted, wide))(random).encode()
        return mutated_text(random, random.choice(VALID), WORDS).encode("utf-8", "replace")

    def read(self, data: bytes) -> None:
        self.asked.answer("regex", data.decode())


def nested(random: Random) -> str:
    depth = random.choice((100, 1000, 10_000, 100_000))
    opening, closing = random.choice((("(", ")"), ("(?:", ")*"), ("[", "]"), ("(", ")?"), ("(a|", ")")))
    return opening * depth + "a" + closing * depth


def counted(random: Random) -> str:
    """Repetitions of repetitions."""
    text = random.choice(("a", ".", "\\w", "(a|b)", "[^x]"))
    for _ in range(random.choice((1, 2, 3, 6))):
        text = f"({text}){{{random.choice((10, 400, 1000))}}}"
    return text


def wide(random: Random) -> str:
    return "|".join(f"w{random.random()}" for _ in range(random.choice((1000, 20_000))))
