"""Grammars of a client's own: Lark and GBNF."""

from __future__ import annotations

from random import Random

from tests.fuzz.asked import AskedKind
from tests.fuzz.kinds.schemas import PATTERNS
from tests.fuzz.mutations import mutated_text

LARK = (
    'start: greeting " " name\ngreeting: "hi" | "hello"\nname: /[a-z]+/\n',
    'start: item ("," item)*\nitem: NUMBER | "[" start "]"\nNUMBER: /[0-9]{1,3}/\n',
    'start: %json {"type": "object", "properties": {"a": {"type": "integer"}}}\n',
    '%llguidance {}\nstart[max_tokens=5]: TEXT "x"?\nTEXT: /.*/ & /a*/\n',
)
GBNF = (
    'root ::= "yes" | "no" [0-9]+\n',
    'root ::= item ("," item)*\nitem ::= [a-z]{1,3} | "(" root ")"\n',
)
WORDS = (
    '"a"', " | ", "*", "+", "?", "(", ")", "start", "root", "\nx: ", "\nx ::= ", "%import common.INT", "%ignore / /",
    "%json {", "%lark {", "/a/", "{1000000}", "{1,100000}", "<[0-5]>", "<|end|>", "@x", "[^", "~", "&", "\n", "//",
    "[capture]", "[lazy]", "[temperature=nan]", "%regex {}", *(f"/{text}/" for text in PATTERNS),
)  # fmt: skip


class Grammars(AskedKind):
    def make(self, random: Random) -> bytes:
        if random.random() < 0.03:
            return random.choice((chain, nested, wide, recursive))(random).encode()
        return mutated_text(random, random.choice((*LARK, *GBNF)), WORDS).encode("utf-8", "replace")

    def read(self, data: bytes) -> None:
        self.asked.answer("lark", data.decode())


def chain(random: Random) -> str:
    """Rules, or terminals, that lead from one to the next."""
    count, gbnf = random.choice((10, 300, 1000, 3000, 20_000)), random.random() < 0.4
    name, sign = ("t", ": ") if not gbnf else ("r", " ::= ")
    name = name.upper() if random.random() < 0.4 and not gbnf else name
    first = "root" if gbnf else "start"
    lines = [
        f"{first}{sign}{name}0",
        *(f'{name}{i}{sign}{name}{i + 1} "x"' for i in range(count)),
        f'{name}{count}{sign}"y"',
    ]
    return "\n".join(lines) + "\n"


def nested(random: Random) -> str:
    depth = random.choice((10, 300, 3000, 60_000))
    opening, closing = random.choice((("(", ")"), ("(", ")*"), ("[", "]"), ("(", ")?"), ("(", ")~2")))
    return f'start: {opening * depth}"a"{closing * depth}\n'


def wide(random: Random) -> str:
    count = random.choice((100, 2000, 30_000))
    return "start: " + " | ".join(f'"w{random.random()}"' for _ in range(count)) + "\n"


def recursive(random: Random) -> str:
    """Rules that are ambiguous, empty, or have no end."""
    return random.choice((
        'start: start start | "a" |\n',
        "start: start\n", "start: a\na: b\nb: a\n", 'start: "a"* "a"* "a"*\n', "start:\n",
        'start: x x x x x x x x\nx: y y y y y y y y\ny: z z z z z z z z\nz: "a"? "b"?\n', "root ::= root root |\n",
        'start: X\nX: "a"{99999}\n', 'start: x{5000}\nx: "a" | x x\n', "start: /(" + "a|" * 20_000 + "b)/\n",
    ))  # fmt: skip
