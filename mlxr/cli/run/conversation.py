"""A conversation: its turns, and the requests that they make."""

from __future__ import annotations

from typing import Any

from mlxr.cli.run.settings import ChatSettings


class Conversation:
    """Owns the turns with one model. A turn that has no answer yet is the last one, and taken back if none comes."""

    def __init__(self, model: str) -> None:
        self.model = model
        self._turns: list[dict[str, Any]] = []

    @property
    def turns(self) -> list[dict[str, Any]]:
        return list(self._turns)

    def ask(self, text: str) -> None:
        self._turns.append({"role": "user", "content": text})

    def answered(self, text: str, thinking: str) -> None:
        turn = {"role": "assistant", "content": text}
        if thinking:
            turn["thinking"] = thinking
        self._turns.append(turn)

    def take_back(self) -> str | None:
        """Forgets the last question, with its answer if it has one, and returns it; None where nothing was asked."""
        while self._turns:
            turn = self._turns.pop()
            if turn["role"] == "user":
                return str(turn["content"])
        return None

    def clear(self) -> None:
        self._turns = []

    def request(self, settings: ChatSettings, truncate: bool) -> dict[str, Any]:
        """The body of ``/api/chat``. ``truncate``: old turns may be left out where the context is too short."""
        system = [{"role": "system", "content": settings.system}] if settings.system else []
        body: dict[str, Any] = {"model": self.model, "messages": [*system, *self._turns], "truncate": truncate}
        if settings.options:
            body["options"] = settings.options
        for name in ("format", "think", "keep_alive"):
            if (value := getattr(settings, name)) is not None:
                body[name] = value
        return body

    def model_of_it(self, name: str, settings: ChatSettings) -> dict[str, Any]:
        """The body of ``/api/create`` for a model that goes on where this conversation is."""
        body: dict[str, Any] = {"model": name, "from": self.model}
        if settings.options:
            body["parameters"] = settings.options
        if settings.system:
            body["system"] = settings.system
        if self._turns:
            body["messages"] = [{"role": turn["role"], "content": turn["content"]} for turn in self._turns]
        return body
