from __future__ import annotations

import pytest

from mlxr.actors.registry.sources.huggingface.name import HubName, parse, parse_plain
from mlxr.models import names
from mlxr.runtime.errors import ModelNotFound


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        ("hf.co/Org/Repo-GGUF", HubName("Org/Repo-GGUF")),
        ("hf.co/Org/Repo-GGUF:latest", HubName("Org/Repo-GGUF")),
        ("hf.co/org/repo:q4_k_m", HubName("org/repo", tag="q4_k_m")),
        ("huggingface.co/org/repo:Q8_0", HubName("org/repo", tag="Q8_0")),
        ("https://huggingface.co/org/repo", HubName("org/repo")),
        ("https://huggingface.co/org/repo/", HubName("org/repo")),
        ("https://www.huggingface.co/org/repo/tree/main", HubName("org/repo")),
        ("https://hf.co/org/repo/tree/v2/sub/folder", HubName("org/repo", "v2", path="sub/folder")),
        ("https://huggingface.co/org/repo/blob/main/a/x.gguf", HubName("org/repo", path="a/x.gguf")),
        (
            "https://huggingface.co/org/repo/resolve/v1/x%20y.gguf?download=true",
            HubName("org/repo", "v1", path="x y.gguf"),
        ),
        ("HF.co/org/repo/x.Q4_0.gguf", HubName("org/repo", path="x.Q4_0.gguf")),
        ("hf:org/repo", HubName("org/repo")),
        ("hf:org/repo@v1.0:Q4_0", HubName("org/repo", "v1.0", "Q4_0")),
        ("hf://org/repo/x.gguf", HubName("org/repo", path="x.gguf")),
        ("hf.co/gpt2", HubName("gpt2")),
        (" hf.co/org/repo ", HubName("org/repo")),
        ("hf.co/org/repo:x-00001-of-00002.gguf", HubName("org/repo", path="x-00001-of-00002.gguf")),
    ],
)
def test_names_as_they_are_typed_and_copied(typed: str, means: HubName) -> None:
    assert parse(typed) == means
    assert parse(means.spelled) == means


@pytest.mark.parametrize("name", ["smollm2", "org/repo", "pypi:x==1", "https://host/x.gguf", "hf:7b", "./hf.co/x", ""])
def test_names_that_do_not_say_that_they_are_the_hubs_are_not(name: str) -> None:
    assert parse(name) is None


@pytest.mark.parametrize(
    "name",
    ["hf.co/", "hf.co/a/b/c", "hf.co/../x", "hf.co/a b/c", "hf.co/a/b@", "hf.co/a/b:", "hf.co/é/b", "hf.co/a//b"],
)
def test_what_says_so_and_is_no_name_is_refused_with_the_form(name: str) -> None:
    with pytest.raises(ModelNotFound, match=r"is no name of a model on the Hub; give hf\.co/ORG/REPO"):
        parse(name)


@pytest.mark.parametrize("name", ["hf.co/datasets/org/data", "https://huggingface.co/spaces/org/app"])
def test_what_is_no_model_of_the_hub_is_named(name: str) -> None:
    with pytest.raises(ModelNotFound, match=r"is no model of the Hub but one of its (datasets|spaces)"):
        parse(name)


def test_a_repository_alone_may_be_one_of_the_hub() -> None:
    assert parse_plain("org/repo:Q4_K_M") == HubName("org/repo", tag="Q4_K_M")
    assert parse_plain("org/repo@v1") == HubName("org/repo", "v1")
    for other in ("repo", "a/b/c", "repo:Q4", "/a/b", "./a/b", "a/b/c:q4"):
        assert parse_plain(other) is None


def test_all_spellings_of_a_name_of_the_hub_are_looked_up_alike() -> None:
    typed = (
        "hf.co/Org/Repo:Q4_K_M",
        "huggingface.co/org/repo:q4_k_m",
        "hf:org/repo:Q4_K_M",
        "https://hf.co/Org/repo:q4_K_m",
    )
    assert {names.key(name) for name in typed} == {"hf.co/org/repo:q4_k_m"}
    assert names.key("hf:7b") == "hf:7b"
    assert names.key("hf.co/a/b:latest") == "hf.co/a/b"
