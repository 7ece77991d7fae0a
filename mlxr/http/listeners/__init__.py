"""Sockets that listen, and connections: how many there may be, and how long each may take."""

from mlxr.http.lean_aiohttp import import_aiohttp

import_aiohttp()
