"""A model of a Modelfile, with a Go template of no known family, on the real SmolLM2 through a real server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.actors.registry.packages import tiny_gguf
from tests.cli.commands import mlxr
from tests.server import Server

MODELFILE = '''FROM smollm2
TEMPLATE """{{- range .Messages }}
{{- if .ToolCalls }}<|im_start|>assistant
@@CALL{{ range .ToolCalls }}{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}{{ end }}<|im_end|>
{{ else }}<|im_start|>{{ .Role }}
{{ .Content }}<|im_end|>
{{ end }}{{ end }}{{ if .Tools }}{{ json .Tools }}
{{ end }}<|im_start|>assistant
"""
PARAMETER temperature 0
PARAMETER num_predict 5
SYSTEM Answer briefly.
'''
HELLO = [{"role": "user", "content": "What is the capital of France?"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(scope="module")
def model(server: Server) -> str:
    made = mlxr(server.home, "create", "briefly", "-f", "-", "--endpoint", server.url, "--json", stdin=MODELFILE)
    assert made.returncode == 0, made.stderr
    return str(json.loads(made.stdout)["name"])


async def asked(server: Server, path: str, body: dict[str, Any]) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session, session.post(server.url + path, json=body) as response:
        answer: dict[str, Any] = await response.json()
        assert response.status == 200, answer
        return answer


async def test_its_parameters_and_template_stand_for_every_surface(server: Server, model: str) -> None:
    ollamas = await asked(server, "/api/chat", {"model": model, "messages": HELLO, "stream": False})
    openais = await asked(server, "/v1/chat/completions", {"model": model, "messages": HELLO})
    anthropics = await asked(server, "/v1/messages", {"model": model, "messages": HELLO, "max_tokens": 5})
    assert ollamas["eval_count"] == openais["usage"]["completion_tokens"] == 5
    texts = {
        ollamas["message"]["content"],
        openais["choices"][0]["message"]["content"],
        anthropics["content"][0]["text"],
    }
    assert len(texts) == 1
    counted = await asked(server, "/v1/messages/count_tokens", {"model": model, "messages": HELLO})
    assert counted["input_tokens"] == ollamas["prompt_eval_count"] == openais["usage"]["prompt_tokens"]


async def test_a_forced_call_comes_out_as_one(server: Server, model: str) -> None:
    body = {"model": model, "messages": HELLO, "tools": [TOOL], "tool_choice": "required", "max_tokens": 60}
    answer = await asked(server, "/v1/chat/completions", body | {"parallel_tool_calls": False})
    (call,) = answer["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    assert isinstance(json.loads(call["function"]["arguments"])["city"], str)


def test_files_are_uploaded_to_a_server_that_is_named(server: Server, tmp_path: Path) -> None:
    tiny_gguf(tmp_path / "tiny.gguf", "uploaded")
    (tmp_path / "Modelfile").write_text("FROM ./tiny.gguf\nSYSTEM Hi.\n")
    elsewhere = tmp_path / "another-home"
    file = str(tmp_path / "Modelfile")
    made = mlxr(elsewhere, "create", "up", "-f", file, "--endpoint", server.url)
    assert (made.returncode, made.stdout.split()[0]) == (0, "up")
    assert json.loads(mlxr(server.home, "show", "up", "--json").stdout)["system"] == "Hi."
    assert mlxr(elsewhere, "list", "--json").stdout == "[]\n"
    (tmp_path / "Modelfile").write_text("FROM ./tiny.gguf\nTEMPLATE {{ .Prompt }}{{ end }}\n")
    refused = mlxr(elsewhere, "create", "up2", "-f", file, "--endpoint", server.url)
    assert (refused.returncode, "does not parse" in refused.stderr) == (1, True)
