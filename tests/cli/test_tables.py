"""Tables and facts fit what they are printed on."""

from __future__ import annotations

import pytest

from mlxr.cli.printing import Column, fact_lines, print_facts, readable_age, table_lines

COLUMNS = (Column("NAME", rank=0), Column("SIZE", right=True), Column("DIGEST", rank=2))
ROWS = [("smollm2", "98 MB", "b179c9523d0e"), ("日本", "1 GB", "a5fd3b62230a")]


def test_numbers_stand_at_the_right_and_wide_characters_count_twice() -> None:
    assert table_lines(COLUMNS, ROWS, None) == [
        "NAME      SIZE  DIGEST",
        "smollm2  98 MB  b179c9523d0e",
        "日本      1 GB  a5fd3b62230a",
    ]


def test_columns_go_by_rank_where_a_terminal_is_narrow_but_never_the_first() -> None:
    assert table_lines(COLUMNS, ROWS, 20)[1] == "smollm2  98 MB"
    assert table_lines(COLUMNS, ROWS, 5) == ["NAME", "smollm2", "日本"]


def test_facts_without_a_value_are_left_out_and_long_ones_stay_in_their_column(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_facts([("name", "x"), ("license", ""), ("system", "one\ntwo\x1b")])
    assert capsys.readouterr().out == "name    x\nsystem  one\n        two\\x1b\n"


FACTS = [("name", "smollm2"), ("path", "/models/" + "x" * 30), ("parameters", "one two three four five six seven")]


def test_facts_are_broken_between_words_beside_their_names() -> None:
    assert fact_lines([("a", "日本 " * 9), ("bcd", "x")], 40) == [
        "a    日本 日本 日本 日本 日本 日本 日本",
        "     日本 日本",
        "bcd  x",
    ]


def test_facts_stand_below_their_names_where_those_leave_little_room() -> None:
    assert fact_lines(FACTS, 40) == [
        "name        smollm2",
        "path",
        f"  {FACTS[1][1]}",
        "parameters",
        "  one two three four five six seven",
    ]
    assert fact_lines(FACTS, 25)[3:] == ["parameters", "  one two three four five", "  six seven"]


def test_what_has_no_name_goes_below_what_came_before() -> None:
    assert fact_lines([("memory", "needs 764.9 MB"), ("", "247.0 MB weights + 151.0 MB context")], 40) == [
        "memory  needs 764.9 MB",
        "        247.0 MB weights + 151.0 MB",
        "        context",
    ]
    assert fact_lines([("context length", "8192"), ("", "247.0 MB weights + 151.0 MB")], 40)[1:] == [
        "  247.0 MB weights + 151.0 MB"
    ]


def test_a_pipe_gets_facts_whole() -> None:
    assert fact_lines(FACTS, None) == [f"{name:<10}  {value}" for name, value in FACTS]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "moments"), (1, "1 second"), (119, "1 minute"), (7300, "2 hours"), (8 * 86400, "8 days"), (1e7, "16 weeks")],
)
def test_spans_of_time_are_said_in_one_unit(seconds: float, said: str) -> None:
    assert readable_age(seconds) == said
