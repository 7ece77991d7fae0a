"""Two servers that keep pages in one folder."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlxr.actors.kv.disk.shared_folder import all_files
from tests.end_to_end.conversations import Conversation, kill_everything, pages_in
from tests.server import Server, eventually, serving

QUOTA = 12_000_000
"""Two conversations or so of the three."""

NAMES = ("Ash", "Birch", "Cedar")
SECONDS = 0.01


@contextmanager
def sampled(root: Path) -> Iterator[list[int]]:
    """What all files take, every 10 ms. Who counts holds the lock: a file that comes while another goes would else be
    counted beside it."""
    seen, done = list[int](), threading.Event()

    def sample() -> None:
        while not done.wait(SECONDS):
            with suppress(FileNotFoundError), open(root / "lock", "rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                seen.append(sum(max(file.bytes, file.path.stat().st_blocks * 512) for file in all_files(root)))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def talk(server: Server, texts: dict[str, list[str]]) -> None:
    """Two turns of each conversation; notes the answers."""
    for name in NAMES:
        conversation = Conversation(120, name)
        texts[name] = [conversation.turn(server), conversation.turn(server, "Go on.")]


def test_two_servers_share_a_folder_and_its_quota_and_one_is_killed(tmp_path: Path) -> None:
    root = tmp_path / "pages"
    settings = [part for key in (f"disk_path={root}", f"disk_bytes={QUOTA}") for part in ("--set", f"kv.{key}")]
    # A pool of one conversation or two: the rest comes from the disk, or is computed.
    settings += ["--set", "kv.pool_tokens=512"]
    one, other, after = dict[str, list[str]](), dict[str, list[str]](), dict[str, list[str]]()
    with (
        serving(tmp_path / "one", "smollm2", *settings) as first,
        serving(tmp_path / "other", "smollm2", *settings) as second,
        sampled(root) as seen,
    ):
        threads = [threading.Thread(target=talk, args=each) for each in ((first, one), (second, other))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # While it writes: a conversation has just ended.
        written = first.metric("mlxr_disk_written_bytes_total")
        Conversation(120, "Yew").turn(first)
        kill_everything(first)
        talk(second, after)
        eventually(lambda: pages_in(root) > 0)
        written += second.metric("mlxr_disk_written_bytes_total")
    assert one.keys() == other.keys() == after.keys() == set(NAMES)
    assert one == other == after
    assert written > QUOTA
    assert len(seen) > 10
    assert QUOTA // 2 < max(seen) <= QUOTA
