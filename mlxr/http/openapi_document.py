"""``python -m mlxr.http.openapi_document``: prints the OpenAPI document, as ``/openapi.json`` serves it, without a
server. The web UI's types are made from it."""

from __future__ import annotations

import sys

import msgspec

from mlxr.http.openapi import document
from mlxr.http.routes import ERROR_SCHEMAS, ROUTES


def main() -> None:
    encoded = msgspec.json.encode(document(ROUTES, ERROR_SCHEMAS), order="deterministic")
    sys.stdout.write(msgspec.json.format(encoded, indent=1).decode() + "\n")


if __name__ == "__main__":
    main()
