"""The ``llm`` command with ``llm-ollama``, which finds the server by ``OLLAMA_HOST``."""

import json
import os
import subprocess
import sys

from tests.clients.asking import DESCRIBE, QUESTION, City
from tests.clients.programs import URL
from tests.clients.vectors import ENOUGH, TEXTS, likeness

MODEL = "ollama/smollm2:latest"


def llm(*arguments: str) -> str:
    command = [sys.executable, "-m", "llm", *arguments]
    environment = {**os.environ, "OLLAMA_HOST": URL}
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout


assert MODEL in llm("models")
assert llm("-m", MODEL, "-o", "temperature", "0", "-o", "num_predict", "8", QUESTION).strip()
assert llm("-m", MODEL, "--no-stream", "-o", "num_predict", "8", QUESTION).strip()
schema = json.dumps(City.model_json_schema())
assert City.model_validate_json(llm("-m", MODEL, "--no-stream", "--schema", schema, DESCRIBE))
vectors = [json.loads(llm("embed", "-m", "ollama/minilm:latest", "-c", text)) for text in TEXTS[:2]]
assert likeness(vectors) > ENOUGH
