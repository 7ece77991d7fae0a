"""sentence-transformers on torch: ``python -m bench.peers.sentence_transformers FOLDER THREADS``."""

from __future__ import annotations

import sys
import time

import torch
from sentence_transformers import SentenceTransformer

from bench.peers.worker import serve


class Peer:
    def __init__(self, folder: str, threads: int) -> None:
        torch.set_num_threads(threads)
        self._model = SentenceTransformer(folder, device="cpu")

    def embed(self, count: int, text: str) -> float:
        """Texts a second, ``count`` of them in one call, in batches of 32, its default and its best here."""
        began = time.perf_counter()
        self._model.encode([f"{number} {text}" for number in range(count)])
        return count / (time.perf_counter() - began)


def main() -> None:
    serve({"embed": Peer(sys.argv[1], int(sys.argv[2])).embed})


if __name__ == "__main__":
    main()
