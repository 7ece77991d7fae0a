"""``litellm`` by each of the protocols that mlxr speaks."""

import json
from typing import Any

import litellm
import pytest

from tests.clients.asking import SKY, TOOLS, WEATHER, City
from tests.clients.programs import BASE_URL, URL
from tests.clients.vectors import ENOUGH, TEXTS, likeness

PLACES = {"openai": BASE_URL, "ollama": URL, "ollama_chat": URL, "anthropic": URL}

for provider, place in PLACES.items():
    fields: dict[str, Any] = {
        "model": f"{provider}/smollm2", "api_base": place, "api_key": "none", "messages": SKY, "temperature": 0,
        "max_tokens": 10, "num_retries": 0,
    }  # fmt: skip
    whole = litellm.completion(**fields)
    text = whole.choices[0].message.content
    assert text, provider
    assert "".join(chunk.choices[0].delta.content or "" for chunk in litellm.completion(**fields, stream=True)) == text
    assert whole.usage.completion_tokens > 0
    # LiteLLM makes a connection error of whatever Ollama refuses.
    with pytest.raises((litellm.NotFoundError, litellm.APIConnectionError), match="not found"):
        litellm.completion(**{**fields, "model": f"{provider}/nobody"})

HERE: dict[str, Any] = {"api_base": BASE_URL, "api_key": "none", "num_retries": 0}
called = litellm.completion(
    model="openai/smollm2", messages=WEATHER, tools=TOOLS, tool_choice="required", max_tokens=90, temperature=0,
    parallel_tool_calls=False, **HERE,
)  # fmt: skip
assert json.loads(called.choices[0].message.tool_calls[0].function.arguments)
held = litellm.completion(model="openai/smollm2", messages=SKY, max_tokens=90, response_format=City, **HERE)
assert City.model_validate_json(held.choices[0].message.content)
made = litellm.embedding(model="openai/minilm", input=TEXTS, **HERE)
assert likeness([item["embedding"] for item in made.data]) > ENOUGH
