"""Floats as Go writes them."""

from __future__ import annotations

import math

from mlxr.models.chat.go_template.errors import GoTemplateError


def float_text(value: float) -> str:
    """Returns ``value`` as Go's ``%v`` has it: the shortest digits, with an exponent below 1e-4 and from 1e21 on."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign, digits, exponent = _shortest(value)
    if exponent < -4 or exponent >= 21:
        rest = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{rest}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    return sign + _plain(digits, exponent)


def json_number(value: float) -> str:
    """Returns ``value`` as Go's ``json.Marshal`` has it. Raises ``GoTemplateError`` for what JSON can't hold."""
    if not math.isfinite(value):
        raise GoTemplateError("JSON has no infinity and no NaN")
    sign, digits, exponent = _shortest(value)
    if value and (abs(value) < 1e-6 or abs(value) >= 1e21):
        rest = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{rest}e{'-' if exponent < 0 else '+'}{abs(exponent)}"
    return sign + _plain(digits, exponent)


def _shortest(value: float) -> tuple[str, str, int]:
    """Returns the sign, the fewest digits that mean ``value``, and the exponent of the first of them."""
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    power = int(exponent or 0) + len(whole) - 1 - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0") or "0"
    return sign, digits, power if digits != "0" else 0


def _plain(digits: str, exponent: int) -> str:
    if exponent < 0:
        return f"0.{'0' * (-exponent - 1)}{digits}"
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    return f"{whole}.{digits[exponent + 1 :]}" if len(digits) > exponent + 1 else whole
