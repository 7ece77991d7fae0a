"""The text of a Modelfile: which bytes it may be written in."""

from __future__ import annotations

import codecs
import re

from mlxr.actors.registry.modelfile.errors import ModelfileError

MOST_BYTES = 16 << 20
"""Far more than the texts that a model may have."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LINE_END = re.compile(r"\r\n|\r")


def decoded(data: bytes, file: str) -> str:
    """Returns the text, its lines ended by line feeds. It is UTF-8, or UTF-16 with a byte order mark.

    Raises ``ModelfileError`` for other bytes, with the line, and for what is plainly a model itself.
    """
    if data.startswith(b"GGUF"):
        raise ModelfileError(file, 0, "is a model, no Modelfile; `mlxr pull` takes it, or a Modelfile with FROM and it")
    if len(data) > MOST_BYTES:
        raise ModelfileError(file, 0, f"has more than {MOST_BYTES >> 20} MiB, so it is no Modelfile")
    mark, encoding = next((each for each in _MARKS if data.startswith(each[0])), (b"", "utf-8"))
    body = data[len(mark) :]
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        line = body[: error.start].decode(encoding, "replace").count("\n") + 1
        said = "is not UTF-8" if encoding == "utf-8" else f"is not {encoding.upper()}, as its first bytes say"
        raise ModelfileError(file, line, f"{said}; save it as UTF-8") from None
    return _LINE_END.sub("\n", text)
