"""What signals do to a server and to the processes of its actors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from mlxr.server.exec_server import without_keys
from tests.end_to_end.test_survival import sockets
from tests.server import READY_SECONDS, Server, eventually, serving
from tests.server.processes import alive, command_and_environment_of, command_of

DRAINING = [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT, signal.SIGTERM, signal.SIGINT]


@pytest.mark.parametrize("number", DRAINING)
def test_a_signal_to_all_processes_lets_running_requests_finish(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path / "home", "smollm2", "--set", "kv.pool_tokens=4096", "--set", "server.drain_seconds=99") as s:
        children = s.children()
        stream = s.stream("Tell me a story.", max_tokens=60)
        text = [next(stream)]
        for pid in (s.process.pid, *children):
            os.kill(pid, number)
        text += list(stream)
        assert not [chunk for chunk in text if "error" in chunk]
        assert text[-1]["choices"][0]["finish_reason"] in ("stop", "length")
        assert s.process.wait(timeout=READY_SECONDS) == 0
        eventually(lambda: not any(alive(pid) for pid in children))
        assert not sockets(s.home)


def test_signals_again_and_again_end_no_drain_but_a_second_sigterm_does(tmp_path: Path) -> None:
    with serving(tmp_path / "home", "smollm2", "--set", "kv.pool_tokens=4096", "--set", "server.drain_seconds=50") as s:
        children = s.children()
        stream = s.stream("Tell me a very long story.", max_tokens=3000)
        next(stream)
        for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM, signal.SIGHUP):
            s.process.send_signal(number)
            time.sleep(0.1)
        assert "error" not in next(stream)
        s.process.send_signal(signal.SIGTERM)
        assert s.process.wait(timeout=40) == 128 + signal.SIGTERM
        stream.close()
        eventually(lambda: not any(alive(pid) for pid in children))
        assert not sockets(s.home)


def test_a_signal_during_the_start_is_kept_until_the_server_can_drain(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    server = Server(tmp_path / "home")
    try:
        eventually(server.children)
        server.process.send_signal(signal.SIGHUP)
        assert server.process.wait(timeout=READY_SECONDS) == 0
        assert not sockets(server.home)
    finally:
        server.close()


def test_a_stuck_executor_does_not_outlive_the_drain(tmp_path: Path) -> None:
    with serving(tmp_path / "home", "smollm2", "--set", "kv.pool_tokens=4096", "--set", "server.drain_seconds=1") as s:
        children = s.children()
        stream = s.stream("Tell me a very long story.", max_tokens=3000)
        next(stream)
        for pid in children:
            os.kill(pid, signal.SIGSTOP)
        assert s.terminate() == 0
        stream.close()
        eventually(lambda: not any(alive(pid) for pid in children))
        assert not sockets(s.home)


STUCK = """
    import os, sys, time
    import anyio
    import mlxr.server.main
    import mlxr.server.process as process
    from mlxr.actors.frontend.actor import FrontendActor
    from mlxr.actors.registry.actor import RegistryActor

    class Frontend(FrontendActor):
        async def start(self):
            await super().start()
            self.spawn(self.stick)

        async def stick(self):
            while not os.path.exists({told}):
                await anyio.sleep(0.01)
            {call}

    def forever():
        while True:
            pass

    def sticking(call, *arguments):
        # As a native library does that never comes back; cancelling waits for it.
        print("now it sticks", flush=True)
        call(*arguments)

    sys.modules["stuck"] = sys.modules["__main__"]
    if __name__ == "__main__":
        from mlxr.server.actors import Factories
        from mlxr.server import serve as serving
        from mlxr.server.serve import serve
        from functools import partial
        serving.KILL_SECONDS = {kill}
        process.serve = partial(serve, factories=Factories(frontend="stuck:Frontend"))
        mlxr.server.main.main()
"""


@pytest.mark.parametrize(
    ("call", "status"),
    [
        pytest.param("await anyio.to_thread.run_sync(sticking, time.sleep, 600)", 0, id="a thread"),
        pytest.param("await anyio.to_thread.run_sync(sticking, forever)", 0, id="a busy thread"),
        # C code that looks at no signal: a thread that keeps the interpreter, and the loop's own.
        pytest.param("await anyio.to_thread.run_sync(sticking, sum, range(10**15))", -9, id="a thread in C"),
        pytest.param("sticking(sum, range(10**15))", -9, id="the loop in C"),
    ],
)
def test_nothing_that_is_stuck_holds_the_end_up(tmp_path: Path, call: str, status: int) -> None:
    home = tmp_path / "home"
    home.mkdir()
    script = tmp_path / "stuck_server.py"
    told = tmp_path / "told"
    # What ends in order may take its time on a slow machine before it is killed.
    kill = "60" if status == 0 else "1.1"
    script.write_text(
        textwrap.dedent(STUCK).replace("{call}", call).replace("{told}", repr(str(told))).replace("{kill}", kill)
    )
    launch = (
        "import os, sys; from pathlib import Path; import mlxr.server.exec_server as o;"
        "from mlxr.server.config import Config;"
        "from mlxr.http.settings import ServerSettings; from mlxr.runtime.paths import Home;"
        "real = os.execv;"
        f"os.execv = lambda path, argv: real(path, [path, {str(script)!r}, argv[3]]);"
        f"o.exec_server(Config(server=ServerSettings(port=0, drain_seconds=0.5)), Home(Path({str(home)!r})), [])"
    )
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", launch], stdout=log, stderr=log)
    try:
        eventually(lambda: process.poll() is not None or b"listening" in (tmp_path / "log").read_bytes())
        told.touch()
        eventually(lambda: process.poll() is not None or b"now it sticks" in (tmp_path / "log").read_bytes())
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=READY_SECONDS) == status, (tmp_path / "log").read_text()
        eventually(lambda: not sockets(home))
        said = (tmp_path / "log").read_text()
        assert ("is killed; it was here then" in said) == (status != 0)
        assert "Traceback" not in said
    finally:
        process.kill()
        process.wait()


def test_keys_are_in_no_process_list_and_no_environment(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    keys = tmp_path / "keys"
    keys.write_text("# for the house\nfile-secret\n\n")
    arguments = ["--api-key", "flag-secret", "--api-key=other-secret", "--set", "server.max_stop=9"]
    server = Server(tmp_path / "home", *arguments, "--api-key-file", str(keys))
    try:
        server.wait_ready()
        for pid in (server.process.pid, *server.children()):
            assert "secret" not in command_and_environment_of(pid)
        assert "MLXR_HOME" in command_and_environment_of(server.process.pid)
        assert "--api-key" in command_of(server.process.pid)
        assert server.request("/v1/models")[0] == 401
        assert server.terminate() == 0
    finally:
        server.close()


@pytest.mark.parametrize(
    "given",
    [["--api-key", "K"], ["--api-key=K"], ["--set", "server.api_keys=K,K"], ["--set=server.api_keys=K"]],
)
def test_a_key_is_hidden_however_it_is_given(given: list[str]) -> None:
    shown = without_keys(["up", *given, "--port", "1", "Kodiak"])
    assert shown[0] == "up"
    assert shown[-3:] == ["--port", "1", "Kodiak"]
    assert not any("K" in argument for argument in shown[:-3])
