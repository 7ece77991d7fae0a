"""The web application has German for what the server says, which is owned by the server and English."""

from __future__ import annotations

import json
import re

import pytest

from mlxr.runtime.config_sources import everything
from mlxr.server.config import Config
from tests.http.ui.sentences import ROOT, template_of, templates

CATALOGUE = ROOT / "ui/src/i18n/server/de"
ELSEWHERE = {"others", "settings"}


@pytest.fixture(scope="module")
def german() -> dict[str, dict[str, str]]:
    return {file.stem: json.loads(file.read_text("utf-8")) for file in sorted(CATALOGUE.glob("*.json"))}


def test_every_sentence_that_a_person_may_be_told_has_german(german: dict[str, dict[str, str]]) -> None:
    known = {said for sentences in german.values() for said in sentences}
    missing = [f"{file}: {said!r}" for said, file in templates().items() if said not in known and _has_words(said)]
    assert not missing, f"without German in {CATALOGUE.relative_to(ROOT)}: " + "; ".join(missing)


def test_every_key_of_the_configuration_is_explained_in_german(german: dict[str, dict[str, str]]) -> None:
    told = {setting.about for setting in everything(Config, None, {}, ()) if setting.about}
    assert told - german["settings"].keys() == set()


def test_what_the_server_no_longer_says_has_no_german(german: dict[str, dict[str, str]]) -> None:
    sources = template_of("".join(file.read_text("utf-8") for file in sorted((ROOT / "mlxr").rglob("*.py"))))
    said = templates().keys()
    # What is one word, or told in one of several ways, is no template by itself.
    gone = [
        sentence
        for room, sentences in german.items()
        if room not in ELSEWHERE
        for sentence in sentences
        if sentence not in said and f'"{sentence}"' not in sources
    ]
    assert gone == []
    assert german["settings"].keys() <= {setting.about for setting in everything(Config, None, {}, ())}


def test_german_fills_the_gaps_that_the_sentence_has(german: dict[str, dict[str, str]]) -> None:
    for sentences in german.values():
        for said, means in sentences.items():
            gaps = said.count("{}")
            numbered = {int(number) for number in re.findall(r"\{(\d+)\}", means)}
            assert means.count("{}") == (0 if numbered else gaps), said
            assert not numbered or numbered == set(range(gaps)), said
            assert not said.startswith(" ") or means.startswith((" ", ",")), said


def test_no_sentence_has_two_translations(german: dict[str, dict[str, str]]) -> None:
    every = [said for sentences in german.values() for said in sentences]
    assert sorted(every) == sorted(set(every))


def _has_words(said: str) -> bool:
    """Whether there is something to translate beside what differs."""
    return len(re.findall(r"[a-z]{2,}", re.sub(r"`[^`]*`|\{\}", " ", said))) > 1
