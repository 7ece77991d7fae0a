"""ValidationCache on what strangers sent."""

from __future__ import annotations

import pytest

from mlxr.actors.tokenizer.validation_cache import ValidationCache
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo

BAD = ErrorInfo(ErrorCode.INVALID, "no")


def test_what_is_good_comes_back_and_what_is_bad_is_raised() -> None:
    verdicts: ValidationCache[str] = ValidationCache()
    verdicts.add(b"good", "made")
    verdicts.add(b"bad", BAD)
    assert verdicts.get(b"good") == "made"
    with pytest.raises(RequestError) as refused:
        verdicts.get(b"bad")
    assert refused.value.info is BAD
    assert b"unknown" not in verdicts


def test_the_least_recently_used_goes_first() -> None:
    verdicts: ValidationCache[str] = ValidationCache(kept=2)
    for content in (b"a", b"b"):
        verdicts.add(content, "made")
    verdicts.get(b"a")
    verdicts.add(b"c", "made")
    assert [content in verdicts for content in (b"a", b"b", b"c")] == [True, False, True]


def test_large_ones_push_out_others_but_never_themselves() -> None:
    verdicts: ValidationCache[str] = ValidationCache(kept_bytes=100)
    verdicts.add(b"a", "made", 60)
    verdicts.add(b"a", "made", 60)
    assert b"a" in verdicts
    verdicts.add(b"b", "made", 60)
    assert [content in verdicts for content in (b"a", b"b")] == [False, True]
    verdicts.add(b"c", "made", 1000)
    assert [content in verdicts for content in (b"b", b"c")] == [False, True]
