"""``langchain-ollama``: chats, streams, tools, structured output, completions, embeddings."""

from langchain_ollama import ChatOllama, OllamaEmbeddings, OllamaLLM

from tests.clients.asking import DESCRIBE, QUESTION, City, get_weather
from tests.clients.programs import URL
from tests.clients.vectors import ENOUGH, TEXTS, likeness

model = ChatOllama(model="smollm2", base_url=URL, temperature=0, num_predict=90, validate_model_on_init=True)
whole = model.invoke(QUESTION)
assert "".join(chunk.text for chunk in model.stream(QUESTION)) == whole.text
assert whole.usage_metadata["output_tokens"] > 0
assert whole.response_metadata["done_reason"] in ("stop", "length")

assert isinstance(model.with_structured_output(City).invoke(DESCRIBE), City)
assert model.bind_tools([get_weather]).invoke(QUESTION)

plain = OllamaLLM(model="smollm2", base_url=URL, temperature=0, num_predict=8)
assert plain.invoke("Hello!")

embedder = OllamaEmbeddings(model="minilm", base_url=URL)
assert likeness(embedder.embed_documents(TEXTS)) > ENOUGH
