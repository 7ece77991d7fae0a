"""Which server a command talks to: the one that is named, else one that runs under this ``MLXR_HOME``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mlxr.runtime.errors import ConfigError
from mlxr.runtime.paths import Home
from mlxr.runtime.run_directory import BACKGROUND, live, read_addresses

HOST, API_KEY, API_KEY_FILE = "MLXR_HOST", "MLXR_API_KEY", "MLXR_API_KEY_FILE"
"""Variables: the server to talk to, and the key it is shown."""

DEFAULT_PORT = 11435
_PORTS = {"http": 80, "https": 443}
_ANY = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}
"""Addresses that a server listens on and nobody can connect to everywhere, with what works."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server answers.

    url: its base, without a slash at the end.
    socket: the Unix socket to connect to instead of the URL's host, '' for none.
    key: what it is shown, '' for nothing.
    process: its process id where it runs under this home, else 0.
    background: whether a command started it, so that it ends by itself.
    """

    url: str
    socket: str = ""
    key: str = ""
    process: int = 0
    background: bool = False

    @property
    def shown(self) -> str:
        """Its address, for people."""
        return f"unix:{self.socket}" if self.socket else self.url


def named(given: str | None, environment: Mapping[str, str] = os.environ) -> Endpoint | None:
    """Returns the server of ``--endpoint`` or ``MLXR_HOST``, if one is named. Raises ``ConfigError``."""
    source, text = ("--endpoint", given) if given else (HOST, environment.get(HOST, "").strip())
    return parsed(text, source, api_key(environment)) if text else None


def parsed(text: str, source: str, key: str = "") -> Endpoint:
    """Returns the server that people write as HOST, HOST:PORT, a URL, or unix:PATH; ``source`` says who wrote it.
    Ollama's rules: no port means the default one, but with http:// or https:// that of the scheme."""
    wrong = ConfigError(f"{source}: {text!r} is no server; write http://HOST:PORT, HOST:PORT or unix:PATH")
    if text.startswith("unix:"):
        if not text[5:].strip():
            raise wrong
        return Endpoint("http://localhost", str(Path(text[5:]).expanduser().absolute()), key)
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "http", text
    if scheme not in _PORTS:
        raise wrong
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        port = parts.port
    except ValueError:
        raise wrong from None
    host = parts.hostname or ("127.0.0.1" if rest.startswith(":") else "")
    if not host or parts.query or parts.fragment or parts.username or not re.fullmatch(r"[\w.:%-]+", host):
        raise wrong
    host = f"[{host}]" if ":" in host else host
    if port is None:
        port = _PORTS[scheme] if separator else DEFAULT_PORT
    return Endpoint(f"{scheme}://{_ANY.get(host, host)}:{port}{parts.path.rstrip('/')}", key=key)


def running(home: Home, environment: Mapping[str, str] = os.environ) -> list[Endpoint]:
    """Returns the servers that run under ``home`` and listen: those that people started first, the latest of them
    first."""
    found = [endpoint for directory in live(home.run) if (endpoint := _of(directory, environment)) is not None]
    return sorted(found, key=lambda endpoint: endpoint.background)


def _of(directory: Path, environment: Mapping[str, str]) -> Endpoint | None:
    addresses = read_addresses(directory)
    # A socket that is this user's alone needs no certificate.
    chosen = next((address for address in addresses if address.startswith("unix:")), addresses[0] if addresses else "")
    if not chosen:
        return None
    made = parsed(chosen, str(directory), api_key(environment))
    return Endpoint(made.url, made.socket, made.key, int(directory.name), (directory / BACKGROUND).exists())


def of_process(home: Home, process: int) -> Endpoint | None:
    """Returns the server of that process id, once it listens."""
    return _of(home.run / str(process), os.environ)


def api_key(environment: Mapping[str, str] = os.environ) -> str:
    """Returns the key that ``MLXR_API_KEY`` has, else the first one in the file that ``MLXR_API_KEY_FILE`` names.
    Raises ``ConfigError``."""
    if key := environment.get(API_KEY, "").strip():
        return key
    file = environment.get(API_KEY_FILE, "")
    if not file:
        return ""
    try:
        lines = [line.strip() for line in Path(file).expanduser().read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{API_KEY_FILE}: can't read {file} ({error})") from None
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise ConfigError(f"{API_KEY_FILE}: there is no key in {file}")
    return keys[0]
