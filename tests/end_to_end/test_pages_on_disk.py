"""Conversations whose pages are on disk: they outlive every process, and no disk makes a text another one."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from mlxr.actors.executor.pool_files.file import FOLDER
from mlxr.actors.kv.disk.shared_folder import StoredFile, all_files
from tests.end_to_end.conversations import PAGE, Conversation, kill_everything, pages_in, stored
from tests.server import Server, eventually, serving

WARNING = "WARNING"
LEFT = "pages are still in memory"


def kill_executor(server: Server) -> None:
    (executor,) = server.actors()
    os.kill(executor, signal.SIGKILL)
    eventually(lambda: server.actors() not in ([], [executor]))


def warnings(server: Server) -> list[str]:
    """Lines of the log about pages on disk."""
    return [line for line in server.log.read_text().splitlines() if WARNING in line and "page" in line]


@contextmanager
def served(home: Path, *settings: str) -> Iterator[Server]:
    arguments = [part for setting in settings for part in ("--set", setting)]
    with serving(home, "smollm2", *arguments) as server:
        yield server


def test_the_next_turn_after_kill_9_of_everything_reads_as_if_nothing_had_happened(tmp_path: Path) -> None:
    conversation, kept = Conversation(3000, "Once"), tmp_path / "kept"
    with served(tmp_path) as server:
        conversation.turn(server)
        stored(tmp_path / "kv", conversation)
        shutil.copytree(tmp_path / "kv", kept)
        undisturbed = conversation.turn(server, "And then?")
        found = conversation.cached
        assert found > 3000
        kill_everything(server)
    # As it was when the first turn had ended.
    shutil.rmtree(tmp_path / "kv")
    kept.rename(tmp_path / "kv")
    # The model's file comes back from elsewhere, with another inode and time.
    (model,) = (tmp_path / "models" / "blobs").iterdir()
    shutil.copyfile(model, tmp_path / "copy")
    (tmp_path / "copy").replace(model)
    server = Server(tmp_path, "smollm2")
    try:
        server.wait_ready()
        assert conversation.again(server) == undisturbed
        assert conversation.cached == found
    finally:
        server.close()


def whole_files(root: Path) -> list[StoredFile]:
    """Those that get no other name any more."""
    return [file for file in all_files(root) if file.path.suffix == ".pages"]


def flip_bytes(root: Path) -> None:
    for file in whole_files(root):
        with open(file.path, "r+b") as opened:
            for at in range(5000, file.bytes, 100_000):
                opened.seek(at)
                byte = opened.read(1)
                opened.seek(at)
                opened.write(bytes([byte[0] ^ 16]))


def cut_short(root: Path) -> None:
    for file in whole_files(root):
        os.truncate(file.path, file.bytes // 2)


def make_another_version(root: Path) -> None:
    for file in whole_files(root):
        with open(file.path, "r+b") as opened:
            opened.seek(8)
            opened.write(b"\x63")


def delete_files(root: Path) -> None:
    for file in whole_files(root):
        file.path.unlink()


def delete_all(root: Path) -> None:
    # A segment may come meanwhile.
    eventually(lambda: shutil.rmtree(root, ignore_errors=True) or not root.exists())


def set_the_clock_back(root: Path) -> None:
    """As files look that were written before."""
    for file in whole_files(root):
        os.utime(file.path, (4e9, 4e9))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("disk"), "supervision.restarts=100") as running:
        yield running


@pytest.mark.parametrize(
    "happens",
    [flip_bytes, cut_short, make_another_version, delete_files, delete_all, set_the_clock_back],
    ids=lambda function: function.__name__,
)
def test_whatever_happens_to_its_files_a_conversation_goes_on_as_it_would_have(
    server: Server, happens: Callable[[Path], None]
) -> None:
    root = server.home / "kv"
    conversation = Conversation(100, happens.__name__)
    conversation.turn(server)
    eventually(lambda: pages_in(root) >= conversation.prompt // PAGE - 1)  # it may share one that was deleted
    undisturbed = conversation.turn(server, "Go on.")
    happens(root)
    kill_executor(server)
    assert conversation.again(server) == undisturbed
    # Pages are stored again, or still.
    eventually(lambda: pages_in(root) >= conversation.prompt // PAGE - 1)


def test_pages_in_a_files_memory_outlive_an_executor_that_is_killed(tmp_path: Path) -> None:
    with served(tmp_path, "kv.shared_memory=true") as server:
        conversation = Conversation(100, "Memory")
        conversation.turn(server)
        stored(tmp_path / "kv", conversation)
        undisturbed = conversation.turn(server, "Go on.")
        kill_executor(server)
        assert conversation.again(server) == undisturbed
        if FOLDER.is_dir():
            assert LEFT in server.log.read_text()
        server.terminate()  # killed, it would leave its memory


@contextmanager
def small_disk(root: Path) -> Iterator[None]:
    """A disk of 2 MB; where none can be mounted, files of no more than that, for this process and those it starts."""
    root.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", root], check=False, capture_output=True)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    if mounted.returncode:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        if mounted.returncode == 0:
            subprocess.run(["umount", "-l", root], check=True)


@pytest.mark.parametrize("case", ["no folder", "less than a page", "no room", "read-only"])
def test_a_disk_that_takes_nothing_costs_a_warning_and_no_text(tmp_path: Path, case: str) -> None:
    root, settings = tmp_path / "disk", list[str]()
    with small_disk(root) if case in ("no room", "read-only") else nullcontext():
        if case == "no folder":
            root.write_text("a file")
        if case == "read-only":
            root.chmod(0o500)
            subprocess.run(["mount", "-o", "remount,ro", root], check=False, capture_output=True)
        if case == "less than a page":
            settings = ["kv.disk_bytes=1000"]
        with served(tmp_path / "home", f"kv.disk_path={root}", *settings) as server:
            conversation = Conversation(200, "Alas")
            conversation.turn(server)
            text = conversation.turn(server, "Go on.")
            eventually(lambda: warnings(server))
            kill_executor(server)
            assert conversation.again(server) == text
            assert len(warnings(server)) <= 2  # one for each executor
            assert str(root) in warnings(server)[0] or "kv.disk_bytes" in warnings(server)[0]
