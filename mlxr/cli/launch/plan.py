"""What starting an agent takes, worked out from its row of the table: variables, files and a command line. Pure."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlxr.cli.launch.agent import Agent

HIDDEN = "***"
MOST_OUTPUT = 8192
"""Tokens of an answer that agents are told of at most; a quarter of a smaller context."""


@dataclass(frozen=True, slots=True)
class Values:
    """What rows of the table name in braces.

    url: the server's; ``openai`` is where OpenAI's clients look.
    model: its name, key: that lets clients in ("none" where none is asked for).
    context: tokens that the model takes, ``output`` those of an answer.
    config: the folder for what is written for this agent alone.
    """

    url: str
    model: str
    key: str
    context: int
    config: Path

    def texts(self) -> dict[str, str]:
        return {
            "url": self.url,
            "openai": f"{self.url}/v1",
            "model": self.model,
            "key": self.key,
            "context": str(self.context),
            "output": str(min(max(self.context // 4, 1), MOST_OUTPUT)),
            "config": str(self.config),
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """``environment``: variables to set; ``unset``: those that must not be there; ``files``: what to write, by path."""

    agent: Agent
    command: tuple[str, ...]
    environment: dict[str, str]
    unset: tuple[str, ...]
    files: dict[Path, str]

    def as_json(self, key: str) -> dict[str, Any]:
        whole = {
            "agent": self.agent.name,
            "command": list(self.command),
            "environment": self.environment,
            "unset": list(self.unset),
            "files": {str(path): text for path, text in self.files.items()},
        }
        return json.loads(_hide(json.dumps(whole), key))  # type: ignore[no-any-return]

    def as_shell(self, key: str) -> str:
        """Returns lines for a shell that do the same by hand; ``key`` is not in them."""
        lines = [f"unset {' '.join(self.unset)}"] if self.unset else []
        for path, text in self.files.items():
            lines.append(f"mkdir -p {shlex.quote(str(path.parent))}")
            lines.append(f"cat > {shlex.quote(str(path))} <<'END'\n{text.rstrip()}\nEND")
        lines += [f"export {name}={shlex.quote(value)}" for name, value in self.environment.items()]
        lines.append(shlex.join(self.command))
        return _hide("\n".join(lines), key)


def plan(agent: Agent, values: Values, arguments: list[str], no_proxy: str = "") -> Plan:
    """Returns how ``agent`` is started, with the user's own ``arguments`` behind ours. ``no_proxy``: the variable of
    that name, which the server's host is added to."""
    texts = values.texts()
    environment = {name: _text(value, texts) for name, value in agent.environment.items()}
    local = [part for part in (no_proxy, "127.0.0.1", "localhost") if part]
    environment |= {"NO_PROXY": ",".join(local), "no_proxy": ",".join(local)}
    files = {values.config / name: _file(name, _filled(content, texts)) for name, content in agent.files.items()}
    before = tuple(_text(part, texts) for part in agent.arguments)
    command = (agent.command, *before, *(arguments or agent.otherwise))
    return Plan(agent, command, environment, agent.unset, files)


def _text(value: object, texts: dict[str, str]) -> str:
    filled = _filled(value, texts)
    return filled if isinstance(filled, str) else json.dumps(filled)


def _filled(value: Any, texts: dict[str, str]) -> Any:
    """Returns ``value`` with what stands in braces; a number where a text is nothing but one of tokens."""
    if isinstance(value, dict):
        return {_text(key, texts): _filled(inner, texts) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(inner, texts) for inner in value]
    if value in ("{context}", "{output}"):
        return int(value.format_map(texts))
    return value.format_map(texts) if isinstance(value, str) else value


def _file(name: str, content: Any) -> str:
    if isinstance(content, str):
        return content
    if name.endswith(".toml"):
        # What only some agents need.
        import tomlkit

        return tomlkit.dumps(content)
    # YAML takes JSON as it is.
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _hide(text: str, key: str) -> str:
    return text if key in ("", "none") else text.replace(key, HIDDEN)
