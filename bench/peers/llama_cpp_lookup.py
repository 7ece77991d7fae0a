"""llama.cpp with its bindings' own speculation: ``python -m bench.peers.llama_cpp_lookup MODEL.gguf THREADS``.

``LlamaPromptLookupDecoding`` with its usual settings is what llama-cpp-python's server offers.
"""

from __future__ import annotations

import sys
import time

from llama_cpp import Llama
from llama_cpp.llama_speculative import LlamaPromptLookupDecoding

from bench.peers.worker import serve

CONTEXT = 4096


class Lookup:
    def __init__(self, path: str, threads: int) -> None:
        self._llama = Llama(
            path,
            n_ctx=CONTEXT,
            n_threads=threads,
            n_threads_batch=threads,
            draft_model=LlamaPromptLookupDecoding(),
            logits_all=True,
            verbose=False,
        )

    def generate(self, prompt: str, tokens: int) -> float:
        """Tokens a second, greedy, from the first one on."""
        made, began = 0, 0.0
        ids = self._llama.tokenize(prompt.encode(), special=True)
        for token in self._llama.generate(ids, temp=0.0, repeat_penalty=1.0):
            made += token >= 0
            began = began or time.perf_counter()
            if made > tokens:
                break
        return (made - 1) / (time.perf_counter() - began)


def main() -> None:
    serve({"generate": Lookup(sys.argv[1], int(sys.argv[2])).generate})


if __name__ == "__main__":
    main()
