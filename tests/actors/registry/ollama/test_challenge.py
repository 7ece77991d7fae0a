from __future__ import annotations

import pytest
from yarl import URL

from mlxr.actors.registry.ollama.challenge import Challenge, parse_challenge, token_url
from mlxr.runtime.errors import PullError

ASKED = URL("https://registry.example:443/v2/me/mine/manifests/latest")


def test_a_challenge_is_read_with_its_quotes_and_commas() -> None:
    header = 'Bearer realm="https://r.example/token",service="r, inc",scope="repository:me/mine:pull,push",x=y'
    assert parse_challenge(header) == Challenge(
        "bearer", "https://r.example/token", "r, inc", "repository:me/mine:pull,push"
    )
    assert parse_challenge("Basic realm=registry") == Challenge("basic", "registry")
    assert parse_challenge("") == Challenge("")


def test_a_token_is_asked_for_each_scope_at_the_registrys_own_host() -> None:
    challenge = Challenge("bearer", "https://registry.example/token?a=b", "s", "repository:me/mine:pull other:x:*")
    url = token_url(challenge, ASKED, "me/mine", "pull")
    assert (url.host, url.path, url.query["a"], url.query["service"]) == ("registry.example", "/token", "b", "s")
    assert url.query.getall("scope") == ["repository:me/mine:pull", "other:x:*"]
    unscoped = token_url(Challenge("bearer", "https://registry.example/token"), ASKED, "me/mine", "pull,push")
    assert unscoped.query.getall("scope") == ["repository:me/mine:pull,push"]


@pytest.mark.parametrize(
    "realm",
    [
        "https://evil.example/token",
        "https://registry.example:8443/token",
        "https://registry.example.evil.example/token",
        "https://registry.example@evil.example/token",
        "http://registry.example:443/token",
        "http://registry.example/token",
    ],
)
def test_a_realm_at_another_host_is_refused(realm: str) -> None:
    with pytest.raises(PullError, match="none but the registry's own host"):
        token_url(Challenge("bearer", realm), ASKED, "me/mine", "pull")


@pytest.mark.parametrize("realm", ["", "nonsense", "ftp://registry.example/", "http://[", "//registry.example/token"])
def test_a_realm_that_is_no_address_is_refused(realm: str) -> None:
    with pytest.raises(PullError, match="no address of the web"):
        token_url(Challenge("bearer", realm), ASKED, "me/mine", "pull")
