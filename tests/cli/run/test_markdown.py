"""Markdown while it streams: nothing is written twice, no character is lost, and pieces may be cut anywhere."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from mlxr.cli.run.markdown import HELD_ROWS, LONGEST_ROW, MarkdownWriter
from mlxr.cli.run.style import Palette

COLOURS = Palette(True, True)

SAMPLE = """\
# Why *it* is so

The sky is **blue because** of `Rayleigh scattering`: 5 * 3 = 15, snake_case_name and *args, **kwargs stay.
A [link](http://x.y/z), <html>, \\*literal\\*, ~~old~~ and a **bold that never ends.

- one **item** with `code`
  - nested
1. first
2) second
> quoted *text*

```python
def f(x: int) -> str:
    \"\"\"Text
    over * lines *.\"\"\"
    return f"{x}"  # comment
```

| a | `b` |
|---|:-:|
| 1 | two words |

---
日本語の文章はどこでも折り返すことができます。
"""


def shown(*pieces: str, width: int | None = None, palette: Palette = COLOURS) -> str:
    written: list[str] = []
    writer = MarkdownWriter(written.append, palette, width)
    for piece in pieces:
        writer.feed(piece)
    writer.end()
    return "".join(written)


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("# Title", "Title\n"),
        ("#hashtag", "#hashtag\n"),
        ("**bold** and *it*", "bold and it\n"),
        ("2 * 3 * 4 and 2**3", "2 * 3 * 4 and 2**3\n"),
        ("snake_case_name __init__ _x_", "snake_case_name init x\n"),
        ("a **bold that never ends", "a **bold that never ends\n"),
        ("`a * b` ``x ` y``", "a * b x ` y\n"),
        ("\\*not\\* `\\n`", "*not* \\n\n"),
        ("[text](http://x) [1] [x]", "text (http://x) [1] [x]\n"),
        ("- one\n* two\n+ three\n- [ ] four", "• one\n• two\n• three\n• [ ] four\n"),
        ("-5 degrees\n12 apples", "-5 degrees\n12 apples\n"),
        ("> said\n>> twice", "│ said\n│ │ twice\n"),
        ("***", "─" * 40 + "\n"),
        ("```\n# *code*\n```", "```\n# *code*\n```\n"),
        ("~~~~sh\n```\n~~~~", "~~~~sh\n```\n~~~~\n"),
        ("| a | b |\n|---|---|\n| 1 | **22** |", "a │ b\n──┼───\n1 │ 22\n"),
        ("| no table", "| no table\n"),
        ("one\n\ntwo", "one\n\ntwo\n"),
        ("", ""),
    ],
)
def test_marks_become_what_they_mean_and_what_is_no_mark_stays(markdown: str, text: str) -> None:
    assert re.sub(r" +$", "", plain(shown(markdown)), flags=re.MULTILINE) == text


def test_styles_are_those_of_the_marks() -> None:
    assert shown("**b** *i* `c`") == "\x1b[1mb\x1b[0m \x1b[3mi\x1b[0m \x1b[36mc\x1b[0m\n"
    assert "\x1b[35mdef\x1b[0m" in shown("```python\ndef f(): ...\n```")
    assert '\x1b[32m    over * lines *."""\x1b[0m' in shown(SAMPLE)


def test_without_colours_code_keeps_its_marks() -> None:
    assert shown("say `hi`", palette=Palette(True, False)) == "say `hi`\n"
    assert not re.search(r"\x1b\[[0-9;]*3\d", shown(SAMPLE, palette=Palette(True, False)))


@given(st.lists(st.integers(1, 7), min_size=1, max_size=400), st.sampled_from([None, 20, 60]))
@settings(max_examples=40, deadline=None)
def test_pieces_may_be_cut_anywhere(cuts: list[int], width: int | None) -> None:
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(SAMPLE[at : at + cut])
        at += cut
    pieces.append(SAMPLE[at:])
    assert plain(shown(*pieces, width=width)) == plain(shown(SAMPLE, width=width))


@given(st.text(alphabet="ab *_`~[]()#->|!\\\n1.", max_size=200))
@settings(max_examples=300, deadline=None)
def test_letters_are_never_lost_and_nothing_moves_the_cursor_back(text: str) -> None:
    written = shown(text, width=30)
    assert [char for char in plain(written) if char in "ab"] == [char for char in text if char in "ab"]
    assert not re.search(r"\x1b\[[0-9;]*[A-LN-Za-ln-z]|\r|\x08", written)


def test_lines_are_broken_between_words_and_go_on_below_their_beginning() -> None:
    lines = plain(shown("- one two three four five\n> six seven eight nine", width=16)).splitlines()
    assert lines == ["• one two three", "  four five", "│ six seven", "│ eight nine"]
    assert all(
        cell_len(line) <= 20 for line in plain(shown("日本語の文章はどこでも折り返す" * 5, width=20)).splitlines()
    )


def test_a_long_table_is_shown_row_by_row_once_its_columns_are_known() -> None:
    written: list[str] = []
    writer = MarkdownWriter(written.append, Palette(False, False), 80)
    writer.feed("| a | b |\n|---|---|\n")
    for number in range(10, 50):
        writer.feed(f"| {number} | x |\n")
        held = number < 10 + HELD_ROWS - 3
        assert (f"{number} │ x" in "".join(written)) is not held
    writer.feed("| a much longer cell | y |\ntext\n")
    writer.end()
    assert "".join(written).splitlines()[-3:] == ["49 │ x", "a much longer cell │ y", "text"]


def test_a_line_that_never_ends_is_no_row_for_ever() -> None:
    written: list[str] = []
    writer = MarkdownWriter(written.append, Palette(False, False), 80)
    writer.feed("| a " * (LONGEST_ROW // 4 + 2))
    assert "".join(written).startswith("| a | a")


def test_columns_stand_at_the_right_where_the_table_says_so() -> None:
    table = "| a | price | n |\n|:--|--:|:-:|\n| x | 9 | 1 |\n| yy | 1000 | 2 |"
    shown_lines = plain(shown(table)).splitlines()
    assert [line.rstrip() for line in shown_lines] == [
        "a  │ price │ n",
        "───┼───────┼──",
        "x  │     9 │ 1",
        "yy │  1000 │ 2",
    ]


def test_a_table_that_does_not_fit_stays_as_it_was_written() -> None:
    table = "| a long head | another one |\n|---|---|\n| 1 | 2 |"
    assert plain(shown(table, width=12)) == table + "\n"


def test_a_word_is_shown_once_the_next_begins() -> None:
    written: list[str] = []
    writer = MarkdownWriter(written.append, COLOURS, 80)
    writer.feed("The sky is bl")
    assert "".join(written) == "The sky is"
    writer.feed("ue now")
    assert "".join(written) == "The sky is blue"
