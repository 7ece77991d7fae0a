from __future__ import annotations

import json

from mlxr.api.one_line_json import one_line, one_line_json
from tests.http.test_one_line_json import ENDS


def test_json_is_one_line_and_says_the_same() -> None:
    value = {ENDS: [ENDS, "é😀"]}
    for raw in (one_line_json(value), one_line(json.dumps(value, ensure_ascii=False).encode())):
        assert len(raw.decode().splitlines()) == 1
        assert json.loads(raw) == value
