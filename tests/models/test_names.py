from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxr.models import names

WORD = st.text("abcXYZ019_", min_size=1, max_size=8)


@given(WORD, st.sampled_from(["", ":latest", ":LATEST"]), st.booleans())
def test_case_and_the_latest_tag_do_not_count(word: str, tag: str, shout: bool) -> None:
    spelled = (word.upper() if shout else word) + tag
    assert names.key(spelled) == names.key(word)


def test_other_tags_and_owners_do_count() -> None:
    assert len({names.key(name) for name in ("a", "a:q4", "b/a", "b/a:q4")}) == 4


@pytest.mark.parametrize("name", ["smollm2", "Qwen/Qwen3-0.6B", "localhost:5000/me/model:v1.2", "a_b", "me/x/y:latest"])
def test_names_as_people_write_them_are_fine(name: str) -> None:
    assert names.checked(name) == name.removesuffix(":latest")


@pytest.mark.parametrize(
    "name",
    ["", " ", "a b", "-a", "a:", ":q4", "a//b", "a:b:c", "a/../b", "é", "a\nb", "a\0", "a" * 129, "a/" * 300 + "b"],
)
def test_what_cannot_be_a_name_is_refused_with_the_form_of_one(name: str) -> None:
    with pytest.raises(ValueError, match="NAME:TAG"):
        names.checked(name)


@pytest.mark.parametrize("name", ["a\0", "a" * 129, "a/" * 300 + "b"])
def test_what_is_too_long_or_has_controls_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="no model name"):
        names.checked(name)


def test_paths_are_told_from_names() -> None:
    assert names.local_file("/models/x.gguf") == Path("/models/x.gguf")
    assert names.local_file("./folder") == Path.cwd() / "folder"
    assert names.local_file("x.GGUF") == Path.cwd() / "x.GGUF"
    assert names.local_file("~/x") == Path.home() / "x"
    assert names.local_file("owner/model:tag") is None
    assert names.local_file("/models/日本　語.gguf") == Path("/models/日本　語.gguf")
    assert names.local_file(".") == names.local_file("./.") == Path.cwd()
    assert names.local_file("~") == Path.home()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ftp://host/x.gguf",
        "~nouser/x",
        "~root/x",
        "/a\nb.gguf",
        "/a\0b",
        "/a\x1b[2J",
        "/a\udcff.gguf",
        "/\u202ea",
        "/" + "a" * 5000,
    ],
)
def test_what_no_system_takes_for_a_path_is_none(name: str) -> None:
    assert names.local_file(name) is None


def test_a_name_in_a_message_is_one_short_plain_line() -> None:
    assert names.quoted("a\nb\x1b[2J\udcff") == r"'a\nb\x1b[2J\udcff'"
    assert len(names.quoted("a" * 5000)) < 250
