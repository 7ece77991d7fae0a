"""How patient transfers are, and how many bytes they do at once."""

from __future__ import annotations

from dataclasses import dataclass

KIB, MIB = 1 << 10, 1 << 20


@dataclass(frozen=True, slots=True)
class TransferLimits:
    """Seconds, counts and bytes.

    connect_seconds: to reach a host.
    stall_seconds: without a byte, after which a connection is given up and another one goes on.
    answer_seconds: that an answer's head, and a short answer (a manifest, a token), may take in all, byte by byte.
    slow_seconds, slow_share: a connection that brought less than this share of what the others did on average, for so
        long, is replaced.
    attempts: tries that get nowhere, one after another, before a transfer fails.
    first_attempts: likewise of the first contact with a host, which may just be a wrong name.
    first_wait, longest_wait: between tries; each wait is twice the one before.
    longest_retry_after: what a server may ask to wait for.
    redirects: that one request follows.
    connections: to one file at a time.
    progress_bytes: that a try must bring to count as one that got somewhere.
    piece: that is written at once.
    checkpoint: after which what is there is noted on the disk.
    unsaved: that may at most be there without being noted.
    public_only: whether hosts are asked only that are reached over the public Internet.
    """

    connect_seconds: float = 15.0
    stall_seconds: float = 30.0
    answer_seconds: float = 60.0
    slow_seconds: float = 20.0
    slow_share: float = 0.1
    attempts: int = 6
    first_attempts: int = 3
    first_wait: float = 0.5
    longest_wait: float = 15.0
    longest_retry_after: float = 120.0
    redirects: int = 10
    connections: int = 4
    progress_bytes: int = 64 * KIB
    piece: int = 512 * KIB
    checkpoint: int = 4 * MIB
    unsaved: int = 10 * MIB
    public_only: bool = False


DEFAULT_LIMITS = TransferLimits()
