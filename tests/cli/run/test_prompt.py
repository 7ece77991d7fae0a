"""When a message is whole, and what a half-typed command may go on with."""

from __future__ import annotations

import pytest

from mlxr.cli.run.prompt import is_unfinished, message_of
from mlxr.cli.run.slash import offered, unquoted, words


@pytest.mark.parametrize(
    ("typed", "unfinished"),
    [
        ('"""', True),
        ('"""one', True),
        ('"""one\ntwo', True),
        ('"""one\ntwo"""', False),
        ('"""one"""', False),
        ("one", False),
        ('he said """hello', False),
        ('/set system """You are', True),
        ('/set system """You are\nterse."""', False),
    ],
)
def test_three_quotes_at_the_beginning_keep_a_message_open(typed: str, unfinished: bool) -> None:
    assert is_unfinished(typed) is unfinished


@pytest.mark.parametrize(
    ("typed", "message"),
    [('"""one\ntwo"""', "one\ntwo"), ('"""\none\n"""', "one"), ("plain", "plain"), ('say "hi"', 'say "hi"')],
)
def test_the_quotes_are_no_part_of_the_message(typed: str, message: str) -> None:
    assert message_of(typed) == message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/sh", ["/show"]),
        ("/show te", ["template"]),
        ("/set w", ["wordwrap"]),
        ("/set parameter num_", ["num_predict", "num_ctx", "num_keep"]),
        ("/set parameter seed ", []),
        ("/set format ", ["json"]),
        ("/? s", ["set", "show", "shortcuts"]),
        ("/bye ", []),
    ],
)
def test_commands_are_offered_word_by_word(line: str, words: list[str]) -> None:
    assert offered(line) == words


def test_values_may_be_quoted() -> None:
    assert unquoted('"""one\ntwo"""') == "one\ntwo"
    assert unquoted('"one"') == "one"
    assert words("stop 'a b' c") == ["stop", "a b", "c"]
    assert words("it's") == ["it's"]
    assert words("") == [""]
