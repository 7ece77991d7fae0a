"""What people type who know other local servers, and mlxr does not have: each says what to do here instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

import typer

from mlxr.runtime.errors import ConfigError

COMMANDS = {
    "remove": "it is called `mlxr rm`",
    "delete": "it is called `mlxr rm`",
    "copy": "it is called `mlxr cp`",
    "start": "it is called `mlxr up`",
    "version": "it is called `mlxr --version`",
    "server": "it is called `mlxr up`",
    "download": "it is called `mlxr pull`",
    "models": "it is called `mlxr list`",
    "unload": "it is called `mlxr stop`",
    "generate": "it is called `mlxr run`",
    "status": "`mlxr ps` shows what is loaded, `mlxr top` what a server does",
    "embed": "`mlxr run MODEL TEXT` prints the vector of an embedding model",
    "embedding": "`mlxr run MODEL TEXT` prints the vector of an embedding model",
    "search": "https://huggingface.co/models?library=gguf has models; `mlxr pull hf.co/OWNER/NAME` fetches one",
    "signin": "nothing here needs an account; HF_TOKEN, or `hf auth login`, opens gated repositories of Hugging Face",
    "login": "nothing here needs an account; HF_TOKEN, or `hf auth login`, opens gated repositories of Hugging Face",
    "signout": "nothing here needs an account",
}

_MODEL = ("--model", "-m", "--hf-repo", "-hfr")
_CONTEXT = ("--ctx-size", "--context-length", "--max-model-len", "-c")

OPTIONS: Mapping[str, Mapping[tuple[str, ...], str]] = {
    "up": {
        _MODEL: "the model is an argument: mlxr up {}",
        _CONTEXT: "the context is set by --set executor.context_length={}",
        ("-t",): "threads are set by --threads {}",
        ("-ngl", "--gpu-layers", "--n-gpu-layers"): "a GPU that is there computes all layers; --backend says who does",
        ("-fa", "--flash-attn"): "attention is computed that way in any case",
        ("-np", "--parallel", "--max-num-seqs"): "set by --set scheduler.max_sequences={}",
        ("-b", "--batch-size", "--max-num-batched-tokens"): "set by --set scheduler.token_budget={}",
        ("-ctk", "--cache-type-k", "-ctv", "--cache-type-v", "--kv-cache-dtype"): "set by --set kv.page_type=int8",
        ("-md", "--model-draft"): "set by --set speculation.draft_model={}",
        ("--keepalive", "--keep-alive"): "set by --set models.keep_alive={} (5m, 24h, -1 for ever)",
        ("-a", "--alias", "--served-model-name"): "a model has another name by mlxr cp MODEL {}",
        (
            "--lora",
            "--adapter",
        ): "a Modelfile's ADAPTER makes a model of its own (mlxr create)",
        ("--jinja",): "a model's own template is rendered in any case",
    },
    "run": {
        _MODEL: "the model is the first argument: mlxr run {}",
        ("--prompt", "-p"): "the prompt is the argument behind the model",
        ("--file", "-f"): "a prompt in a file is piped in: mlxr run MODEL < {}",
        ("--threads", "-t"): "threads are the server's: mlxr up --threads {}",
        ("-ngl", "--gpu-layers", "--n-gpu-layers"): "a GPU that is there computes all layers",
        ("-cnv", "--conversation", "-i", "--interactive"): "without a prompt it is a chat",
        ("-sys", "--system-prompt"): "it is called --system",
        ("--repeat-penalty",): "it is set by -o repeat_penalty={}",
        ("--keep-alive",): "it is called --keepalive",
        ("--lora", "--adapter"): "a model with an adapter is named MODEL+ADAPTER",
    },
    "convert": {
        ("--outfile", "--mlx-path"): "the file or folder to write is set by -o {}",
        ("--outtype", "-q", "--quantize", "--q-bits"): "the type is set by --type Q8_0, or for MLX --type 8bit",
        ("--hf-path", *_MODEL): "the model is the first argument: mlxr convert {}",
    },
    "imatrix": {_MODEL: "the model is the first argument: mlxr imatrix {}"},
    "bench": {_MODEL: "the model is the first argument: mlxr bench {}"},
}
"""Options of Ollama, llama.cpp, vLLM and mlx-lm, by the verb here; ``{}`` is what was given with one."""

_ONE_MODEL = "{verb} takes one model: the file to write is named by -o {second}, its type by --type"
"""For ``llama-quantize IN OUT TYPE`` and its like."""

SAME_VERBS = {"serve": "up", "chat": "run"}

VARIABLES = {
    "OLLAMA_KEEP_ALIVE": "models.keep_alive",
    "OLLAMA_MAX_LOADED_MODELS": "models.max_loaded",
    "OLLAMA_NUM_PARALLEL": "scheduler.max_sequences",
    "OLLAMA_MAX_QUEUE": "scheduler.max_waiting",
    "OLLAMA_CONTEXT_LENGTH": "executor.context_length",
    "OLLAMA_KV_CACHE_TYPE": "kv.page_type",
    "OLLAMA_ORIGINS": "server.cors_origins",
    "OLLAMA_DEBUG": "log.level",
    "LLAMA_ARG_MODEL": "models.default",
    "LLAMA_ARG_CTX_SIZE": "executor.context_length",
    "LLAMA_ARG_N_PARALLEL": "scheduler.max_sequences",
    "LLAMA_ARG_THREADS": "executor.threads",
    "LLAMA_ARG_HOST": "server.host",
    "LLAMA_ARG_PORT": "server.port",
    "LLAMA_API_KEY": "server.api_keys",
}
"""What configures other servers, and the key that does so here."""

_HOST = "OLLAMA_HOST"


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``, out of sight; each fails and says what to do."""
    taking_anything = {"allow_extra_args": True, "ignore_unknown_options": True}
    for name in COMMANDS:
        app.command(name, hidden=True, context_settings=taking_anything)(explain)


def explain(context: typer.Context) -> NoReturn:
    name = context.info_name or ""
    raise ConfigError(f"there is no command {name}: {COMMANDS[name]}")


def instead(arguments: Sequence[str]) -> str:
    """Returns what to say of an option of another server in a command line that is wrong; '' where it has none."""
    verb = SAME_VERBS.get(arguments[0], arguments[0]) if arguments else ""
    told = {name: way for names, way in OPTIONS.get(verb, {}).items() for name in names}
    for place, argument in enumerate(arguments[1:], 1):
        name, _, value = argument.partition("=")
        if name in told:
            value = value or next(iter(arguments[place + 1 : place + 2]), "")
            given = value if value and not value.startswith("-") else "..."
            return f"there is no {name}: {told[name].format(given)}"
    if (
        verb in ("quantize", "convert")
        and len(arguments) > 2
        and not any(arg.startswith("-") for arg in arguments[1:3])
    ):
        return _ONE_MODEL.format(verb=verb, second=arguments[2])
    return ""


def unread_variables(environment: Mapping[str, str], ports: Iterable[int]) -> list[str]:
    """Returns a remark for what a server that listens at ``ports`` would do by another server's variables."""
    remarks = []
    if there := [name for name in VARIABLES if environment.get(name)]:
        told = ", ".join(f"{name} ({VARIABLES[name]} here)" for name in there)
        remarks.append(f"not read, since it is another server's: {told}; `mlxr config set` or --set does the same")
    host = environment.get(_HOST, "").rstrip("/")
    if host and not host.endswith(tuple(f":{port}" for port in ports)):
        remarks.append(f"{_HOST} is where Ollama's programs look; this server listens where --host and --port say")
    return remarks
