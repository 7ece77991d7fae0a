"""One JSON value out of text that arrives in pieces: checked as it comes, passed on as soon as it is sure.

Spacing comes out as ``json.dumps`` writes it. What small models get wrong in a way that leaves no doubt is put right:
raw line breaks in strings, unknown escapes, a comma before a closing bracket, Python's ``True``, ``False``, ``None``.
"""

from __future__ import annotations

import json
import re
from enum import Enum

RUN = re.compile(r'[^"\\\x00-\x1f]*')
WORD = re.compile(r"[-+.\w]*")
SPACE = re.compile(r"[ \t\r\n]*")
NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?", re.ASCII)
HEX = re.compile(r"[0-9a-fA-F]{4}")
WORDS = {"true": "true", "false": "false", "null": "null", "True": "true", "False": "false", "None": "null"}
CLOSER = {"{": "}", "[": "]"}
MAX_DEPTH = 200
ESCAPE = 2
UNICODE_ESCAPE = 6


class Expect(Enum):
    VALUE = "value"
    KEY = "key"
    COLON = "colon"
    NEXT = "next"
    STRING = "string"
    WORD = "word"


class JsonScanner:
    """Reads one JSON value.

    Attributes:
        done: the value is complete.
        failed: what came is no JSON; nothing more is taken.
    """

    __slots__ = ("_closers", "_comma", "_expect", "_is_key", "_out", "_word", "done", "failed")

    def __init__(self) -> None:
        self.done = False
        self.failed = False
        self._closers: list[str] = []
        self._expect = Expect.VALUE
        self._is_key = False
        self._comma = False
        self._word = ""
        self._out: list[str] = []

    def feed(self, text: str, at: int) -> tuple[int, str]:
        """Takes what is sure of ``text`` from position ``at`` on: the position after it, and its JSON.

        An unfinished escape stays untaken; give it again with more text behind it.
        """
        self._out = []
        end = len(text)
        while at < end and not (self.done or self.failed):
            before = at
            if self._expect is Expect.STRING:
                at = self._string(text, at)
            elif self._expect is Expect.WORD:
                at = self._more_word(text, at)
            else:
                at = self._token(text, at)
            if at == before and self._expect is Expect.STRING:
                break
        return at, "".join(self._out)

    def finish(self) -> str:
        """Ends all text: a number that nothing follows is complete only now."""
        self._out = []
        if self._expect is Expect.WORD:
            self._end_word()
        return "".join(self._out)

    def close(self) -> str:
        """Returns what makes a value that broke off a JSON text again."""
        out = ""
        if self._expect is Expect.STRING:
            out = '"'
        if self._expect is Expect.COLON or (self._expect is Expect.STRING and self._is_key):
            out += ": null"
        elif self._expect in (Expect.VALUE, Expect.WORD) and not self._comma and self._closers[-1:] != ["]"]:
            out += "null"
        return out + "".join(reversed(self._closers))

    def _token(self, text: str, at: int) -> int:
        match = SPACE.match(text, at)
        at = match.end() if match else at
        if at == len(text):
            return at
        char = text[at]
        if self._closers and char == self._closers[-1] and self._expect is not Expect.COLON and self._may_close():
            self._closers.pop()
            self._comma = False
            self._out.append(char)
            self._ended()
        elif self._expect is Expect.NEXT:
            self._separate(char)
        elif self._expect is Expect.COLON:
            self._colon(char)
        elif char == '"':
            self._begin()
            self._is_key = self._expect is Expect.KEY
            self._expect = Expect.STRING
            self._out.append('"')
        elif self._expect is Expect.KEY:
            self.failed = True
        else:
            return self._begin_value(text, at)
        return at if self.failed else at + 1

    def _may_close(self) -> bool:
        # After a key's colon a value must come; before the first element, or after a comma, none has to.
        return self._expect is not Expect.VALUE or self._closers[-1] == "]"

    def _begin_value(self, text: str, at: int) -> int:
        char = text[at]
        if char in CLOSER and len(self._closers) < MAX_DEPTH:
            self._begin()
            self._out.append(char)
            self._closers.append(CLOSER[char])
            self._expect = Expect.KEY if char == "{" else Expect.VALUE
            return at + 1
        if char.isalnum() or char == "-":
            self._word = ""
            self._expect = Expect.WORD
            return at
        self.failed = True
        return at

    def _begin(self) -> None:
        if self._comma:
            self._out.append(", ")
            self._comma = False

    def _separate(self, char: str) -> None:
        if char == "," and self._closers:
            self._comma = True
            self._expect = Expect.KEY if self._closers[-1] == "}" else Expect.VALUE
        else:
            self.failed = True

    def _colon(self, char: str) -> None:
        if char == ":":
            self._out.append(": ")
            self._expect = Expect.VALUE
        else:
            self.failed = True

    def _ended(self) -> None:
        self._expect = Expect.NEXT
        self.done = not self._closers

    def _string(self, text: str, at: int) -> int:
        match = RUN.match(text, at)
        run = match.end() if match else at
        if run > at:
            self._out.append(text[at:run])
            return run
        char = text[at]
        if char == "\\":
            return self._escape(text, at)
        if char == '"':
            self._out.append(char)
            if self._is_key:
                self._expect = Expect.COLON
            else:
                self._ended()
        else:
            self._out.append(json.dumps(char)[1:-1])
        return at + 1

    def _escape(self, text: str, at: int) -> int:
        kind = text[at + 1 : at + ESCAPE]
        if not kind:
            return at
        if kind == "u":
            return self._unicode(text, at)
        self._out.append("\\" + kind if kind in '"\\/bfnrt' else json.dumps(kind)[1:-1])
        return at + ESCAPE

    def _unicode(self, text: str, at: int) -> int:
        end = at + UNICODE_ESCAPE
        digits = text[at + ESCAPE : end]
        if len(digits) < UNICODE_ESCAPE - ESCAPE:
            return at
        if not HEX.fullmatch(digits):
            self.failed = True
            return at
        code = int(digits, 16)
        if 0xD800 <= code < 0xDC00:
            return self._surrogate(text, at, end)
        self._out.append("\\ufffd" if 0xDC00 <= code < 0xE000 else text[at:end])
        return end

    def _surrogate(self, text: str, at: int, end: int) -> int:
        """Half a character must be followed by its other half."""
        second = text[end : end + UNICODE_ESCAPE]
        if len(second) < UNICODE_ESCAPE and "\\u".startswith(second[:ESCAPE]):
            return at
        if second[:ESCAPE] == "\\u" and HEX.fullmatch(second, ESCAPE) and 0xDC00 <= int(second[ESCAPE:], 16) < 0xE000:
            self._out.append(text[at : end + UNICODE_ESCAPE])
            return end + UNICODE_ESCAPE
        self._out.append("\\ufffd")
        return end

    def _more_word(self, text: str, at: int) -> int:
        match = WORD.match(text, at)
        end = match.end() if match else at
        self._word += text[at:end]
        if end < len(text):
            self._end_word()
        return end

    def _end_word(self) -> None:
        word = WORDS.get(self._word) or (self._word if NUMBER.fullmatch(self._word) else "")
        if not word:
            self.failed = True
            return
        self._begin()
        self._out.append(word)
        self._ended()
