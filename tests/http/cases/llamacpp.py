"""Cases of llama.cpp's own routes."""

from __future__ import annotations

from typing import Any

from mlxr.http.fields import Fields
from mlxr.http.llamacpp import schema as llamacpp
from tests.http.cases.plain import SCHEMA, Case, F, simple

SAMPLED: dict[str, Any] = {
    "model": "none", "n_predict": 5, "temperature": 0.3, "top_k": 3, "top_p": 0.3, "min_p": 0.3, "typical_p": 0.3,
    "repeat_penalty": 1.3, "repeat_last_n": 3, "presence_penalty": 0.3, "frequency_penalty": 0.3, "seed": 3,
    "stop": "x", "stream": True, "grammar": "root ::= \"a\"", "json_schema": SCHEMA, "logit_bias": [[1, False]],
    "ignore_eos": True, "response_fields": ["content"], "n_probs": 2, "return_tokens": True, "lora": [{"id": 0}],
    "adapters": ["none"], "sse_ping_interval": -2,
}  # fmt: skip

LLAMACPP: dict[type[Fields], dict[str, Case]] = {
    llamacpp.CompletionRequest: simple("/completion", prompt="Ho", **SAMPLED),
    llamacpp.InfillRequest: {
        **simple("/infill", input_prefix="c", input_suffix="c", input_extra=[{"text": "c"}], prompt="c"),
        **simple("/infill", **SAMPLED),
    },
    llamacpp.Lora: {
        "id": Case("/completion", {"lora": [{"id": 1}]}, {"lora": []}),
        "scale": Case("/completion", {"lora": [{"id": 0, "scale": "strong"}]}, {"lora": []}),
    },
    llamacpp.EmbeddingRequest: simple("/embedding", model="none", content="Ho", embd_normalize=1),
    llamacpp.Extra: {
        "text": Case("/infill", {"input_extra": [{"text": "a"}]}, {"input_extra": [{"text": "b"}]}),
        "filename": Case(
            "/infill", {"input_extra": [{"text": "a", "filename": "f"}]}, {"input_extra": [{"text": "a"}]}
        ),
    },
    llamacpp.TemplateRequest: simple(
        "/apply-template",
        model="none",
        messages=[{"role": "user", "content": "Ho"}],
        tools=F["tools"],
        add_generation_prompt=False,
        continue_final_message=True,
        chat_template="{{ x }}",
        chat_template_kwargs={"a": 1},
    ),
}
