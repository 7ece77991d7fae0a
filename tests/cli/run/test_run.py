"""``mlxr run`` with a prompt: the installed command in pipes, with a real server and real models."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.cli.commands import COMMAND, environment, mlxr
from tests.models import model_path
from tests.server import Server, eventually, free_port, serving

STEADY = ("--temperature", "0", "--num-predict", "16")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("run"), models=("smollm2", "minilm")) as server:
        yield server


def chatted(server: Server, content: str, **options: object) -> str:
    body = {"model": "smollm2", "messages": [{"role": "user", "content": content}], "stream": False}
    status, answer = server.request("/api/chat", {**body, "options": {"temperature": 0, "num_predict": 16, **options}})
    assert status == 200
    return str(answer["message"]["content"])


def test_one_prompt_has_one_answer_and_nothing_beside_it(server: Server) -> None:
    result = mlxr(server.home, "run", "smollm2", "Why", "is the sky blue?", *STEADY)
    remark = "mlxr: cut off after 16 tokens, which is num_predict (-n); a higher number lets answers go on\n"
    assert (result.returncode, result.stderr) == (0, remark)
    assert result.stdout == chatted(server, "Why is the sky blue?") + "\n"


def test_what_is_piped_in_goes_before_the_prompt(server: Server) -> None:
    result = mlxr(server.home, "run", "smollm2", "Repeat it.", *STEADY, stdin="The word is blue.")
    assert result.stdout == chatted(server, "The word is blue. Repeat it.") + "\n"
    alone = mlxr(server.home, "run", "smollm2", *STEADY, stdin="Say hi")
    assert alone.stdout == chatted(server, "Say hi") + "\n"


def test_format_and_system_and_options_reach_the_model(server: Server, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}')
    for format in (str(schema), f"@{schema}", schema.read_text()):
        result = mlxr(server.home, "run", "smollm2", "A number", "--format", format, "--temperature", "0")
        assert list(json.loads(result.stdout)) == ["n"]
    body = {
        "model": "smollm2",
        "messages": [{"role": "system", "content": "Be a pirate"}, {"role": "user", "content": "Hello"}],
        "stream": False,
        "options": {"temperature": 0.0, "num_predict": 16, "repeat_penalty": 1.3, "stop": ["matey"]},
    }
    arguments = ["--system", "Be a pirate", "--temp", "0", "-o", "repeat_penalty=1.3", "--stop", "matey"]
    result = mlxr(server.home, "run", "smollm2", "Hello", *STEADY, *arguments)
    assert result.stdout.rstrip("\n") == server.request("/api/chat", body)[1]["message"]["content"].rstrip("\n")


def test_json_is_an_event_a_line_with_the_figures_at_the_end(server: Server) -> None:
    result = mlxr(server.home, "run", "smollm2", "Why is the sky blue?", *STEADY, "--json")
    *pieces, last = map(json.loads, result.stdout.splitlines())
    assert {piece["event"] for piece in pieces} == {"text"}
    assert last["event"] == "done"
    assert last["text"] == "".join(piece["text"] for piece in pieces) == chatted(server, "Why is the sky blue?")
    assert (last["tokens"], last["done_reason"]) == (16, "length")
    assert last["first_token_seconds"] > 0
    again = mlxr(server.home, "run", "smollm2", "Why is the sky blue?", *STEADY, "--json")
    assert json.loads(again.stdout.splitlines()[-1])["cached_tokens"] > 0


def test_figures_are_on_stderr(server: Server) -> None:
    result = mlxr(server.home, "run", "smollm2", "Hi", *STEADY, "--verbose")
    names = [line.partition(":")[0] for line in result.stderr.splitlines() if ":" in line and "mlxr" not in line]
    assert names[:3] == ["total duration", "load duration", "time to first token"]
    assert "eval rate" in names
    assert "duration" not in result.stdout


def test_an_embedding_model_prints_a_vector(server: Server) -> None:
    result = mlxr(server.home, "run", "minilm", "some text")
    vector = server.request("/api/embed", {"model": "minilm", "input": "some text"})[1]["embeddings"][0]
    assert json.loads(result.stdout) == pytest.approx(vector)
    shorter = mlxr(server.home, "run", "minilm", "--json", "--dimensions", "4", stdin="some text")
    event = json.loads(shorter.stdout)
    assert (event["event"], len(event["embedding"])) == ("embedding", 4)


def test_a_file_is_run_by_its_path_from_wherever_it_is(server: Server) -> None:
    path = model_path("smollm2")
    command = [str(COMMAND), "run", f"./{path.name}", "Say hi", *STEADY]
    result = subprocess.run(
        command,
        cwd=path.parent,
        env=environment(server.home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == chatted(server, "Say hi") + "\n"


def test_a_picture_is_named_as_what_no_model_sees(server: Server, tmp_path: Path) -> None:
    picture = tmp_path / "cat.png"
    picture.write_bytes(b"x")
    result = mlxr(server.home, "run", "smollm2", f"What is in {picture}?", *STEADY)
    assert f"{picture} is a picture, which no model here can see" in result.stderr
    assert "picture" not in mlxr(server.home, "run", "smollm2", "What is in /none/cat.png?", *STEADY).stderr


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["no-such-model", "hi"], 1, "no-such-model"),
        (["smollm2"], 2, 'give a prompt: mlxr run smollm2 "..."'),
        (["smollm2", "hi", "--think"], 1, "think"),
        (["smollm2", "hi", "--think=much"], 2, "low, medium, high"),
        (["smollm2", "hi", "--format", "yaml"], 2, "JSON schema"),
        (["smollm2", "hi", "-o", "temperatur=1"], 2, "did you mean temperature?"),
        (["smollm2", "hi", "-o", "temperature"], 2, "NAME=VALUE"),
        (["smollm2", "hi", "--temperature", "hot"], 2, "mlxr run --help"),
        (["smollm2", "hi", "--endpoint", "ftp://x"], 2, "is no server"),
    ],
)
def test_what_is_wrong_is_one_line_with_the_way_out(
    server: Server, arguments: list[str], status: int, says: str
) -> None:
    result = mlxr(server.home, "run", *arguments)
    assert result.returncode == status, result.stderr
    (line,) = result.stderr.splitlines()
    assert line.startswith("mlxr: ")
    assert says in line
    assert result.stdout == ""


def test_where_no_server_answers_is_said(tmp_path: Path) -> None:
    result = mlxr(tmp_path, "run", "smollm2", "hi", MLXR_HOST=f"127.0.0.1:{free_port()}")
    assert result.returncode == 1
    assert "no server answers" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_ends_the_answer_on_the_server_with_130(server: Server) -> None:
    process = subprocess.Popen(
        [str(COMMAND), "run", "smollm2", "Tell me a very long story"],
        env=environment(server.home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell's background jobs, and so what they start, ignore SIGINT.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert process.stdout.read(5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    eventually(lambda: server.metric("mlxr_open_requests") == 0)


def test_a_reader_that_leaves_ends_it_quietly(server: Server) -> None:
    command = f'"{COMMAND}" run smollm2 "Tell me a very long story" | head -c 5'
    result = subprocess.run(
        command,
        shell=True,
        env=environment(server.home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(result.stdout) == 5
    assert result.stderr == ""
    eventually(lambda: server.metric("mlxr_open_requests") == 0)


def test_who_has_typed_a_path_is_told_why_it_is_no_model(server: Server, tmp_path: Path) -> None:
    junk = tmp_path / "junk.gguf"
    junk.write_text("no model")
    refused = mlxr(server.home, "run", str(junk), "hi")
    assert refused.returncode == 1
    assert refused.stderr == f"mlxr: no model can be read at {str(junk)!r}: the file is no GGUF file\n"


@pytest.mark.parametrize(
    ("name", "said"),
    [("smollm2+nobody", "there is no adapter of the name 'nobody'"), ("smollm2+minilm", "'minilm' is a model, and no")],
)
def test_an_adapter_that_is_none_is_named_and_nothing_is_pulled(server: Server, name: str, said: str) -> None:
    for command in (["run", name, "hi"], ["show", name]):
        refused = mlxr(server.home, *command)
        assert refused.returncode == 1
        assert said in refused.stderr
        assert refused.stderr.count("\n") == 1


def test_more_context_than_a_model_has_is_remarked_upon(server: Server) -> None:
    asked = mlxr(server.home, "run", "smollm2", "hi", "-n", "1", "-c", "100000")
    assert asked.returncode == 0
    assert "smollm2 has a context of 8192 tokens, and num_ctx 100000 makes it no longer" in asked.stderr
    assert "num_ctx" not in mlxr(server.home, "run", "smollm2", "hi", "--stop", "a", "-c", "8192").stderr
