"""How many files and sockets this process may have open."""

from __future__ import annotations

import resource
from contextlib import suppress

MOST = 65_536
"""More are not asked for: some programs walk through all that there may be."""


def raise_limit() -> None:
    """Raises the soft limit to the hard one, as far as the system allows it; a child process inherits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS has a hard limit without end, and takes no more than its own.
    for wanted in (MOST, 10_240, 4096):
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if soft == resource.RLIM_INFINITY or most <= soft:
            return
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            return


def limit() -> int:
    """Returns how many descriptors this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else min(soft, MOST)
