"""The executor: the one owner of MLX and of page memory. A shell around the device's thread."""

from __future__ import annotations

from typing import Any

import anyio

from mlxr.actors.executor.device import DeviceThread
from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.runtime.actor import Actor, Context, decode_settings
from mlxr.runtime.bus import Inbox


class ExecutorActor(Actor):
    """Leaves its inbox to the device's own thread, which answers the scheduler itself.

    MLX streams belong to the thread that made them, so that one thread loads the model and runs every step. A loop
    between the inbox and that thread would cost every step another thread's turn.
    """

    kind = "executor"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._device = DeviceThread(context, decode_settings(context, ExecutorSettings))

    async def receive(self, inbox: Inbox[Any]) -> None:
        self._device.start(inbox)
        await self._device.watch()
        # It could not load its model and said so: the engine is about to be stopped, and must not be restarted.
        await anyio.sleep_forever()

    async def stop(self) -> None:
        await self._device.stop()
