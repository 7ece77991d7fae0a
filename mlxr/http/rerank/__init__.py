"""``POST /v1/rerank``: documents in the order of their likeness to a query, as Jina's and vLLM's clients ask."""

from __future__ import annotations

from mlxr.http.rerank.handlers import RerankRequest, rerank
from mlxr.http.services import Route

ROUTES = (
    Route("POST", "/v1/rerank", rerank, "Order documents by a query", takes=RerankRequest),
    Route("POST", "/rerank", rerank, "The same", takes=RerankRequest),
)
