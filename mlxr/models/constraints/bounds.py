"""Bounds of a schema in numbers that llguidance can write as a pattern of digits.

It fails beyond 18 digits, and at fractions of many places. A bound that so large a number states says nothing for a
number of JSON's, and for a whole number is put where 18 digits end: what fits the nearer bound fits the other.
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from mlxr.models.constraints.errors import KeywordProblem
from mlxr.models.json_schema import Schema

MOST_INTEGER = 10**18 - 1
MOST_NUMBER = 10**15
PLACES = Decimal("1e-12")
MOST_LENGTH = 1 << 31
MOST_MULTIPLE = 10_000
LEAST_MULTIPLE = 1e-9
LOWER = ("minimum", "exclusiveMinimum")
UPPER = ("maximum", "exclusiveMaximum")
COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")


def fit_bounds(part: Schema) -> list[KeywordProblem]:
    """Puts the bounds of ``part`` in numbers that can be held to, in place; takes out those that can't be, and returns
    what is wrong with each."""
    problems: list[KeywordProblem] = []
    whole = part.get("type") == "integer" or part.get("type") in (["integer"], ["integer", "null"], ["null", "integer"])
    for key in (*LOWER, *UPPER):
        if key in part and not isinstance(part[key], bool):
            problems += _fit(part, key, whole=whole)
    for key in COUNTS:
        if key in part:
            problems += _fit_count(part, key)
    if "multipleOf" in part:
        problems += _fit_multiple(part)
    for problem in problems:
        part.pop(problem.keyword, None)
    return problems


def _fit(part: Schema, key: str, *, whole: bool) -> list[KeywordProblem]:
    value = part[key]
    if not isinstance(value, int | float) or value != value:
        return [KeywordProblem(key, "is no number", mistake=True)]
    most = MOST_INTEGER if whole else MOST_NUMBER
    if abs(value) > most:
        harmless = (value < 0) == (key in LOWER)
        if not harmless:
            return [KeywordProblem(key, f"is {_short(value)}, and bounds beyond {most} can't be held to")]
        if whole:
            part[key] = most if value > 0 else -most
        else:
            del part[key]
    elif isinstance(value, float) and not whole:
        places = ROUND_CEILING if key in LOWER else ROUND_FLOOR
        exact = Decimal(repr(value))
        rounded = exact.quantize(PLACES, rounding=places) if abs(value) < 1e6 else exact
        if rounded != exact:
            part[key] = float(rounded)
            if float(rounded) == int(rounded):
                part[key] = int(rounded)
    return []


def _fit_count(part: Schema, key: str) -> list[KeywordProblem]:
    value = part[key]
    if not _is_number(value) or value != int(value):
        return [KeywordProblem(key, "is no whole number", mistake=True)]
    least = key.startswith("min")
    if value < 0 or (value >= MOST_LENGTH and not least):
        if value < 0 and not least:
            return [KeywordProblem(key, f"is {_short(value)}, which nothing has")]
        del part[key]
    elif value >= MOST_LENGTH:
        return [KeywordProblem(key, f"is {_short(value)}, which no answer has room for")]
    else:
        part[key] = int(value)
    return []


def _fit_multiple(part: Schema) -> list[KeywordProblem]:
    value = part["multipleOf"]
    if not _is_number(value) or value == 0:
        return [KeywordProblem("multipleOf", "is no number above 0", mistake=True)]
    value = abs(value)
    if value <= LEAST_MULTIPLE:
        del part["multipleOf"]
        return []
    digits = Decimal(repr(value)).normalize().as_tuple()
    if int("".join(map(str, digits.digits[:19]))) * 10 ** max(0, min(int(digits.exponent), 30)) > MOST_MULTIPLE:
        reason = f"is {_short(value)}, and multiples of more than {MOST_MULTIPLE} can't be held to"
        return [KeywordProblem("multipleOf", reason)]
    part["multipleOf"] = int(value) if value == int(value) else value
    return []


def _is_number(value: Any) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole or (isinstance(value, float) and math.isfinite(value))


def _short(value: float) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
