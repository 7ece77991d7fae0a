"""``langchain-openai``: chats, streams, tools, structured output, responses, completions, embeddings."""

from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings

from tests.clients.asking import DESCRIBE, QUESTION, City, get_weather
from tests.clients.programs import BASE_URL
from tests.clients.vectors import ENOUGH, TEXTS, likeness

PLACE = {"base_url": BASE_URL, "api_key": "none", "max_retries": 0}

model = ChatOpenAI(model="smollm2", temperature=0, max_tokens=90, **PLACE)
whole = model.invoke(QUESTION)
assert "".join(chunk.text for chunk in model.stream(QUESTION)) == whole.text
assert whole.usage_metadata["output_tokens"] > 0

called = model.bind_tools([get_weather], tool_choice="get_weather", parallel_tool_calls=False).invoke(DESCRIBE)
assert set(called.tool_calls[0]["args"]) == {"city", "unit"}
for method in ("json_schema", "function_calling"):
    assert isinstance(model.with_structured_output(City, method=method).invoke(DESCRIBE), City)

responses = ChatOpenAI(model="smollm2", temperature=0, max_tokens=16, use_responses_api=True, **PLACE)
assert responses.invoke(QUESTION).text
assert "".join(chunk.text for chunk in responses.stream(QUESTION))

plain = OpenAI(model="smollm2", temperature=0, max_tokens=6, **PLACE)
assert "Paris" in plain.invoke("The capital of France is")

embedder = OpenAIEmbeddings(model="minilm", check_embedding_ctx_length=False, **PLACE)
assert likeness(embedder.embed_documents(TEXTS)) > ENOUGH
