"""``python -m mlxr.http.openapi_document``: prints the OpenAPI document without a server, as ``/openapi.json`` serves
it but for each HEAD beside a GET. The web UI's types are made from it, which would have everything twice."""

from __future__ import annotations

import sys

import msgspec

from mlxr.http.openapi import document
from mlxr.http.routes import ERROR_SCHEMAS, ROUTES


def main() -> None:
    gets = {route.path for route in ROUTES if route.method == "GET"}
    routes = [route for route in ROUTES if route.method != "HEAD" or route.path not in gets]
    encoded = msgspec.json.encode(document(routes, ERROR_SCHEMAS), order="deterministic")
    sys.stdout.write(msgspec.json.format(encoded, indent=1).decode() + "\n")


if __name__ == "__main__":
    main()
