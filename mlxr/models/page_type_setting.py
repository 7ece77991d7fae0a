"""What ``kv.page_type`` may say. A configuration is read without what pages are made of."""

from __future__ import annotations

from typing import Literal

PageType = Literal["auto", "16bit", "int8"]
"""``auto``: as is safe for the model, which are 16 bits so far: with codes of 8 bits
every model at hand was further from float32 than 1.5 times as far as with 16-bit pages (``docs/precision.md``)."""
