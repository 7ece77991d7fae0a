"""Tokenizers from a Hugging Face ``tokenizer.json``, run by the ``tokenizers`` package as the file describes them."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlxr.models.tokenizers.base import MarkerSplitter, TableTokenizer
from mlxr.models.tokenizers.bpe import byte_level_bytes
from mlxr.models.tokenizers.errors import TokenizerError
from mlxr.models.tokenizers.escaping import without_escapes
from mlxr.models.tokenizers.package_errors import encoding, loading
from mlxr.models.tokenizers.pairs import PairFrame
from mlxr.models.tokenizers.slices import SLICE, slices
from mlxr.models.tokenizers.special import SpecialTokens, named_ends, named_fill
from mlxr.models.tokenizers.table import TokenTable
from mlxr.models.tokenizers.token_types import TokenType
from mlxr.models.tokenizers.tokenizer_json import MAX_FILE, read_source
from mlxr.runtime.regular_files import read_regular

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Pipeline

SPACE = "▁"

log = logging.getLogger("mlxr.tokenizer")


class TokenizerJson(TableTokenizer):
    """``control``: the file's special tokens as they are written, with what it says of each."""

    def __init__(
        self,
        pipeline: Pipeline,
        table: TokenTable,
        special: SpecialTokens,
        *,
        control: Mapping[str, Mapping[str, Any]],
        strips_space: bool,
    ) -> None:
        super().__init__(table, special, markers=control, strips_space=strips_space)
        self.control = control
        self._pipeline = pipeline
        self._control = {entry["id"]: entry for entry in control.values()}
        self._special = MarkerSplitter({text: entry["id"] for text, entry in control.items()})
        self._lock = threading.Lock()

    @property
    def model(self) -> str:
        """The type of the pipeline's model: BPE, Unigram, WordPiece or WordLevel."""
        return type(self._pipeline.model).__name__

    def source(self) -> str:
        """Returns the pipeline as a ``tokenizer.json``."""
        return self._pipeline.to_str()

    def encode(
        self,
        text: str,
        *,
        add_special: bool = True,
        parse_special: bool = True,
        escape: str = "",
        limit: int = sys.maxsize,
    ) -> list[int]:
        # In one go where that is possible: the file's own post-processor knows best what to put around a text.
        plain = without_escapes(text, escape)
        if len(plain) <= SLICE and (plain == text or not parse_special):
            return self._run(plain, add_special=add_special, parse_special=parse_special)
        tokens = super().encode(text, add_special=False, parse_special=parse_special, escape=escape, limit=limit)
        before, after = self._around() if add_special else ([], [])
        return before + tokens + after

    def _pieces(self, text: str, *, parse_special: bool, escape: str) -> Iterator[list[int]]:
        parts: list[str | int] = self._special.split(text) if parse_special else [text]
        for at, part in enumerate(parts):
            if isinstance(part, int):
                yield [part]
                continue
            plain = self._stripped(
                without_escapes(part, escape), parts[at - 1 : at] if at else [], parts[at + 1 : at + 2]
            )
            for piece in slices(plain, drop_space=self.strips_space):
                yield self._run(piece)

    def _around(self) -> tuple[list[int], list[int]]:
        """Returns what the file's post-processor puts before and behind a text."""
        inner, whole = self._run("a"), self._run("a", add_special=True)
        count = len(inner)
        at = next((i for i in range(len(whole) - count + 1) if whole[i : i + count] == inner), len(whole))
        return whole[:at], whole[at + count :]

    def _stripped(self, text: str, before: list[str | int], after: list[str | int]) -> str:
        """Returns ``text`` without the space that the special tokens beside it take."""
        if any(isinstance(token, int) and self._control[token].get("rstrip") for token in before):
            text = text.lstrip()
        if any(isinstance(token, int) and self._control[token].get("lstrip") for token in after):
            text = text.rstrip()
        return text

    def _run(self, text: str, *, add_special: bool = False, parse_special: bool = False) -> list[int]:
        # Whether markers count is state of the shared object, hence the lock.
        with self._lock, encoding():
            self._pipeline.encode_special_tokens = not parse_special
            (encoded,) = self._pipeline.encode_batch_fast([text], add_special_tokens=add_special)
        return list(encoded.ids)

    def token_id(self, text: str) -> int | None:
        return self._pipeline.token_to_id(text)

    def pair_frame(self) -> PairFrame | None:
        """As the file's own post-processor puts a pair together."""
        with self._lock, encoding():
            self._pipeline.encode_special_tokens = False
            encoded = self._pipeline.encode("a", "a", add_special_tokens=True)
        owners, types = encoded.sequence_ids, encoded.type_ids
        first, second = ([at for at, owner in enumerate(owners) if owner == number] for number in (0, 1))
        if not first or not second or second[0] == first[-1] + 1:
            return None
        before, between = encoded.ids[: first[0]], encoded.ids[first[-1] + 1 : second[0]]
        return PairFrame(before, between, encoded.ids[second[-1] + 1 :], segmented=types[second[0]] == 1)


def load_tokenizer_json(folder: Path) -> TokenizerJson:
    """Returns the tokenizer in ``folder``: ``tokenizer.json``, and roles from ``tokenizer_config.json`` and
    ``generation_config.json`` where they exist. Raises ``TokenizerError``."""
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    source = read_source(path)
    with loading(str(path)):
        pipeline = Tokenizer.from_str(json.dumps(source, ensure_ascii=False))
    pipeline.no_truncation()
    pipeline.no_padding()
    added = {entry["id"]: entry for entry in source.get("added_tokens") or []}
    for id, entry in added.items():
        if pipeline.id_to_token(id) != entry["content"]:
            raise TokenizerError(f"{path}: the added token {entry['content'][:40]!r} has id {id}, which is another's")
    special = _special(pipeline, added, folder)
    return TokenizerJson(
        pipeline,
        TokenTable(_bytes(pipeline, added, stage_steps(source.get("decoder")))),
        special,
        control={entry["content"]: entry for entry in added.values() if entry.get("special") and entry["content"]},
        strips_space=_prefixes_space(source),
    )


def _special(pipeline: Pipeline, added: Mapping[int, Mapping[str, Any]], folder: Path) -> SpecialTokens:
    config_path = folder / "tokenizer_config.json"
    config = _read(config_path)

    def named(key: str) -> int | None:
        value = config.get(key)
        text = value.get("content") if isinstance(value, dict) else value
        if not isinstance(text, str):
            return None
        token = pipeline.token_to_id(text)
        if token is None:
            log.warning("%s: %s is %r, which is not in the vocabulary; it is ignored", config_path, key, text[:40])
        return token

    bos, eos = named("bos_token"), named("eos_token")
    ends = {token for token in (eos, *_declared_ends(pipeline, folder)) if token is not None}
    ends |= named_ends(pipeline.token_to_id)
    control = {i for i, entry in added.items() if entry.get("special")}
    probe = pipeline.encode("", add_special_tokens=True).ids
    return SpecialTokens(
        bos=bos,
        eos=eos,
        ends=frozenset(ends),
        control=frozenset(control | ends),
        fill=named_fill(pipeline.token_to_id),
        add_bos=bos is not None and probe[:1] == [bos],
        add_eos=eos is not None and probe[-1:] == [eos],
    )


def _declared_ends(pipeline: Pipeline, folder: Path) -> list[int]:
    """Returns the ids of ``eos_token_id`` in ``generation_config.json`` that the vocabulary has."""
    path = folder / "generation_config.json"
    ids = _listed(_read(path).get("eos_token_id"))
    size = _size(pipeline)
    for token in [token for token in ids if not 0 <= token < size]:
        log.warning("%s: eos_token_id %d is outside the vocabulary of %d tokens; it is ignored", path, token, size)
    return [token for token in ids if 0 <= token < size]


def _size(pipeline: Pipeline) -> int:
    """Returns one more than the highest token id."""
    return 1 + max((*pipeline.get_vocab(with_added_tokens=True).values(), -1))


def _bytes(pipeline: Pipeline, added: Mapping[int, Mapping[str, Any]], decoders: list[str]) -> Iterable[bytes]:
    """Returns the bytes of every token, by the kind of decoder the file names."""
    size = _size(pipeline)
    tokens = [pipeline.id_to_token(i) or "" for i in range(size)]
    if "ByteLevel" in decoders:
        types = [TokenType.CONTROL if i in added else TokenType.NORMAL for i in range(size)]
        decoded = list(byte_level_bytes(tokens, types))
    elif "WordPiece" in decoders:
        decoded = [(t[2:] if t.startswith("##") else " " + t).encode() for t in tokens]
    else:
        decoded = [_spm_piece(token, fallback="ByteFallback" in decoders) for token in tokens]
    for i, entry in added.items():
        decoded[i] = entry["content"].encode()
    return decoded


def _spm_piece(token: str, *, fallback: bool) -> bytes:
    if fallback and len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
        return bytes([int(token[3:5], 16)])
    return token.replace(SPACE, " ").encode()


def _prefixes_space(source: Mapping[str, Any]) -> bool:
    """Tells whether the first word gets a space (or, in WordPiece, stands without one) that decoding takes away."""
    if "WordPiece" in stage_steps(source.get("decoder")):
        return True
    steps = [*_parts(source.get("normalizer")), *_parts(source.get("pre_tokenizer"))]
    return any(
        step["type"] == "Prepend"
        or (step["type"] == "Metaspace" and step.get("prepend_scheme", "always") != "never")
        or (step["type"] == "ByteLevel" and step.get("add_prefix_space", False))
        for step in steps
    )


def stage_steps(part: Mapping[str, Any] | None) -> list[str]:
    """Returns the types of a stage's steps."""
    return [step["type"] for step in _parts(part)]


def _parts(part: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """Returns a pipeline stage of tokenizer.json as the list of its steps."""
    if part is None:
        return []
    if part["type"] != "Sequence":
        return [part]
    nested = next(value for key, value in part.items() if key != "type")
    return [step for each in nested for step in _parts(each)]


def _listed(value: Any) -> list[int]:
    return [token for token in (value if isinstance(value, list) else [value]) if type(token) is int]


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_regular(path, MAX_FILE))
    except FileNotFoundError:
        return {}
    except (ValueError, OSError, RecursionError) as error:
        raise TokenizerError(f"{path} is not JSON: {error}") from error
    return content if isinstance(content, dict) else {}
