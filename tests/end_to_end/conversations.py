"""Conversations with a server, and what they leave on disk."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlxr.actors.kv.disk.segment import BadSegmentError, read_segment
from mlxr.actors.kv.disk.shared_folder import all_files
from tests.server import Server, eventually

PAGE = 32
TALE = "seven wizards boxed with quartz jars near the river bank while a quick brown fox was looking on"
WORDS = TALE.split()


class Conversation:
    """What a client keeps of one. Answers are greedy. ``cached``: of the last prompt, tokens that were not computed."""

    def __init__(self, words: int, beginning: str) -> None:
        text = " ".join(WORDS[(index * index + len(beginning)) % len(WORDS)] for index in range(words))
        self.messages: list[dict[str, str]] = [{"role": "user", "content": f"{beginning} {text}"}]
        self.cached = self.prompt = 0

    def turn(self, server: Server, say: str = "") -> str:
        """Says something (but at the first turn), and returns the answer."""
        if say:
            self.messages.append({"role": "user", "content": say})
        body: dict[str, Any] = {"model": "smollm2", "messages": self.messages, "temperature": 0, "max_tokens": 24}
        status, answer = server.request("/v1/chat/completions", body)
        assert status == 200, answer
        text = str(answer["choices"][0]["message"]["content"])
        self.messages.append({"role": "assistant", "content": text})
        self.prompt = answer["usage"]["prompt_tokens"]
        self.cached = answer["usage"]["prompt_tokens_details"]["cached_tokens"]
        return text

    def again(self, server: Server) -> str:
        """Asks for the last answer once more."""
        self.messages.pop()
        return self.turn(server)


def pages_in(root: Path) -> int:
    """How many pages lie in a folder."""
    found = 0
    for file in [file for file in all_files(root) if file.path.suffix == ".pages"] if root.exists() else []:
        with suppress(FileNotFoundError, BadSegmentError), open(file.path, "rb") as opened:
            found += len(read_segment(opened.fileno()).pages)
    return found


def stored(root: Path, conversation: Conversation, before: int = 0) -> None:
    """Waits until the pages of its last prompt are there, and ``before`` others, of which it may share one."""
    eventually(lambda: pages_in(root) >= before + conversation.prompt // PAGE - (before > 0))


def kill_everything(server: Server) -> None:
    processes = [*server.children(), server.process.pid]
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    server.process.wait()
