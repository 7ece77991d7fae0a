"""More agents, in rows as those of ``agents.py``."""

from __future__ import annotations

from mlxr.cli.launch.agent import Agent

OPENCODE = {
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

MORE: tuple[Agent, ...] = (
    Agent(
        "crush",
        "Crush",
        "crush",
        "npm install -g @charmland/crush",
        environment={
            "CRUSH_GLOBAL_CONFIG": "{config}",
            "CRUSH_GLOBAL_DATA": "{config}/data",
            "CRUSH_DISABLE_METRICS": "1",
        },
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
        environment={"KILO_CONFIG_CONTENT": OPENCODE},
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
        "openclaude",
        "OpenClaude",
        "openclaude",
        "see github.com/gitlawb/openclaude",
        environment={
            "ANTHROPIC_BASE_URL": "{url}",
            "ANTHROPIC_AUTH_TOKEN": "{key}",
            "ANTHROPIC_API_KEY": "",
            "ANTHROPIC_DEFAULT_OPUS_MODEL": "{model}",
            "ANTHROPIC_DEFAULT_SONNET_MODEL": "{model}",
            "ANTHROPIC_DEFAULT_HAIKU_MODEL": "{model}",
            "CLAUDE_CODE_SUBAGENT_MODEL": "{model}",
            "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
        },
        unset=("CLAUDE_CODE_USE_OPENAI", "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX"),
        arguments=("--model", "{model}"),
        prompt_tokens=20_000,
    ),
    Agent(
        "kimi",
        "Kimi CLI",
        "kimi",
        "uv tool install kimi-cli --python 3.13",
        arguments=("--config-file", "{config}/config.json"),
        files={
            "config.json": {
                "default_model": "mlxr",
                "providers": {"mlxr": {"type": "openai_legacy", "base_url": "{openai}", "api_key": "{key}"}},
                "models": {"mlxr": {"provider": "mlxr", "model": "{model}", "max_context_size": "{context}"}},
            }
        },
        prompt_tokens=8_000,
        aliases=("kimi-cli",),
    ),
    Agent(
        "omp",
        "Oh My Pi",
        "omp",
        "bun install -g @oh-my-pi/pi-coding-agent",
        environment={"PI_CODING_AGENT_DIR": "{config}"},
        arguments=("--model", "mlxr/{model}"),
        files={
            "models.yml": {
                "providers": {
                    "mlxr": {
                        "baseUrl": "{openai}",
                        "api": "openai-completions",
                        "apiKey": "{key}",
                        "models": [
                            {"id": "{model}", "name": "{model}", "contextWindow": "{context}", "maxTokens": "{output}"}
                        ],
                    }
                }
            },
            "config.yml": {"setupVersion": 1},
        },
        prompt_tokens=6_000,
        aliases=("oh-my-pi",),
    ),
    Agent(
        "hermes",
        "Hermes Agent",
        "hermes",
        "see hermes-agent.nousresearch.com",
        environment={"HERMES_HOME": "{config}", "OPENAI_API_KEY": "{key}", "OPENAI_BASE_URL": "{openai}"},
        files={
            "config.yaml": {
                "model": {
                    "default": "{model}",
                    "provider": "custom",
                    "base_url": "{openai}",
                    "context_length": "{context}",
                }
            }
        },
        prompt_tokens=12_000,
    ),
    Agent(
        "openclaw",
        "OpenClaw",
        "openclaw",
        "npm install -g openclaw",
        environment={"OPENCLAW_CONFIG_PATH": "{config}/openclaw.json", "OPENCLAW_STATE_DIR": "{config}/state"},
        otherwise=("tui", "--local"),
        files={
            "openclaw.json": {
                "models": {
                    "mode": "merge",
                    "providers": {
                        "mlxr": {
                            "baseUrl": "{openai}",
                            "apiKey": "{key}",
                            "api": "openai-completions",
                            "models": [
                                {
                                    "id": "{model}",
                                    "name": "{model}",
                                    "contextWindow": "{context}",
                                    "maxTokens": "{output}",
                                }
                            ],
                        }
                    },
                },
                "agents": {"defaults": {"model": {"primary": "mlxr/{model}"}}},
            }
        },
        prompt_tokens=12_000,
        aliases=("clawdbot", "moltbot"),
    ),
    Agent(
        "goose",
        "Goose",
        "goose",
        "brew install block-goose-cli",
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
