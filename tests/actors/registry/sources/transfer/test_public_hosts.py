from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from mlxr.actors.registry.sources.transfer.http_client import HttpClient
from mlxr.actors.registry.sources.transfer.http_file import HttpFile
from mlxr.actors.registry.sources.transfer.public_hosts import is_public, require_public
from mlxr.runtime.errors import PullError
from tests.actors.registry.sources.web import HASTY, Web, file_server


@pytest.fixture
async def server() -> AsyncIterator[Web]:
    async with file_server({"/x.gguf": b"GGUF"}) as server:
        yield server


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "0.0.0.0",
        "::1",
        "fe80::1%eth0",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "fec0::1",
        "fc00::1",
        "ff0e::1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "2001:db8::1",
    ],
)
def test_addresses_of_this_network_are_not_everybodys(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(PullError, match="is no host of the public Internet"):
        require_public(address)


def test_addresses_of_the_internet_are() -> None:
    assert is_public("8.8.8.8")
    assert is_public("2606:4700:4700::1111")
    assert is_public("64:ff9b::808:808")
    require_public("8.8.8.8")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_client_for_others_asks_no_host_of_this_network(server: Web, host: str) -> None:
    url = f"{server.url.replace('127.0.0.1', host)}/x.gguf"
    async with HttpClient.open(replace(HASTY, public_only=True)) as client:
        with pytest.raises(PullError, match=f"'{host}' is no host of the public Internet"):
            await HttpFile.ask(client, url, "x.gguf")
    assert server.asked == []
