"""A chat as a person has it: the installed command on a terminal, with a real server and SmolLM2."""

from __future__ import annotations

import os
import re
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlxr.cli.client.endpoint import running
from mlxr.runtime.paths import Home
from tests.cli.terminal import on_terminal
from tests.server import Server, eventually, serving

STORY = "Tell me a very long story about a king"
STEADY = ("--temperature", "0", "--num-predict", "24")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("chat"), models=("smollm2", "minilm")) as server:
        yield server


def chatted(server: Server, *turns: str) -> str:
    """What the model says to the last of ``turns``, people's and its own, in the ``STEADY`` way."""
    messages = [{"role": ("user", "assistant")[at % 2], "content": turn} for at, turn in enumerate(turns)]
    body = {"model": "smollm2", "messages": messages, "options": {"temperature": 0, "num_predict": 24}, "stream": False}
    return str(server.request("/api/chat", body)[1]["message"]["content"])


def answers(text: str) -> list[str]:
    """The answers on a screen, in their order: what stands between a message and the next remark or prompt."""
    found = re.findall(r"^>>> .+\n((?:(?!>>>|mlxr:).*\n)+)", text, re.MULTILINE)
    return [" ".join(answer.split()) for answer in found]


def open_requests(server: Server) -> float:
    return server.metric("mlxr_open_requests")


def test_a_conversation_goes_on_from_turn_to_turn_until_ctrl_d(server: Server) -> None:
    with on_terminal(server.home, "run", "smollm2", *STEADY) as terminal:
        terminal.wait_for(r"^>>> Send a message \(/\? for help\)")
        terminal.say("My name is Ada. Say hello.")
        first = terminal.wait_idle(2)
        assert "Send a message" not in first.split("\n>>>")[0]
        terminal.say("What is my name?")
        said = chatted(server, "My name is Ada. Say hello.")
        then = chatted(server, "My name is Ada. Say hello.", said, "What is my name?")
        assert answers(terminal.wait_idle(3)) == [" ".join(each.split()) for each in (said, then)]
        terminal.type("\x04")
        assert terminal.wait_end() == 0


def test_ctrl_c_stops_the_answer_on_the_server_and_the_chat_goes_on(server: Server) -> None:
    with on_terminal(server.home, "run", "smollm2", "--temperature", "0") as terminal:
        terminal.wait_for("^>>> Send")
        terminal.say(STORY)
        terminal.wait_for(r"king\n(.*\n)*.{30}")
        assert open_requests(server) == 1
        terminal.type("\x03")
        terminal.wait_for(r"^\(stopped\)$")
        eventually(lambda: open_requests(server) == 0)
        text = terminal.wait_idle(2)
        assert "^C" not in text
        # At the prompt it throws away what was typed, and says how to leave.
        terminal.type("abc\x03")
        terminal.wait_idle(3)
        terminal.type("\x03")
        terminal.wait_for("Use Ctrl-D or /bye to leave.")
        terminal.say("/bye")
        assert terminal.wait_end() == 0


def test_what_is_typed_during_an_answer_waits_for_the_next_message(server: Server) -> None:
    with on_terminal(server.home, "run", "smollm2", *STEADY) as terminal:
        terminal.wait_for("^>>> Send")
        terminal.say("Say hi")
        terminal.wait_for(r"Say hi\n.*\w")
        terminal.type("typed ahead")
        text = terminal.wait_for("^>>> typed ahead")
        assert text.count("typed ahead") == 1


def test_messages_of_several_lines_by_quotes_by_alt_enter_and_by_pasting(server: Server) -> None:
    with on_terminal(server.home, "run", "smollm2", "--num-predict", "2") as terminal:
        terminal.wait_for("^>>> Send")
        terminal.say('"""one')
        terminal.wait_for(r"^\.\.\. $|^\.\.\.$")
        terminal.say('two"""')
        terminal.wait_idle(2)
        terminal.say("three\x1b\rfour")
        terminal.wait_idle(3)
        terminal.say("\x1b[200~five\nsix\x1b[201~")
        text = terminal.wait_idle(4)
        for first, second in (("one", 'two"""'), ("three", "four"), ("five", "six")):
            assert re.search(rf'^>>> (""")?{first}\n\.\.\. {re.escape(second)}$', text, re.MULTILINE), text


def test_commands_set_show_and_name_what_they_do_not_know(server: Server) -> None:
    with on_terminal(server.home, "run", "smollm2", lines=200) as terminal:
        terminal.wait_for("^>>> Send")
        expected = {
            "/set parameter temperature 0": "Set parameter 'temperature' to '0'",
            "/set parameter num_predict many": "num_predict takes a whole number",
            "/set parameter temprature 1": "did you mean temperature?",
            "/set system You are terse": "Set system message.",
            "/set verbose": "Set 'verbose' mode.",
            "/set format json": "Set format to 'json' mode.",
            "/set format {": "is no JSON",
            "/set noformat": "Disabled format.",
            "/set colour": "Unknown command '/set colour'",
            "/show system": "You are terse",
            "/show parameters": "temperature  +0",
            "/show info": "quantization +Q4_1",
            "/show license": "apache-2.0",
            "/show template": r"message\['role'\]|messages",
            "/show modelfile": "^FROM ",
            "/shwo": r"Unknown command '/shwo'. Did you mean /show\?",
            "/load nope": "Couldn't find model 'nope'",
            "/set think": "Set 'think' mode.",
        }
        for typed, said in expected.items():
            terminal.say(typed)
            terminal.wait_for(said)
        terminal.say("Hi")
        terminal.wait_for("does not support thinking|think")
        terminal.say("/set nothink")
        terminal.say("Hi")
        terminal.wait_for("eval rate")
        for figure in ("total duration", "time to first token", "prompt cached count", "eval rate"):
            terminal.wait_for(f"{figure}: +[0-9]")


def test_tab_completes_commands_and_names_of_models(server: Server) -> None:
    with on_terminal(server.home, "run", "smollm2") as terminal:
        terminal.wait_for("^>>> Send")
        terminal.type("/set par\ttemp\t0\r")
        terminal.wait_for("Set parameter 'temperature' to '0'")
        terminal.type("/load mini\t")
        terminal.wait_for("^>>> /load minilm")


def test_a_saved_chat_is_a_model_that_goes_on_where_it_was(server: Server) -> None:
    with on_terminal(server.home, "run", "smollm2", *STEADY) as terminal:
        terminal.wait_for("^>>> Send")
        terminal.say("My name is Ada. Say hello.")
        terminal.wait_idle(2)
        terminal.say("/save ada")
        terminal.wait_for("Created new model 'ada'")
        terminal.say("/load ada")
        terminal.wait_for("Loading model 'ada'")
        terminal.say("What is my name?")
        said = chatted(server, "My name is Ada. Say hello.")
        then = chatted(server, "My name is Ada. Say hello.", said, "What is my name?")
        assert answers(terminal.wait_idle(5))[-1] == " ".join(then.split())
    shown = server.request("/api/show", {"model": "ada"})[1]
    assert [turn["content"] for turn in shown["messages"]] == ["My name is Ada. Say hello.", said]
    assert "num_predict" in shown["parameters"]


def test_regenerate_answers_the_last_message_anew_and_clear_forgets(server: Server) -> None:
    with on_terminal(server.home, "run", "smollm2", *STEADY) as terminal:
        terminal.wait_for("^>>> Send")
        terminal.say("/regenerate")
        terminal.wait_for("There is nothing to answer anew yet.")
        terminal.say("Name a colour")
        terminal.wait_idle(3)
        terminal.say("/retry")
        first, again = answers(terminal.wait_idle(4))[-2:]
        assert first == again == " ".join(chatted(server, "Name a colour").split())
        terminal.say("/clear")
        terminal.wait_for("Cleared session context")


def test_what_was_typed_is_found_in_the_next_chat_and_by_nobody_else(server: Server) -> None:
    with on_terminal(server.home, "run", "smollm2") as terminal:
        terminal.wait_for("^>>> Send")
        terminal.say("/show system")
        terminal.wait_idle(2)
        terminal.say("/set nohistory")
        terminal.wait_for("Set 'nohistory' mode.")
        terminal.say("/show license")
        terminal.wait_for("apache")
    with on_terminal(server.home, "run", "smollm2") as terminal:
        terminal.wait_for("^>>> Send")
        terminal.type("\x1b[A")
        terminal.wait_for("^>>> /set nohistory")
        terminal.type("\x1b[A")
        terminal.wait_for("^>>> /show system")
    assert stat.S_IMODE(Home(server.home).history.stat().st_mode) == 0o600


def test_a_context_that_is_full_is_said_in_words(server: Server) -> None:
    with on_terminal(server.home, "run", "smollm2", "--temperature", "0", "--num-ctx", "96") as terminal:
        terminal.wait_for("^>>> Send")
        terminal.say(STORY)
        terminal.wait_for("mlxr: the context is full, at 9[0-9] tokens")
        terminal.say("And then?")
        terminal.wait_for("what does not\\s+fit is left out")
        terminal.wait_idle(3)
        terminal.say("/clear")
        terminal.say("word " * 200)
        terminal.wait_for("the prompt is too long")


def test_an_embedding_model_asks_for_a_text(server: Server) -> None:
    with on_terminal(server.home, "run", "minilm", columns=200) as terminal:
        assert terminal.wait_end() == 2
        assert 'mlxr: minilm makes embeddings of texts; give it one: mlxr run minilm "a text"' in terminal.text()


def test_narrow_terminals_break_lines_between_words(server: Server) -> None:
    with on_terminal(server.home, "run", "smollm2", *STEADY, "Tell me a story", columns=24) as terminal:
        assert terminal.wait_end() == 0
        narrow = terminal.text()
    with on_terminal(server.home, "run", "smollm2", *STEADY, "Tell me a story", columns=400) as terminal:
        assert terminal.wait_end() == 0
        wide = terminal.text()
    assert max(map(len, narrow.splitlines())) <= 24
    assert narrow.split() == wide.split()
    assert len(narrow.splitlines()) > 2


def test_no_color_leaves_no_colours_and_a_dumb_terminal_no_escapes_at_all(server: Server) -> None:
    with on_terminal(server.home, "run", "smollm2", *STEADY, "Say `hi`", TERM="dumb") as terminal:
        assert terminal.wait_end() == 0
        assert "\x1b" not in terminal.written
    with on_terminal(server.home, "run", "smollm2", *STEADY, NO_COLOR="1") as terminal:
        terminal.wait_for("^>>> Send")
        terminal.say("Say hi")
        terminal.wait_idle(2)
        colours = [code for codes in re.findall(r"\x1b\[([0-9;]*)m", terminal.written) for code in codes.split(";")]
        assert not [code for code in colours if code[:1] in ("3", "4", "9") and len(code) > 1]


def test_a_server_that_dies_in_the_midst_of_an_answer_is_replaced_and_the_conversation_kept(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home):
        pass  # the model is in the catalogue now
    with on_terminal(home, "run", "smollm2", "--temperature", "0", "--keepalive", "20") as terminal:
        terminal.wait_for("^>>> Send")
        (first,) = running(Home(home), {})
        assert first.background
        terminal.say("/set parameter num_predict 24")
        terminal.say("My name is Ada. Say hello.")
        terminal.wait_idle(3)
        terminal.say("/set parameter num_predict")
        terminal.say(STORY)
        terminal.wait_for(r"king\n(.*\n)*.{30}")
        os.kill(first.process, signal.SIGKILL)
        terminal.wait_for(r"mlxr: the server at .*(\n.*)*the\s+conversation\s+is\s+kept")
        terminal.say("/set parameter num_predict 24")
        terminal.say("What is my name?")
        terminal.wait_idle(7)
        terminal.say("/save kept")
        terminal.wait_for("Created new model 'kept'")
        terminal.say("/load kept")
        terminal.say("/show modelfile")
        assert f"MESSAGE user {STORY}" not in terminal.wait_for("MESSAGE user What is my name")
        assert "MESSAGE user My name is Ada" in terminal.text()
        (second,) = running(Home(home), {})
        assert second.process != first.process
        terminal.type("\x04")
        assert terminal.wait_end() == 0
    # It outlives the chat for others, and ends by itself.
    assert running(Home(home), {}) == [second]
    eventually(lambda: not running(Home(home), {}), seconds=90)
