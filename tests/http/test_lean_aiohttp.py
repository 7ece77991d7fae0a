"""The server's aiohttp is imported without the system's certificates."""

from __future__ import annotations

import subprocess
import sys

IMPORT = """
import ssl
read = []
ssl.SSLContext.load_default_certs = lambda *_: read.append("certificates")
import mlxr.http.listeners.server
print(read)
ssl.create_default_context()
print(read)
"""


def test_they_are_read_where_a_connection_wants_them_and_not_before() -> None:
    said = subprocess.run([sys.executable, "-c", IMPORT], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert said.splitlines() == ["[]", "['certificates']"]
