"""What the README prints works as printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.server import Server

README = Path(__file__).parents[2] / "README.md"


def block(containing: str) -> str:
    """The README's Python example with that text in it."""
    blocks: list[str] = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    (found,) = [block for block in blocks if containing in block]
    return found


def run(server: Server, code: str) -> subprocess.Popen[str]:
    """The example in a process of its own, beside the command ``mlxr``."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "MLXR_HOME": str(server.home), "PATH": path}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=pipe, stderr=pipe, text=True)


def test_the_telemetry_example_prints_steps(server: Server) -> None:
    with run(server, block("zmq")) as example:
        # It subscribes at a moment of its own; steps go on until it has seen enough.
        while example.poll() is None:
            server.chat("Tell me about the sea.", max_tokens=20)
        output, errors = example.communicate()
    assert example.returncode == 0, errors
    assert len(output.splitlines()) == 10


def test_the_telemetry_example_has_ten_lines_at_most() -> None:
    lines = [line for line in block("zmq").splitlines() if line.strip()]
    assert len(lines) <= 10


def test_the_openai_example_prints_an_answer(server: Server) -> None:
    # As printed, but for the port, and an end to an answer that may go on for as long as the context.
    code = (
        block("OpenAI")
        .replace("http://127.0.0.1:11435", server.url)
        .replace("stream=True", "stream=True, max_tokens=24")
    )
    with run(server, code) as example:
        output, errors = example.communicate(timeout=120)
    assert example.returncode == 0, errors
    assert output.strip()
