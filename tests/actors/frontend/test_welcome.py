from __future__ import annotations

import pytest

from mlxr.actors.frontend.welcome import welcome
from mlxr.runtime.messages.catalogue import EngineInfo


@pytest.mark.parametrize(
    ("addresses", "page"),
    [
        (["http://127.0.0.1:11435", "http://127.0.0.1:11434"], "http://127.0.0.1:11435/"),
        (["http://0.0.0.0:8080"], "http://127.0.0.1:8080/"),
        (["https://[::]:443"], "https://[::1]:443/"),
        (["unix:/run/mlxr.sock", "http://[::1]:7"], "http://[::1]:7/"),
    ],
)
def test_it_names_a_page_that_a_browser_here_finds(addresses: list[str], page: str) -> None:
    said = welcome(addresses, [EngineInfo("a-1", "a", "loading"), EngineInfo("m-1", "smollm2", "ready")])
    assert f"chat at {page} in a browser, or by `mlxr run smollm2` in another terminal" in said


def test_without_a_port_or_a_model_there_is_the_command_alone() -> None:
    assert welcome(["unix:/run/mlxr.sock"], []) == (
        "ready: chat by `mlxr run MODEL` in another terminal; Ctrl-C ends this server"
    )
