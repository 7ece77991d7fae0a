"""The coding agents that ``mlxr launch`` knows: a row each.

Texts in a row may name ``{url}``, ``{openai}``, ``{model}``, ``{key}``, ``{context}``, ``{output}`` and ``{config}``
(``Values`` in ``plan.py`` says what they are). Files are written below ``{config}``, a folder for this agent alone, so
that nobody's own configuration is touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Agent:
    """How one agent is brought to work with a model that is here.

    name: as it is launched, title: as its makers call it, aliases: what else people type.
    command: what is run.
    install: the command that installs it.
    environment: variables to set; a value that is no text is written as JSON.
    unset: variables that would lead it elsewhere.
    arguments: before the user's own, ``otherwise``: in place of the user's own where there are none.
    files: below ``{config}``, by their names: texts, or what is written as JSON, YAML or TOML by its name's end.
    prompt_tokens: what it begins with, about, before the user has said anything.
    tools: whether it can do anything with a model that calls no tools but talk.
    """

    name: str
    title: str
    command: str
    install: str
    environment: Mapping[str, Any] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    otherwise: tuple[str, ...] = ()
    files: Mapping[str, Any] = field(default_factory=dict)
    prompt_tokens: int = 8_000
    tools: bool = True
    aliases: tuple[str, ...] = ()


_COMPATIBLE = {
    "$schema": "https://opencode.ai/config.json",
    "autoupdate": False,
    "share": "disabled",
    "model": "mlxr/{model}",
    "small_model": "mlxr/{model}",
    "provider": {
        "mlxr": {
            "npm": "@ai-sdk/openai-compatible",
            "name": "mlxr",
            "options": {"baseURL": "{openai}", "apiKey": "{key}"},
            "models": {"{model}": {"name": "{model}", "limit": {"context": "{context}", "output": "{output}"}}},
        }
    },
}
"""opencode's configuration, and that of those who come from it."""

AGENTS: tuple[Agent, ...] = (
    Agent(
        "claude",
        "Claude Code",
        "claude",
        "npm install -g @anthropic-ai/claude-code",
        environment={
            "ANTHROPIC_BASE_URL": "{url}",
            "ANTHROPIC_AUTH_TOKEN": "{key}",
            "ANTHROPIC_API_KEY": "",
            "ANTHROPIC_MODEL": "{model}",
            "ANTHROPIC_DEFAULT_OPUS_MODEL": "{model}",
            "ANTHROPIC_DEFAULT_SONNET_MODEL": "{model}",
            "ANTHROPIC_DEFAULT_HAIKU_MODEL": "{model}",
            "CLAUDE_CODE_SUBAGENT_MODEL": "{model}",
            "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "{output}",
            "CLAUDE_CODE_AUTO_COMPACT_WINDOW": "{context}",
            # A line in its prompt that differs with each session would keep the prompt from being found again.
            "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        },
        unset=("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY"),
        prompt_tokens=22_000,
        aliases=("claude-code",),
    ),
    Agent(
        "codex",
        "Codex",
        "codex",
        "npm install -g @openai/codex",
        environment={"OPENAI_API_KEY": "{key}"},
        arguments=(
            "-c",
            'model_provider="mlxr"',
            "-c",
            'model_providers.mlxr.name="mlxr"',
            "-c",
            'model_providers.mlxr.base_url="{openai}"',
            "-c",
            'model_providers.mlxr.wire_api="responses"',
            "-c",
            'model_providers.mlxr.env_key="OPENAI_API_KEY"',
            "-c",
            "model_context_window={context}",
            "-m",
            "{model}",
        ),
        prompt_tokens=10_000,
    ),
    Agent(
        "opencode",
        "opencode",
        "opencode",
        "npm install -g opencode-ai",
        environment={"OPENCODE_CONFIG_CONTENT": _COMPATIBLE, "OPENCODE_DISABLE_AUTOUPDATE": "1"},
        prompt_tokens=10_000,
    ),
    Agent(
        "qwen",
        "Qwen Code",
        "qwen",
        "npm install -g @qwen-code/qwen-code",
        environment={"OPENAI_BASE_URL": "{openai}", "OPENAI_API_KEY": "{key}", "OPENAI_MODEL": "{model}"},
        arguments=("--auth-type", "openai", "--model", "{model}"),
        prompt_tokens=12_000,
        aliases=("qwen-code",),
    ),
    Agent(
        "aider",
        "Aider",
        "aider",
        "python -m pip install aider-install && aider-install",
        environment={
            "OPENAI_API_BASE": "{openai}",
            "OPENAI_API_KEY": "{key}",
            "AIDER_MODEL": "openai/{model}",
            "AIDER_WEAK_MODEL": "openai/{model}",
            "AIDER_MODEL_METADATA_FILE": "{config}/models.json",
            "AIDER_SHOW_MODEL_WARNINGS": "false",
            "AIDER_CHECK_UPDATE": "false",
            "AIDER_ANALYTICS": "false",
        },
        files={
            "models.json": {
                "openai/{model}": {
                    "max_input_tokens": "{context}",
                    "max_output_tokens": "{output}",
                    "litellm_provider": "openai",
                    "mode": "chat",
                    "input_cost_per_token": 0.0,
                    "output_cost_per_token": 0.0,
                }
            }
        },
        prompt_tokens=3_000,
        tools=False,
    ),
    Agent(
        "pi",
        "Pi",
        "pi",
        "npm install -g @earendil-works/pi-coding-agent",
        environment={"PI_CODING_AGENT_DIR": "{config}", "PI_SKIP_VERSION_CHECK": "1"},
        arguments=("--provider", "mlxr", "--model", "{model}"),
        files={
            "models.json": {
                "providers": {
                    "mlxr": {
                        "baseUrl": "{openai}",
                        "api": "openai-completions",
                        "apiKey": "{key}",
                        "models": [{"id": "{model}", "contextWindow": "{context}", "maxTokens": "{output}"}],
                    }
                }
            }
        },
        prompt_tokens=2_000,
    ),
    Agent(
        "copilot",
        "GitHub Copilot CLI",
        "copilot",
        "npm install -g @github/copilot",
        environment={
            "COPILOT_PROVIDER_BASE_URL": "{openai}",
            "COPILOT_PROVIDER_TYPE": "openai",
            "COPILOT_PROVIDER_API_KEY": "{key}",
            "COPILOT_PROVIDER_WIRE_API": "completions",
            "COPILOT_PROVIDER_MAX_PROMPT_TOKENS": "{context}",
            "COPILOT_PROVIDER_MAX_OUTPUT_TOKENS": "{output}",
            "COPILOT_MODEL": "{model}",
            "COPILOT_OFFLINE": "true",
            "COPILOT_AUTO_UPDATE": "false",
        },
        prompt_tokens=15_000,
        aliases=("copilot-cli",),
    ),
    Agent(
        "crush",
        "Crush",
        "crush",
        "npm install -g @charmland/crush",
        environment={"CRUSH_GLOBAL_CONFIG": "{config}", "CRUSH_DISABLE_METRICS": "1"},
        files={
            "crush.json": {
                "$schema": "https://charm.land/crush.json",
                "options": {"disable_provider_auto_update": True, "disable_metrics": True},
                "providers": {
                    "mlxr": {
                        "name": "mlxr",
                        "type": "openai-compat",
                        "base_url": "{openai}/",
                        "api_key": "{key}",
                        "models": [
                            {
                                "id": "{model}",
                                "name": "{model}",
                                "context_window": "{context}",
                                "default_max_tokens": "{output}",
                            }
                        ],
                    }
                },
                "models": {
                    "large": {"provider": "mlxr", "model": "{model}"},
                    "small": {"provider": "mlxr", "model": "{model}"},
                },
            }
        },
        prompt_tokens=10_000,
    ),
    Agent(
        "cline",
        "Cline",
        "cline",
        "npm install -g cline",
        arguments=(
            "--config",
            "{config}",
            "--data-dir",
            "{config}/data",
            "--provider",
            "openai-compatible",
            "--model",
            "{model}",
        ),
        files={
            "data/settings/providers.json": {
                "version": 1,
                "lastUsedProvider": "openai-compatible",
                "modes": {},
                "providers": {
                    "openai-compatible": {
                        "settings": {
                            "provider": "openai-compatible",
                            "apiKey": "{key}",
                            "model": "{model}",
                            "baseUrl": "{openai}",
                        },
                        "updatedAt": "2026-01-01T00:00:00.000Z",
                        "tokenSource": "manual",
                    }
                },
            }
        },
        prompt_tokens=10_000,
    ),
    Agent(
        "droid",
        "Droid",
        "droid",
        "npm install -g droid",
        arguments=("--settings", "{config}/settings.json"),
        files={
            "settings.json": {
                "customModels": [
                    {
                        "model": "{model}",
                        "id": "custom:{model}-0",
                        "index": 0,
                        "displayName": "{model}",
                        "baseUrl": "{openai}",
                        "apiKey": "{key}",
                        "provider": "generic-chat-completion-api",
                        "maxOutputTokens": "{output}",
                    }
                ],
                "sessionDefaultSettings": {"model": "custom:{model}-0", "reasoningEffort": "none"},
            }
        },
        prompt_tokens=12_000,
    ),
    Agent(
        "continue",
        "Continue CLI",
        "cn",
        "npm install -g @continuedev/cli",
        environment={"CONTINUE_GLOBAL_DIR": "{config}", "CONTINUE_TELEMETRY_ENABLED": "0"},
        arguments=("--config", "{config}/config.yaml"),
        files={
            "config.yaml": {
                "name": "mlxr",
                "version": "1.0.0",
                "schema": "v1",
                "models": [
                    {
                        "name": "{model}",
                        "provider": "openai",
                        "model": "{model}",
                        "apiBase": "{openai}",
                        "apiKey": "{key}",
                        "capabilities": ["tool_use"],
                        "roles": ["chat", "edit", "apply"],
                        "defaultCompletionOptions": {"contextLength": "{context}", "maxTokens": "{output}"},
                    }
                ],
            }
        },
        prompt_tokens=6_000,
    ),
    Agent(
        "kilo",
        "Kilo Code CLI",
        "kilo",
        "npm install -g @kilocode/cli",
        environment={"KILO_CONFIG_CONTENT": _COMPATIBLE},
        prompt_tokens=10_000,
        aliases=("kilocode",),
    ),
    Agent(
        "openhands",
        "OpenHands",
        "openhands",
        "uv tool install openhands --python 3.12",
        environment={"LLM_MODEL": "openai/{model}", "LLM_BASE_URL": "{openai}", "LLM_API_KEY": "{key}"},
        arguments=("--override-with-envs",),
        prompt_tokens=8_000,
    ),
    Agent(
        "interpreter",
        "Open Interpreter",
        "interpreter",
        "pipx install open-interpreter",
        environment={"OPENAI_API_KEY": "{key}", "DISABLE_TELEMETRY": "true"},
        arguments=(
            "--model",
            "openai/{model}",
            "--api_base",
            "{openai}",
            "--context_window",
            "{context}",
            "--max_tokens",
            "{output}",
        ),
        prompt_tokens=1_500,
        tools=False,
        aliases=("open-interpreter",),
    ),
    Agent(
        "goose",
        "Goose",
        "goose",
        "brew install block-goose-cli  (or the releases at github.com/block/goose)",
        environment={
            "GOOSE_PROVIDER": "openai",
            "GOOSE_MODEL": "{model}",
            "GOOSE_CONTEXT_LIMIT": "{context}",
            "OPENAI_HOST": "{url}",
            "OPENAI_BASE_PATH": "v1/chat/completions",
            "OPENAI_API_KEY": "{key}",
            "GOOSE_DISABLE_KEYRING": "1",
        },
        otherwise=("session",),
        prompt_tokens=6_000,
    ),
    Agent(
        "llm",
        "LLM",
        "llm",
        "pipx install llm",
        environment={"LLM_USER_PATH": "{config}"},
        otherwise=("chat",),
        files={
            "extra-openai-models.yaml": [
                {"model_id": "{model}", "model_name": "{model}", "api_base": "{openai}", "api_key_name": "mlxr"}
            ],
            "default_model.txt": "{model}",
            "keys.json": {"mlxr": "{key}"},
        },
        prompt_tokens=100,
        tools=False,
    ),
)

ELSEWHERE: Mapping[str, str] = {
    "gemini": "it speaks Google's own API alone; Qwen Code (`mlxr launch qwen`) comes from it and speaks OpenAI's",
    "amp": "it works with its makers' service alone",
    "auggie": "it works with its makers' service alone",
    "cursor": "its agent reaches models by its makers' service, which can't reach this machine",
}
"""Agents that can't be pointed elsewhere, with the reason."""
