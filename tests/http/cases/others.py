"""Cases of tokenize, estimate, import and rerank."""

from __future__ import annotations

from mlxr.http.estimate import handlers as estimate
from mlxr.http.fields import Fields
from mlxr.http.rerank import handlers as rerank
from mlxr.http.tokenize import schema as tokenize
from mlxr.http.tool_stores import handlers as tool_stores
from tests.http.cases.plain import (
    HI,
    Case,
    F,
    simple,
)

OTHERS: dict[type[Fields], dict[str, Case]] = {
    tokenize.TokenizeRequest: {
        **simple("/tokenize", model="none", prompt="Ho", add_special_tokens=False, return_token_strs=True),
        **{
            name: Case("/tokenize", {"prompt": None, "messages": HI, name: value}, {"prompt": None, "messages": HI})
            for name, value in (
                ("tools", F["tools"]),
                ("messages", [{"role": "user", "content": "Ho"}]),
                ("add_generation_prompt", False),
                ("continue_final_message", True),
                ("chat_template", "{{ x }}"),
                ("chat_template_kwargs", {"a": 1}),
            )
        },
        "content": Case("/tokenize", {"prompt": None, "content": "Ho"}, {"prompt": "Hi"}),
        **simple("/tokenize", with_pieces=True, parse_special=False),
        "add_special": Case(
            "/tokenize", {"prompt": None, "content": "Hi", "add_special": True}, {"prompt": None, "content": "Hi"}
        ),
    },
    tokenize.DetokenizeRequest: simple("/detokenize", model="none", tokens=[66]),
    estimate.EstimateRequest: simple("/api/estimate", model="other", context_length=4096, insecure=True),
    tool_stores.ImportRequest: {
        "from": Case("/api/import", {"from": "lmstudio"}),
        "models": Case("/api/import", {"models": ["tiny:1b"]}),
        "name": Case("/api/import", {"name": "mine"}),
    },
    rerank.RerankRequest: simple(
        "/v1/rerank",
        model="none",
        query="r",
        documents=["a"],
        top_n=1,
        return_documents=True,
        raw_scores=True,
        truncate=False,
        keep_alive="2h",
    ),
}
