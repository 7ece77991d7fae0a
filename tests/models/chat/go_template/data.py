"""Ollama's published template tests, and what Go itself made of other templates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[3] / "data" / "go_templates"
PUBLISHED = {folder.name: folder for folder in sorted(FOLDER.iterdir()) if folder.is_dir()}
SPACED = frozenset({"chatqa", "llama2-chat", "mistral-instruct", "openchat", "vicuna"})
"""Templates whose last space the published tests take away."""

_FIRST = {"role": "user", "content": "Hello, how are you?"}
_ANSWER = {"role": "assistant", "content": "I'm doing great. How can I help you today?"}
_SECOND = {"role": "user", "content": "I'd like to show off how chat templating works!"}
_SYSTEM = {"role": "system", "content": "You are a helpful assistant."}
TURNS: dict[str, list[dict[str, Any]]] = {
    "user": [_FIRST],
    "user-assistant-user": [_FIRST, _ANSWER, _SECOND],
    "system-user-assistant-user": [_SYSTEM, _FIRST, _ANSWER, _SECOND],
}

_RECORDED: dict[str, Any] = json.loads((FOLDER / "text_template.json").read_text())
DATA: Any = _RECORDED["data"]
CONVERSATIONS: list[list[dict[str, Any]]] = _RECORDED["conversations"]
TOOLS: list[dict[str, Any]] = _RECORDED["tools"]
CASES: list[dict[str, Any]] = _RECORDED["cases"]
