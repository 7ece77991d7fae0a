"""What goes wrong with the device itself: no memory for more pages, and a device that is lost."""

from __future__ import annotations

import mlx.core as mx


class PoolFullError(Exception):
    """There is no memory for more pages than ``pages`` of each group."""

    def __init__(self, pages: list[int], reason: str) -> None:
        super().__init__(f"no memory for more pages: {reason}")
        self.pages = pages


class DeviceLostError(Exception):
    """The device computes nothing any more: what this process has there is gone, and only another one can go on."""


def require_device() -> None:
    """Raises ``DeviceLostError`` where the device does not even add two numbers: after a fault of the driver every
    operation of the process fails."""
    try:
        right = (mx.ones(1) + 1).item() == 2
    except RuntimeError as error:
        raise DeviceLostError(f"the device does not answer any more: {error}") from error
    if not right:
        raise DeviceLostError("the device adds one and one wrong")
