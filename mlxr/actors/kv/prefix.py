"""Content addresses of full pages: a chained hash, so that an address stands for the whole prefix up to its page."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from hashlib import blake2b

DIGEST_BYTES = 16


def page_addresses(tokens: Sequence[int], page_size: int) -> Iterator[bytes]:
    """Yields the address of each full page of ``tokens``, in order. The pool itself fixes the model."""
    parent = b""
    for end in range(page_size, len(tokens) + 1, page_size):
        block = array("i", tokens[end - page_size : end]).tobytes()
        parent = blake2b(parent + block, digest_size=DIGEST_BYTES).digest()
        yield parent
