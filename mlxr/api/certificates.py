"""Whom connections over TLS trust."""

from __future__ import annotations

import ssl


def system_certificates() -> ssl.SSLContext:
    """Returns the certificates of the system; where a Python has been built without, those that come with certifi.
    Reads a file of a hundred of them: some hundredths of a second."""
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not context.cert_store_stats()["x509_ca"] and not (paths.cafile or paths.capath):
        import certifi

        context.load_verify_locations(certifi.where())
    return context
