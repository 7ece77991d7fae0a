"""``pydantic-ai``: text, output by a forced tool and by a schema, over three protocols."""

import asyncio
from typing import Any

from anthropic import AsyncAnthropic
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from tests.clients.asking import DESCRIBE, QUESTION, City
from tests.clients.programs import BASE_URL, URL

SETTINGS: Any = {"temperature": 0.0, "max_tokens": 120, "parallel_tool_calls": False}


async def main() -> None:
    provider = OpenAIProvider(base_url=BASE_URL, api_key="none")
    chat = OpenAIChatModel("smollm2", provider=provider, settings=SETTINGS)
    assert (await Agent(chat).run(QUESTION)).output
    async with Agent(chat).run_stream(QUESTION) as streamed:
        assert [text async for text in streamed.stream_text(delta=True)]
    assert isinstance((await Agent(chat, output_type=City).run(DESCRIBE)).output, City)
    assert isinstance((await Agent(chat, output_type=NativeOutput(City)).run(DESCRIBE)).output, City)

    responses = OpenAIResponsesModel("smollm2", provider=provider, settings={"max_tokens": 120})
    assert isinstance((await Agent(responses, output_type=NativeOutput(City)).run(DESCRIBE)).output, City)

    claude = AnthropicProvider(anthropic_client=AsyncAnthropic(base_url=URL, api_key="none"))
    messages = AnthropicModel("smollm2", provider=claude, settings={"max_tokens": 120})
    assert isinstance((await Agent(messages, output_type=City).run(DESCRIBE)).output, City)


asyncio.run(main())
