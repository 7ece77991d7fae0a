from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxr.actors.registry.ollama.name import OllamaName, parse_name


@pytest.mark.parametrize(
    ("typed", "host", "repository", "tag"),
    [
        ("llama3.2", "", "library/llama3.2", "latest"),
        ("llama3.2:1b", "", "library/llama3.2", "1b"),
        ("me/mine:v1", "", "me/mine", "v1"),
        ("registry.ollama.ai/library/llama3.2:1b", "", "library/llama3.2", "1b"),
        ("Registry.Ollama.AI/me/mine", "", "me/mine", "latest"),
        ("example.com/me/mine:v1", "example.com", "me/mine", "v1"),
        ("localhost:5000/me/mine", "localhost:5000", "me/mine", "latest"),
        ("http://127.0.0.1:5000/me/mine:v1", "127.0.0.1:5000", "me/mine", "v1"),
        ("https://[::1]:5000/me/mine", "[::1]:5000", "me/mine", "latest"),
    ],
)
def test_a_name_means_what_it_means_to_ollama(typed: str, host: str, repository: str, tag: str) -> None:
    name = parse_name(typed)
    assert name is not None
    assert (name.host, name.repository, name.tag) == (host, repository, tag)
    assert name.plain_http == typed.startswith("http://")


@pytest.mark.parametrize(
    "typed",
    [
        *("", " ", "a b", "-a", "a:", ":b", "a:b:c", "a/b/c/d", "../a", "a/../b", "a//b", "é", "a\nb", "a\0b"),
        *("http://a/b", "ftp://host/a/b", "me.dots/mine", "host/me/mi ne", "host:port:1/"),
        *("a" * 81, "a/" + "b" * 81, "a:" + "t" * 81),
    ],
)
def test_what_ollama_takes_for_no_name_is_none(typed: str) -> None:
    assert parse_name(typed) is None


PART = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,20}", fullmatch=True)


@given(st.sampled_from(["", "example.com", "localhost:5000"]), PART, PART, PART)
def test_the_shortest_spelling_means_the_same(host: str, namespace: str, model: str, tag: str) -> None:
    name = OllamaName(host, namespace, model, tag)
    again = parse_name(name.shortest)
    assert again is not None
    assert again.repository.casefold() == name.repository.casefold()
    assert (again.host, again.tag) == (name.host, name.tag)
