"""The configuration of a server: which sections there are.

Each is declared by the room that it is for, every key with its type, meaning and default, and nowhere else:
``python -m mlxr.server.config`` writes ``configs/default.toml`` from there.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from mlxr.actors.chats.settings import ChatsSection
from mlxr.actors.executor.settings import ExecutorSection, KVSection
from mlxr.actors.monitor.settings import UISection
from mlxr.actors.registry.settings import ModelsSection
from mlxr.actors.scheduler.settings import SchedulerSection
from mlxr.actors.scheduler.speculation_section import SpeculationSection
from mlxr.http.settings import ServerSettings
from mlxr.runtime.config import NotNegative, Section, about, as_toml
from mlxr.runtime.durations import Duration

Placed = Literal["loop", "process"]


class PlacementSection(Section, frozen=True):
    """``[placement]``: which actors run in a process of their own, and which on the main process's loop."""

    tokenizer: Placed = "loop"
    scheduler: Placed = "loop"
    kv: Placed = "loop"
    executor: Placed = "process"
    registry: Placed = "loop"


class SupervisionSection(Section, frozen=True):
    """``[supervision]``: an actor may be restarted so often within the window before it is given up."""

    restarts: Annotated[NotNegative, about("of one actor within the window, before it is given up")] = 5
    window_seconds: Annotated[Duration, Meta(gt=0)] = 60.0


class TelemetrySection(Section, frozen=True):
    """``[telemetry]``: where events are published; empty for a socket in the run directory."""

    endpoint: Annotated[str, about("tcp://127.0.0.1:5557, say; empty: ipc:// in the run directory")] = ""


class LogSection(Section, frozen=True):
    """``[log]``: what goes to stderr, and to ``HOME/logs/mlxr.log``."""

    level: Annotated[Literal["debug", "info", "warning", "error"], about("debug, info, warning, error")] = "info"
    max_bytes: Annotated[NotNegative, about("of the log file, before the next is begun; 0 writes none")] = 8_388_608
    keep: Annotated[NotNegative, about("older log files that stay")] = 3


class Config(Section, frozen=True):
    """Everything that can be set."""

    server: ServerSettings = ServerSettings()
    models: ModelsSection = ModelsSection()
    scheduler: SchedulerSection = SchedulerSection()
    speculation: SpeculationSection = SpeculationSection()
    kv: KVSection = KVSection()
    executor: ExecutorSection = ExecutorSection()
    placement: Annotated[PlacementSection, about("loop: in the main process; process: in one of its own")] = (
        PlacementSection()
    )
    supervision: SupervisionSection = SupervisionSection()
    telemetry: TelemetrySection = TelemetrySection()
    ui: UISection = UISection()
    chats: ChatsSection = ChatsSection()
    log: LogSection = LogSection()


SECRET = ("server.api_keys",)
"""Keys whose values are shown to nobody."""

HEAD = """\
# Every key of the configuration with its default. Copy what you change into MLXR_HOME/config.toml, or name a file with
# --config or MLXR_CONFIG. MLXR_SECTION_KEY overrides the file (MLXR_SERVER_PORT=8080), and flags override both.
# What is counted in seconds may be written as "90s", "5m" or "24h", too.
"""


def main() -> None:
    print(HEAD)
    print(as_toml(Config), end="")


if __name__ == "__main__":
    main()
