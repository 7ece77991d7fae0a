"""Content addresses: a chained hash, so that an address stands for the whole prefix up to its position, and for what
every cache group keeps of it."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

from mlxr.runtime.messages.token_ids import TokenIds

DIGEST_BYTES = 16


def chain_root(*parts: str) -> bytes:
    """Returns the address of an empty prefix: a hash of everything but tokens that pages depend on (model, cache
    types)."""
    return _digest(b"\0".join(part.encode() for part in parts))


def adapted_root(root: bytes, adapters: str) -> bytes:
    """Returns the address of an empty prefix of sequences with adapters (``adapters_address``); ``root`` where they
    have none."""
    return _digest(root + adapters.encode()) if adapters else root


class PrefixChain:
    """Addresses of one sequence's prefixes, each block's made once.

    ``tokens``: what is known of the sequence; it may be replaced by a longer list that begins with it.
    """

    def __init__(self, tokens: TokenIds, block: int, root: bytes) -> None:
        self.tokens = tokens
        self._block = block
        self._addresses = [root]

    def at(self, position: int) -> bytes:
        """Returns the address of the first ``position`` tokens."""
        blocks, tail = divmod(position, self._block)
        while len(self._addresses) <= blocks:
            begin = (len(self._addresses) - 1) * self._block
            self._addresses.append(self._extended(self._addresses[-1], begin, begin + self._block))
        address = self._addresses[blocks]
        return self._extended(address, position - tail, position) if tail else address

    def parent(self, position: int) -> tuple[bytes, int]:
        """Returns the address of the block before ``position`` and how many tokens lie behind it; none where a block
        ends there."""
        tail = position % self._block
        return (self.at(position - tail), tail) if tail else (b"", 0)

    def branch(self) -> PrefixChain:
        """Returns the same addresses for a sequence that shares all tokens so far, and may go on otherwise."""
        branch = PrefixChain(self.tokens, self._block, self._addresses[0])
        branch._addresses = list(self._addresses)
        return branch

    def _extended(self, parent: bytes, begin: int, end: int) -> bytes:
        return _digest(parent + self.tokens[begin:end].packed)


class TurnEnds:
    """Positions within a block at which turns ended, so that what is kept there can be found.

    ``most``: how many blocks it remembers such positions for; those noted longest ago are forgotten first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lengths: OrderedDict[bytes, list[int]] = OrderedDict()

    def note(self, address: bytes, length: int) -> None:
        """A turn ended ``length`` tokens behind the block that ends with ``address``."""
        lengths = self._lengths.setdefault(address, [])
        self._lengths.move_to_end(address)
        if length not in lengths:
            lengths.append(length)
            lengths.sort(reverse=True)
        if len(self._lengths) > self._most:
            self._lengths.popitem(last=False)

    def behind(self, address: bytes) -> list[int]:
        """Lengths noted behind ``address``, the longest first."""
        return self._lengths.get(address, [])


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=DIGEST_BYTES).digest()
