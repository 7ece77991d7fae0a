"""The coding agents that ``mlxr launch`` knows: a row each.

Texts in a row may name ``{url}``, ``{openai}``, ``{model}``, ``{key}``, ``{context}``, ``{output}`` and ``{config}``
(``Values`` in ``plan.py`` says what they are). Files are written below ``{config}``, a folder for this agent alone, so
that nobody's own configuration is touched.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlxr.cli.launch.agent import Agent
from mlxr.cli.launch.more_agents import MORE, OPENCODE

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
        environment={"OPENCODE_CONFIG_CONTENT": OPENCODE, "OPENCODE_DISABLE_AUTOUPDATE": "1"},
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
        "pipx install aider-chat",
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
    *MORE,
)

ELSEWHERE: Mapping[str, str] = {
    "gemini": "it speaks Google's own API alone; Qwen Code (`mlxr launch qwen`) comes from it and speaks OpenAI's",
    "amp": "it works with its makers' service alone",
    "auggie": "it works with its makers' service alone",
    "cursor": "its agent reaches models by its makers' service, which can't reach this machine",
}
"""Agents that can't be pointed elsewhere, with the reason."""
