"""The executor: the one owner of MLX and of page memory. A shell that hands steps to the device's thread."""

from __future__ import annotations

from mlxr.actors.executor.device import DeviceThread
from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.runtime.actor import Actor, Context, decode_settings, on
from mlxr.runtime.messages.executor import Describe, Step


class ExecutorActor(Actor):
    """Receives steps; everything else happens on the device's own thread, which answers the scheduler itself.

    MLX streams belong to the thread that made them, so that one thread loads the model and runs every step.
    """

    kind = "executor"
    settings_type = ExecutorSettings

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._device = DeviceThread(context, decode_settings(context, ExecutorSettings))

    async def start(self) -> None:
        self._device.start()
        self.spawn(self._device.watch)

    async def stop(self) -> None:
        await self._device.stop()

    @on(Step)
    def step(self, message: Step) -> None:
        if message.epoch == self.context.epoch:
            self._device.put(message)

    @on(Describe)
    def describe(self, message: Describe) -> None:
        self._device.put(message)
