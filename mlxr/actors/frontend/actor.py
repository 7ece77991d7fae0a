"""The frontend: transports on one side, the bus on the other, and the open requests of clients between them."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

import anyio
import msgspec

from mlxr.actors.frontend.chat_answers import ChatAnswers
from mlxr.actors.frontend.chats import CHATS
from mlxr.actors.frontend.gateway import SHUTTING_DOWN, FrontendGateway
from mlxr.actors.frontend.request_tracker import REGISTRY
from mlxr.actors.frontend.settings import FrontendSettings
from mlxr.actors.frontend.state import sample_metrics, tell_state
from mlxr.actors.frontend.welcome import welcome
from mlxr.actors.registry.catalogue.uploads import Uploads
from mlxr.api.jobs import JobChanges
from mlxr.api.metrics import Metrics
from mlxr.api.transport import make_transport
from mlxr.runtime.actor import Actor, Context, decode_settings, on
from mlxr.runtime.bus import Address
from mlxr.runtime.messages.chats import FrontendUp
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.frontend import (
    Catalog,
    ChatEvents,
    ChatReply,
    ChatsLost,
    ChatsUp,
    Deltas,
    Drain,
    Embedding,
    EngineLost,
    EngineStats,
    Failed,
    Finished,
    JobsChanged,
    MonitorEvents,
    MonitorReply,
    MonitorStarted,
    ProfileReply,
    PromptLogprobs,
    PromptProgress,
    RegistryReply,
    RunAnswer,
    Started,
    StopAnswer,
    Tokenized,
)
from mlxr.runtime.messages.registry import SendCatalog
from mlxr.runtime.messages.supervisor import BecameIdle, Drained
from mlxr.runtime.paths import Home
from mlxr.runtime.readiness import READY, STOPPING, tell_manager
from mlxr.runtime.run_directory import write_addresses
from mlxr.runtime.telemetry import METRICS, STATE, STATE_SECONDS

log = logging.getLogger("mlxr.frontend")

EPOCH_BITS = 36
"""Request numbers of one incarnation of the frontend; sequence ids still fit 64 bits."""

IDLE_POLL_SECONDS = 0.5
"""How often a server that ends by itself looks whether it is idle."""

LAST_WORDS_SECONDS = 0.2
"""What handlers get to write their last error out once all requests were failed."""


class FrontendActor(Actor):
    kind = "frontend"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.settings: FrontendSettings = decode_settings(context, FrontendSettings)
        home = Home(Path(self.settings.home))
        metrics = self._metrics = Metrics()
        self.gateway = FrontendGateway(
            self.tell,
            self.telemetry,
            metrics,
            self.settings.unread_deltas,
            first=context.epoch << EPOCH_BITS,
            state=home.state,
            configuration=self.settings.configuration,
        )
        self.chat_answers = ChatAnswers(self.gateway, self.tell, self.spawn)
        uploads = Uploads(home)
        self.transports = [make_transport(spec, self.gateway, metrics, uploads) for spec in self.settings.transports]
        self._draining = False
        self._welcomed = False
        self._run_directory = context.run_directory

    @property
    def addresses(self) -> list[str]:
        """Where clients are let in, as URLs."""
        return [address for transport in self.transports for address in transport.addresses]

    async def start(self) -> None:
        for transport in self.transports:
            await transport.start()
        for address in self.addresses:
            log.info("listening on %s", address)
        self._note_addresses()
        tell_manager(READY)
        self.tell(REGISTRY, SendCatalog())
        self.tell(CHATS, FrontendUp())
        self.spawn(self._tell_state)
        if self.settings.idle_seconds:
            self.spawn(self._watch_idleness, self.settings.idle_seconds)

    async def _watch_idleness(self, seconds: float) -> None:
        """Reports once nothing has been loaded, and no request open, for so long."""
        idle_since = time.monotonic()
        while time.monotonic() - idle_since < seconds:
            await anyio.sleep(IDLE_POLL_SECONDS)
            if self.gateway.engines() or not self.gateway.is_idle():
                idle_since = time.monotonic()
        self.tell(Address.of("supervisor"), BecameIdle())

    async def _tell_state(self) -> None:
        """Tells which engines and requests there are, and what was counted, for as long as somebody reads it."""
        while True:
            await anyio.sleep(STATE_SECONDS)
            if self.telemetry.wants(METRICS):
                sample_metrics(self.gateway, self._metrics, self.telemetry, time.monotonic())
            if self.telemetry.wants(STATE):
                tell_state(self.gateway, self.telemetry, time.monotonic())

    def _note_addresses(self) -> None:
        try:
            write_addresses(self._run_directory, self.addresses)
        except OSError as error:
            # `mlxr doctor` then shows none, which is no reason not to serve.
            log.warning("can't note in %s where this server listens: %s", self._run_directory, error)

    async def stop(self) -> None:
        self.gateway.stop_accepting()
        self.gateway.monitor.close()
        self.gateway.table.fail_all(SHUTTING_DOWN)
        for transport in self.transports:
            await transport.stop()

    @on(Deltas)
    def deltas(self, message: Deltas) -> None:
        self.gateway.table.on_deltas(message)

    @on(Started)
    def started(self, message: Started) -> None:
        self.gateway.table.on_started(message)

    @on(PromptLogprobs)
    def prompt_logprobs(self, message: PromptLogprobs) -> None:
        self.gateway.table.on_prompt_logprobs(message)

    @on(Finished)
    def finished(self, message: Finished) -> None:
        self.gateway.table.on_finished(message)

    @on(Failed)
    def failed(self, message: Failed) -> None:
        self.gateway.table.on_failed(message)

    @on(Embedding)
    def embedding(self, message: Embedding) -> None:
        self.gateway.table.on_embedding(message)

    @on(Tokenized)
    def tokenized(self, message: Tokenized) -> None:
        self.gateway.table.on_tokenized(message)

    @on(Catalog)
    def catalog(self, message: Catalog) -> None:
        self.gateway.on_catalog(message)
        if not self._welcomed and self.gateway.health() is None:
            self._welcomed = True
            if self.context.epoch == 0 and sys.stderr.isatty():
                log.info(welcome(self.addresses, self.gateway.engines()))

    @on(JobsChanged)
    def jobs_changed(self, message: JobsChanged) -> None:
        self.gateway.library.on_jobs(msgspec.json.decode(message.changes, type=JobChanges))

    @on(RegistryReply)
    def registry_reply(self, message: RegistryReply) -> None:
        self.gateway.table.on_reply(message)

    @on(ProfileReply)
    def profile_reply(self, message: ProfileReply) -> None:
        self.gateway.table.on_profile_reply(message)

    @on(EngineStats)
    def engine_stats(self, message: EngineStats) -> None:
        self.gateway.on_stats(message)

    @on(MonitorReply)
    def monitor_reply(self, message: MonitorReply) -> None:
        self.gateway.monitor.on_reply(message)

    @on(MonitorEvents)
    def monitor_events(self, message: MonitorEvents) -> None:
        self.gateway.monitor.on_events(message)

    @on(MonitorStarted)
    def monitor_started(self, message: MonitorStarted) -> None:
        self.gateway.monitor.on_started()

    @on(EngineLost)
    def engine_lost(self, message: EngineLost) -> None:
        self.gateway.on_engine_lost(message)

    @on(PromptProgress)
    def prompt_progress(self, message: PromptProgress) -> None:
        self.chat_answers.on_progress(message)

    @on(ChatReply)
    def chat_reply(self, message: ChatReply) -> None:
        self.gateway.chats.on_reply(message)

    @on(ChatEvents)
    def chat_events(self, message: ChatEvents) -> None:
        self.gateway.chats.on_events(message)

    @on(RunAnswer)
    def run_answer(self, message: RunAnswer) -> None:
        self.chat_answers.run(message)

    @on(StopAnswer)
    def stop_answer(self, message: StopAnswer) -> None:
        self.chat_answers.stop(message)

    @on(ChatsUp)
    def chats_up(self, message: ChatsUp) -> None:
        if message.restarted:
            self.chat_answers.stop_all()
            self.gateway.chats.reset()

    @on(ChatsLost)
    def chats_lost(self, message: ChatsLost) -> None:
        self.chat_answers.stop_all()
        self.gateway.chats.reset(ErrorInfo(ErrorCode.UNAVAILABLE, message.reason))

    @on(Drain)
    def drain(self, message: Drain) -> None:
        if not self._draining:
            self._draining = True
            tell_manager(STOPPING)
            self.spawn(self._drain)

    async def _drain(self) -> None:
        """Closes the door, lets what is inside finish, fails what takes too long, and reports."""
        self.gateway.stop_accepting()
        self.gateway.monitor.close()
        for transport in self.transports:
            await transport.close_listeners()
        if waits := len(self.gateway.table):
            seconds = self.settings.drain_seconds
            log.info("draining: %d in flight get %g s; a second signal ends at once", waits, seconds)
        self.gateway.chats.let_go()
        with anyio.move_on_after(self.settings.drain_seconds):
            await self.gateway.idle()
        self.gateway.table.fail_all(SHUTTING_DOWN)
        with anyio.move_on_after(LAST_WORDS_SECONDS):
            await self.gateway.idle()
        self.tell(Address.of("supervisor"), Drained())
