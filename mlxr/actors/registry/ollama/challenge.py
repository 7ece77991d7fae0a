"""What a registry asks for with a 401: ``WWW-Authenticate`` (RFC 9110 11.6.1), and where its tokens come from."""

from __future__ import annotations

import re
from typing import NamedTuple

from yarl import URL

from mlxr.runtime.errors import PullError

_PARAMETER = re.compile(r'([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


class Challenge(NamedTuple):
    """``scheme``: in small letters, ``bearer`` or ``basic``."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""


def parse_challenge(header: str) -> Challenge:
    """Returns what the header asks for; one of no known scheme where it makes no sense."""
    scheme, _, rest = header.strip().partition(" ")
    found = {key.lower(): quoted or plain for key, quoted, plain in _PARAMETER.findall(rest)}
    return Challenge(scheme.lower(), *(found.get(key, "") for key in ("realm", "service", "scope")))


def token_url(challenge: Challenge, asked: URL, repository: str, actions: str) -> URL:
    """Returns the address that gives a token for ``actions`` (``pull`` or ``pull,push``) on ``repository``.

    Raises ``PullError`` where it is not at the host that was ``asked``: whoever can answer for that host must not have
    us ask others, with what proves who we are.
    """
    try:
        realm = URL(challenge.realm)
    except ValueError:
        realm = URL()
    if realm.scheme not in ("http", "https") or not realm.host:
        raise PullError(f"{asked.host} asks for a token from {challenge.realm[:200]!r}, which is no address of the web")
    if (realm.host, realm.port) != (asked.host, asked.port) or (asked.scheme, realm.scheme) == ("https", "http"):
        raise PullError(
            f"the registry {asked.with_user(None).authority} sends us to {realm.scheme}://"
            f"{realm.with_user(None).authority} for a token; mlxr asks none but the registry's own host"
        )
    scopes = challenge.scope.split() or [f"repository:{repository}:{actions}"]
    query = [("service", challenge.service)] if challenge.service else []
    return realm.update_query([*realm.query.items(), *query, *(("scope", scope) for scope in scopes)])
