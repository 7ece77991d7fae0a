"""What a conversion's process is asked for, and what it says."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from mlxr.api.conversion import ConversionChoice

Format = Literal["gguf", "mlx"]
"""What a model can be made: a GGUF file, or a folder as mlx-lm writes it."""


class Wanted(Struct, frozen=True, omit_defaults=True):
    """How a model is to be converted.

    format: of the new one.
    type: a file type's name (GGUF), or bits (``4``, ``8bit``; MLX); empty for the types that the model has.
    requantize: whether a source may be quantized already.
    importance: the path of an importance matrix; empty for none.
    pure: whether every matrix becomes the same type.
    output_type, embedding_type: of the output projection and the embedding; empty for the mix's.
    keep_output: whether the output projection stays as it is.
    tensor_types: ``EXPRESSION=TYPE``, for tensors whose names a regular expression finds.
    group: values that share a scale (MLX).
    mode: MLX's way to quantize.
    """

    format: Format = "gguf"
    type: str = ""
    requantize: bool = False
    importance: str = ""
    pure: bool = False
    output_type: str = ""
    embedding_type: str = ""
    keep_output: bool = False
    tensor_types: list[str] = []
    group: int = 0
    mode: str = ""


class Job(Struct, frozen=True):
    """One conversion.

    source: the path of a GGUF file or a model folder.
    target: the path of the file or folder to write, which is not there yet.
    threads: how many encode at once.
    nice: how much the process gives way to others.
    dry_run: whether to say what the target would be (``Outlook``), and write nothing.
    """

    source: str
    target: str
    wanted: Wanted
    threads: int
    nice: int = 0
    dry_run: bool = False


class Advanced(Struct, frozen=True, tag="advanced"):
    """``completed`` of ``total`` bytes are written."""

    status: str
    total: int
    completed: int


class Done(Struct, frozen=True, tag="done"):
    """The target is whole and on the disk. ``digest``: SHA-256 in hexadecimal, of the file or of the folder's listing.
    ``notes``: what should be known of it, a sentence each."""

    digest: str
    size: int
    notes: list[str] = []


class Outlook(Struct, frozen=True, tag="outlook"):
    """What the source would become. ``quantization``: what it is in now, '' where the headers do not say.
    ``quantized``: whether that loses something."""

    choices: list[ConversionChoice]
    quantization: str = ""
    quantized: bool = False


Kind = Literal["malformed", "unsupported", "space", "other"]
"""Which error it is."""


class Failed(Struct, frozen=True, tag="failed"):
    """``reason``: says why, of ``path``. ``needed``: bytes that the disk has no room for."""

    kind: Kind
    reason: str
    path: str = ""
    needed: int = 0


Said = Advanced | Done | Outlook | Failed
