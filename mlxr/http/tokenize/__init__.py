"""Tokens of texts, texts of tokens, and facts about tokenizers, as vLLM's and llama.cpp's clients ask for them."""

from __future__ import annotations

from mlxr.http.services import Route
from mlxr.http.tokenize.handlers import detokenize, tokenize, tokenizer_info
from mlxr.http.tokenize.schema import DetokenizeAnswer, DetokenizeRequest, TokenizeAnswer, TokenizeRequest

ROUTES = (
    Route(
        "POST",
        "/tokenize",
        tokenize,
        "Token ids of a text or conversation",
        takes=TokenizeRequest,
        gives=TokenizeAnswer,
    ),
    Route("POST", "/v1/tokenize", tokenize, "The same", takes=TokenizeRequest, gives=TokenizeAnswer),
    Route("POST", "/detokenize", detokenize, "Text of token ids", takes=DetokenizeRequest, gives=DetokenizeAnswer),
    Route("POST", "/v1/detokenize", detokenize, "The same", takes=DetokenizeRequest, gives=DetokenizeAnswer),
    Route(
        "GET",
        "/tokenizer_info",
        tokenizer_info,
        "Facts about a model's tokenizer",
        query={"model": {"type": "string"}},
    ),
)
