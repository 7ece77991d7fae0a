"""One line that says why a prompt was computed, and none of its words."""

from __future__ import annotations

from mlxr.actors.scheduler.prefix_miss_text import explained
from mlxr.runtime.messages.scheduler import MissKind, PrefixMiss, PromptSection

SECTIONS = [
    PromptSection("the template's own text", 4, own=False),
    PromptSection("the system message", 100),
    PromptSection("tools", 900),
    PromptSection("message 2 (user)", 1_000),
    PromptSection("the template's own text", 1_010, own=False),
    PromptSection("message 3 (assistant)", 2_000),
    PromptSection("message 4 (user)", 2_100),
]


def test_the_part_that_changed_is_named() -> None:
    assert explained(PrefixMiss(MissKind.DIFFERS, 812, 16_004), SECTIONS) == (
        "first differing token 812 of 16,004: tools changed"
    )
    for at, part in ((2, "the template's own text"), (50, "the system message"), (1_500, "message 3 (assistant)")):
        assert explained(PrefixMiss(MissKind.DIFFERS, at, 3_000), SECTIONS).endswith(f": {part} changed")


def test_what_a_client_has_just_written_is_no_reason() -> None:
    assert explained(None, SECTIONS) == ""
    assert explained(PrefixMiss(MissKind.DIFFERS, 2_050, 2_110), SECTIONS) == ""
    assert explained(PrefixMiss(MissKind.DIFFERS, 2_105, 2_110), SECTIONS) == ""


def test_who_got_the_pages_is_said() -> None:
    line = explained(PrefixMiss(MissKind.EVICTED, 640, 700, 12.4, 9), [])
    assert line == "640 of 700 tokens were evicted 12 s ago for request 9"
    assert "memory was wanted" in explained(PrefixMiss(MissKind.EVICTED, 640, 700, 12.4), [])


def test_every_kind_has_a_line_of_its_own() -> None:
    lines = [explained(PrefixMiss(kind, 10, 20), []) for kind in MissKind]
    assert all(lines)
    assert len(set(lines)) == len(lines)
