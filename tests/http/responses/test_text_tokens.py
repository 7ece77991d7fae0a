from __future__ import annotations

import pytest

from mlxr.http.responses.text_tokens import split_by_text
from mlxr.runtime.messages.common import TextLogprob

THINK = "</think>"


@pytest.mark.parametrize(
    ("tokens", "text", "begins", "calls", "own", "behind"),
    [
        (["Hi"], "Hi", True, False, ["Hi"], []),
        ([THINK, "\n\n", "Hi"], "Hi", True, False, ["Hi"], []),
        ([THINK, "in"], "in", True, False, ["in"], []),
        (["hm", THINK, "Hi"], "Hi", True, False, ["Hi"], []),
        ([" Hi"], "Hi", True, False, [" Hi"], []),
        (["no", "<call>", '"no"'], "no", False, True, ["no"], ["<call>", '"no"']),
        (["He", "llo\n", "E"], "Hello", False, False, ["He", "llo\n"], ["E"]),
        (["\ufffd", "!"], "é!", False, False, ["\ufffd", "!"], []),
        (["Hi", "<end>"], "Hi", False, False, ["Hi"], ["<end>"]),
    ],
)
def test_a_texts_tokens_are_told_from_those_around_it(
    tokens: list[str], text: str, begins: bool, calls: bool, own: list[str], behind: list[str]
) -> None:
    given = [TextLogprob(0, token, -1.0, token.encode()) for token in tokens]
    found = split_by_text(given, text, begins=begins, calls=calls)
    assert tuple([token.token for token in part] for part in found) == (own, behind)
