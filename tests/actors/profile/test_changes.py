"""What commands make of a profile, without a file."""

from __future__ import annotations

import pytest

from mlxr.actors.profile.changes import changed, server_of, without_secrets
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.profile import (
    DeleteMcpServer,
    McpServer,
    Profile,
    SaveMcpServer,
    SetPrivateFetch,
    SetToolMode,
    ToolMode,
)

URL = "http://127.0.0.1:3000/mcp"
KEYED = McpServer(name="notes", url=URL, headers={"Authorization": "Bearer x"})


def with_server(server: McpServer = KEYED, **command: bool) -> Profile:
    return changed(Profile(), SaveMcpServer(server, **command))


def test_a_header_that_is_given_without_a_value_keeps_the_one_it_has() -> None:
    again = McpServer(name="notes", url=URL + "/v2", headers={"authorization": None, "X": "1"})
    assert server_of(changed(with_server(), SaveMcpServer(again)), "notes").headers == {
        "authorization": "Bearer x",
        "X": "1",
    }


def test_a_header_that_is_left_out_is_gone() -> None:
    assert server_of(changed(with_server(), SaveMcpServer(McpServer(name="notes", url=URL))), "notes").headers == {}


def test_a_kept_value_goes_to_no_other_host() -> None:
    moved = McpServer(name="notes", url="http://127.0.0.1:3001/mcp", headers={"Authorization": None})
    with pytest.raises(RequestError, match="give the value of Authorization again"):
        changed(with_server(), SaveMcpServer(moved))


def test_nobody_is_shown_values_of_headers() -> None:
    assert without_secrets(with_server()).servers[0].headers == {"Authorization": None}


def test_a_change_of_a_server_keeps_how_its_tools_may_be_used() -> None:
    profile = changed(with_server(), SetToolMode("notes", "add", ToolMode(approval="always")))
    profile = changed(profile, SaveMcpServer(McpServer(name="notes", url=URL, enabled=False)))
    assert server_of(profile, "notes").tools == {"add": ToolMode(approval="always")}


def test_a_client_on_another_machine_opens_no_way_to_private_addresses() -> None:
    assert with_server().servers[0].private
    assert not with_server(remote=True).servers[0].private
    moved = McpServer(name="notes", url="http://10.0.0.1/")
    assert not changed(with_server(), SaveMcpServer(moved, remote=True)).servers[0].private
    renewed = McpServer(name="notes", url=URL)
    assert changed(with_server(), SaveMcpServer(renewed, remote=True)).servers[0].private
    with pytest.raises(RequestError, match="own machine"):
        changed(Profile(), SetPrivateFetch(True, remote=True))
    assert changed(Profile(), SetPrivateFetch(True)).private_fetch


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (McpServer(name="a b", url=URL), "`name`"),
        (McpServer(name="", url=URL), "`name`"),
        (McpServer(name="a", url="ftp://x"), "`url`"),
        (McpServer(name="a", url="http://"), "`url`"),
        (McpServer(name="a", url="http://x:y@host/"), "password"),
        (McpServer(name="a", url="http://host/#a"), "fragment"),
        (McpServer(name="a", url="http://host:99999/"), "`url`"),
        (McpServer(name="a", url="http://xn--/"), "`url`"),
        (McpServer(name="a", url="http://[::1]a/"), "`url`"),
        (McpServer(name="a", url=URL, headers={"A b": "1"}), "no name of a header"),
        (McpServer(name="a", url=URL, headers={"Host": "x"}), "said by the connection"),
        (McpServer(name="a", url=URL, headers={"X": "a\r\nY: b"}), "one line"),
        (McpServer(name="a", url=URL, headers={"X": None}), "needs a value"),
    ],
)
def test_what_is_no_server_is_refused_in_words(server: McpServer, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        with_server(server)


@pytest.mark.parametrize("command", [DeleteMcpServer("no"), SetToolMode("no", "t", ToolMode())])
def test_what_is_not_there_is_named(command: DeleteMcpServer) -> None:
    with pytest.raises(RequestError, match="there is no"):
        changed(with_server(), command)
