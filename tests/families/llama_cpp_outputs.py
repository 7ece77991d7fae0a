"""What llama.cpp makes of a GGUF file: ``python -m tests.families.llama_cpp_outputs logits FILE TARGET TOKEN...``, or
``hidden`` for the last hidden states.

A program of its own, since llama.cpp ends its process where it meets what it does not expect. Keys and values are kept
in float32, so that what differs is the model.
"""

from __future__ import annotations

import sys
from pathlib import Path

import llama_cpp
import numpy as np


def main() -> None:
    output, path, target = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    tokens = [int(token) for token in sys.argv[4:]]
    llama_cpp.llama_backend_init()
    model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
    if not model:
        sys.exit("llama.cpp does not load it")
    parameters = llama_cpp.llama_context_default_params()
    parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = 512
    parameters.type_k = parameters.type_v = llama_cpp.GGML_TYPE_F32
    parameters.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
    parameters.n_threads = parameters.n_threads_batch = 1
    parameters.embeddings = output == "hidden"
    parameters.pooling_type = llama_cpp.LLAMA_POOLING_TYPE_NONE
    context = llama_cpp.llama_init_from_model(model, parameters)
    if not context:
        sys.exit("llama.cpp makes no context for it")
    batch = llama_cpp.llama_batch_init(len(tokens), 0, 1)
    batch.n_tokens = len(tokens)
    for at, token in enumerate(tokens):
        batch.token[at], batch.pos[at], batch.n_seq_id[at], batch.logits[at] = token, at, 1, 1
        batch.seq_id[at][0] = 0
    if status := llama_cpp.llama_decode(context, batch):
        sys.exit(f"llama.cpp can't decode: {status}")
    size = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    get = llama_cpp.llama_get_logits_ith
    if output == "hidden":
        size, get = llama_cpp.llama_model_n_embd(model), llama_cpp.llama_get_embeddings_ith
    rows = [np.ctypeslib.as_array(get(context, at), (size,)) for at in range(len(tokens))]
    np.save(target, np.stack(rows))


if __name__ == "__main__":
    main()
