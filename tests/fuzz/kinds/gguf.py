"""GGUF files: headers, and what the registry and the loader make of their metadata."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random

from gguf import GGUFWriter

from mlxr.actors.registry.metadata.read_info import read_model_info
from tests.fuzz.kind import Kind
from tests.fuzz.mutations import EXTREMES, TEXTS, mutated_bytes
from tests.models.files import finish, write_small

ARCHITECTURES = ("llama", "gemma3", "bert", "qwen2", "", "x" * 300)
TOKENIZERS = ("gpt2", "llama", "gemma4", "bert", "t5", "")
KEYS = ("general.architecture", "general.alignment", "general.file_type", "general.license", "llama.context_length",
        "llama.embedding_length", "llama.attention.key_length", "llama.pooling_type", "tokenizer.ggml.model",
        "tokenizer.ggml.pre", "tokenizer.ggml.tokens", "tokenizer.ggml.merges", "tokenizer.ggml.scores",
        "tokenizer.ggml.token_type", "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id",
        "tokenizer.ggml.unknown_token_id", "tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_space_prefix",
        "tokenizer.chat_template", "tokenizer.chat_templates", "tokenizer.chat_template.tool_use")  # fmt: skip
SCALAR_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
TENSOR_TYPES = (0, 1, 2, 3, 6, 7, 8, 10, 14, 15, 20, 23, 24, 30, 31, 2**32 - 1)
TEMPLATES = (
    "{{ messages[0].content }}",
    "{% for m in messages %}{{ m.content }}{% endfor %}",
    "{% for %}",
    "{{ 1/0 }}",
)


class Gguf(Kind):
    CASES = 100_000
    BATCH = 10_000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._path = folder / "case.gguf"
        self._valid = [write_small(folder / "small.gguf").read_bytes()]
        self._valid += [with_tokenizer(folder / f"{kind}.gguf", kind) for kind in ("gpt2", "llama")]

    def make(self, random: Random) -> bytes:
        if random.random() < 0.6:
            return mutated_bytes(random, random.choice(self._valid))
        return spelled(random)

    def read(self, data: bytes) -> None:
        self._path.write_bytes(data)
        read_model_info(self._path)


def with_tokenizer(path: Path, kind: str) -> bytes:
    """A file that holds a small vocabulary and a template."""
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_tokenizer_model(kind)
    tokens = ["<unk>", "<s>", "</s>", *(chr(c) for c in range(97, 110)), "ab", "▁", "▁a"]
    writer.add_token_list(tokens)
    writer.add_token_types([2, 3, 3, *[1] * (len(tokens) - 3)])
    writer.add_token_scores([-float(i) for i in range(len(tokens))])
    writer.add_token_merges(["a b", "c d"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATES[1])
    return finish(writer, path).read_bytes()


def spelled(random: Random) -> bytes:
    """A header written value by value, with counts, lengths, types and nestings that may be anything."""
    pairs = (
        [pair(random, "general.architecture", text(random.choice(ARCHITECTURES)), 8)] if random.random() < 0.9 else []
    )
    if random.random() < 0.5:
        pairs.append(pair(random, "tokenizer.ggml.model", text(random.choice(TOKENIZERS)), 8))
    pairs += [typed(random, random.choice(KEYS)) for _ in range(random.randrange(8))]
    tensors = [tensor(random) for _ in range(random.choice((0, 1, 2, 5)))]
    counts = len(tensors), len(pairs)
    if random.random() < 0.1:
        counts = random.choice(EXTREMES), random.choice((len(pairs), random.choice(EXTREMES)))
    header = b"GGUF" + struct.pack("<IQQ", random.choice((3, 3, 3, 2, 1, 4, 2**24 * 3)), *counts)
    return header + b"".join(pairs) + b"".join(tensors) + bytes(random.choice((0, 1, 31, 4096)))


def text(value: str) -> bytes:
    raw = value.encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(raw)) + raw


def pair(random: Random, key: str, value: bytes, kind: int) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def typed(random: Random, key: str) -> bytes:
    kind, value = any_value(random, 0)
    return pair(random, key, value, kind)


def any_value(random: Random, depth: int) -> tuple[int, bytes]:
    kind = random.choice((*SCALAR_BYTES, 8, 8, 9, 9, 9, 13, 2**32 - 1))
    if kind in SCALAR_BYTES:
        number = random.choice(EXTREMES) & (1 << 8 * SCALAR_BYTES[kind]) - 1
        return kind, number.to_bytes(SCALAR_BYTES[kind], "little")
    if kind == 8:
        if random.random() < 0.05:
            return kind, struct.pack("<Q", random.choice(EXTREMES))
        return kind, text(random.choice((*TEXTS, *TEMPLATES, *TOKENIZERS)))
    if kind == 9:
        inner, _ = any_value(random, depth + 1)
        count = random.choice((0, 1, 3, 20, 500))
        if depth > 6 or inner == 9:
            items = b"".join(nested_array(random.choice((1, 3, 4, 5, 60, 5000))) for _ in range(min(count, 3)))
        elif inner == 8:
            items = b"".join(text(random.choice(TEXTS)) for _ in range(count))
        else:
            items = random.randbytes(SCALAR_BYTES.get(inner, 4) * count)
        claimed = count if random.random() < 0.9 else random.choice(EXTREMES)
        return kind, struct.pack("<IQ", inner, claimed) + items
    return kind, random.randbytes(8)


def nested_array(depth: int) -> bytes:
    return struct.pack("<IQ", 9, 1) * depth + struct.pack("<IQ", 4, 0)


def tensor(random: Random) -> bytes:
    name = random.choice(("token_embd.weight", "output.weight", "blk.0.attn_q.weight", "blk.99999999.x", *TEXTS))
    dimensions = random.choice((1, 1, 2, 2, 3, 4, 0, 5, 2**32 - 1))
    shape = [random.choice((1, 32, 256, *EXTREMES)) for _ in range(min(dimensions, 6))]
    offset = random.choice((0, 0, 32, 64, *EXTREMES))
    head = text(name) + struct.pack("<I", dimensions) + struct.pack(f"<{len(shape)}Q", *shape)
    return head + struct.pack("<IQ", random.choice(TENSOR_TYPES), offset)
