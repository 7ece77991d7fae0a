"""``POST /v1/rerank``: documents in the order of their relevance to a query, as clients of Jina, Cohere, vLLM and
llama.cpp ask."""

from __future__ import annotations

from mlxr.http.rerank.handlers import RerankRequest, rerank
from mlxr.http.services import Route

ROUTES = (
    Route("POST", "/v1/rerank", rerank, "Order documents by a query", takes=RerankRequest),
    *(
        Route("POST", path, rerank, "The same", takes=RerankRequest)
        for path in ("/rerank", "/v2/rerank", "/v1/reranking", "/reranking")
    ),
)
