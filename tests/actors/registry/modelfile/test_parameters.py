from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mlxr.actors.registry.modelfile.parameters import DEPRECATED, PARAMETERS, checked, parsed
from mlxr.http.ollama.schema import Options


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("temperature", "0.7", 0.7),
        ("temperature", "1", 1.0),
        ("num_ctx", "4096", 4096),
        ("seed", "-1", -1),
        ("use_mmap", "T", True),
        ("use_mmap", "false", False),
        ("stop", "<|x|>", "<|x|>"),
    ],
)
def test_a_value_is_of_its_parameters_type(name: str, text: str, value: Any) -> None:
    made = parsed(name, text)
    assert (made, type(made)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("temprature", "1", "unknown parameter 'temprature'; did you mean temperature?"),
        ("zzz", "1", "unknown parameter 'zzz'; it may be num_ctx, "),
        ("temperature", "hot", "temperature is a number from 0 to 100, not 'hot'"),
        ("temperature", "nan", "temperature is a number from 0 to 100, not nan"),
        ("top_p", "2", "top_p is a number from 0 to 1, not 2.0"),
        ("num_ctx", "4k", "num_ctx is a whole number that is not negative, not '4k'"),
        ("num_ctx", "-1", "num_ctx is a whole number that is not negative, not -1"),
        ("num_ctx", "1.5", "num_ctx is a whole number that is not negative, not '1.5'"),
        ("top_k", "99999999999", "top_k is a whole number, not 99999999999"),
        ("use_mmap", "yes", "use_mmap is true or false, not 'yes'"),
    ],
)
def test_a_value_of_another_kind_says_what_it_may_be(name: str, text: str, said: str) -> None:
    with pytest.raises(ValueError, match="^" + said.replace("?", r"\?")):
        parsed(name, text)


@pytest.mark.parametrize("value", [1, "x", [], {}, None, True, 1.5])
def test_values_that_are_not_text_are_checked_too(value: Any) -> None:
    for name, parameter in PARAMETERS.items():
        if parameter.type is int and value != 1:
            with pytest.raises(ValueError, match=name):
                checked(name, value)
    assert checked("stop", "a") == ["a"]
    assert checked("top_k", 2.0) == 2


def test_the_surface_takes_every_parameter_and_refuses_the_same_values() -> None:
    known = set(Options.__struct_fields__) | Options.IGNORED
    assert set(PARAMETERS) <= known
    assert known - set(PARAMETERS) - DEPRECATED == set()
    for name, parameter in PARAMETERS.items():
        if name in Options.IGNORED or parameter.type in (str, bool):
            continue
        for bound, beyond in ((parameter.least, parameter.least - 1), (parameter.most, parameter.most + 1)):
            if name == "repeat_penalty" and bound == 0:
                continue
            assert msgspec.convert({name: parameter.type(bound)}, Options)
            with pytest.raises(msgspec.ValidationError):
                msgspec.convert({name: parameter.type(beyond)}, Options)
