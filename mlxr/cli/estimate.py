"""What a pull and a load of a model would come to (``mlxr pull --dry-run``, ``mlxr show``), printed.

A server that runs here is asked, since it knows what its engines could give back; without one it is worked out here.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import msgspec
import typer
from anyio import to_thread

from mlxr.api.estimate import CacheShare, Estimate, MemoryEstimate
from mlxr.cli.printing import print_facts, print_json
from mlxr.cli.reporting import carried_out
from mlxr.models.names import local_file
from mlxr.models.sizes import parameter_size, readable
from mlxr.runtime.errors import MlxrError
from mlxr.runtime.paths import Home
from mlxr.runtime.sandbox import Sandbox

if TYPE_CHECKING:
    from mlxr.cli.client.endpoint import Endpoint

PREPARE = "mlxr.actors.registry.metadata.reader:prepare"
"""Imports what reads a model of any kind."""

NOTHING_FITS = 1
"""Exit status where the model can't run here, or does not fit."""


async def estimated(name: str, context: int, insecure: bool = False) -> Estimate:
    """Returns what is known of a model that is here, or at its source. Raises as ``DryRun.estimate``."""
    sandbox = Sandbox(PREPARE)
    async with anyio.create_task_group() as tasks:
        # What reads the model gets ready while what finds it is imported: each takes about half a second.
        tasks.start_soon(_begun, sandbox)
        work = await to_thread.run_sync(importlib.import_module, "mlxr.cli.local_estimate")
    found: Estimate = await work.estimated(name, context, insecure, sandbox)
    return found


async def _begun(sandbox: Sandbox) -> None:
    with suppress(MlxrError, OSError):  # whoever asks it for something is told
        await sandbox.start()


def dry_run(server: Endpoint | None, name: str, context: int, insecure: bool, as_json: bool) -> None:
    """What ``mlxr pull --dry-run`` does: asks ``server`` where one is named, else one that runs here."""
    found = _asked(server, name, context, insecure) if server else _asked_here(name, context, insecure)
    print_estimate(found or carried_out(lambda: estimated(name, context, insecure)), as_json)


def _asked_here(name: str, context: int, insecure: bool) -> Estimate | None:
    """Asks a server of this home; None where none runs or has a word: what is wrong is said better here."""
    from mlxr.cli.client.client import ServerError, ServerGone
    from mlxr.cli.client.endpoint import running

    path = local_file(name)
    with suppress(ServerError, ServerGone):
        for server in running(Home.find())[:1]:
            return _asked(server, str(path) if path else name, context, insecure)
    return None


def _asked(server: Endpoint, name: str, context: int, insecure: bool) -> Estimate:
    from mlxr.cli.client.client import asked

    wanted = {"model": name, "context_length": context, "insecure": insecure}
    return msgspec.convert(asked(server, "POST", "/api/estimate", wanted), Estimate)


def print_estimate(found: Estimate, as_json: bool) -> None:
    """Prints an estimate, and exits with a status of its own where the model does not run or fit."""
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        print_facts(facts_of(found))
    if not fits(found):
        raise typer.Exit(NOTHING_FITS)


def fits(found: Estimate) -> bool:
    return found.runs and found.disk.fits and (found.memory is None or found.memory.fits)


def facts_of(found: Estimate) -> Iterator[tuple[str, str]]:
    """Yields a name and a text for each thing that is known."""
    yield "model", found.model
    yield "source", found.source
    unlike = f" (unknown here; the nearest that runs is {found.nearest})" if found.nearest else ""
    yield "architecture", found.architecture + unlike
    mix = ", ".join(f"{share.type} {share.bytes / _total(found):.0%}" for share in found.types[:4])
    yield "quantization", f"{found.quantization}  ({mix})" if mix else found.quantization
    active = f", {parameter_size(found.active_parameters)} active"
    yield "parameters", parameter_size(found.parameters) + (active if _sparse(found) else "")
    yield "runs here", f"yes, on {found.backend}" if found.runs else f"no: it {found.why}"
    yield from memory_facts(found)
    yield "download", readable(found.disk.needed) if found.disk.needed else "nothing: it is here"
    if found.disk.needed:
        yield (
            "disk",
            f"needs {readable(found.disk.needed)}, have {readable(found.disk.free)}{_verdict(found.disk.fits)}",
        )
    if found.read:
        yield "read", f"{readable(found.read)} of {readable(found.size)} to say this"


def memory_facts(found: Estimate) -> Iterator[tuple[str, str]]:
    """Yields what is known of memory and of speed."""
    if (memory := found.memory) is None:
        return
    yield "memory", needs(memory)
    yield "", _parts(memory)
    if memory.reclaimable:
        yield "", f"{readable(memory.reclaimable)} of what there is make way that other models hold"
    if memory.limit and memory.available == memory.limit:
        yield "", f"models.memory_limit leaves {readable(memory.limit)}"
    if memory.context:
        kept = "; ".join(map(_kept, memory.groups))
        yield "context", f"{memory.context} tokens take {readable(memory.cache)} ({kept})"
        longest = memory.fitting_context
        room = "no context fits" if not longest else f"up to {longest} tokens fit"
        yield "", f"{room}, of {found.context_length} that it was made for" if found.context_length else room
    if (speed := found.speed) is not None:
        yield (
            "speed",
            f"about {speed.tokens_per_second:.3g} tokens/s, {speed.at_context:.3g} at the end of that context "
            f"(within {speed.tolerance:.0%}: {readable(speed.read)} a token at {readable(speed.bandwidth)}/s)",
        )


def needs(memory: MemoryEstimate, context: bool = False) -> str:
    """Returns what a load needs and what there is, in a few words. ``context``: whether to say of how many tokens."""
    of_context = f" with {memory.context} tokens of context" if memory.context and context else ""
    return f"needs {readable(memory.needed)}{of_context}, have {readable(memory.available)}{_verdict(memory.fits)}"


def loading_facts(memory: MemoryEstimate | None) -> Iterator[tuple[str, str]]:
    """Yields what ``mlxr show`` says of a load."""
    if memory is not None:
        yield "memory", needs(memory, context=True)
        yield "", _parts(memory)


def _parts(memory: MemoryEstimate) -> str:
    cache = f" + {readable(memory.cache)} context" if memory.context else ""
    beside = memory.working + memory.process
    draft = f" + {readable(memory.draft)} to draft with" if memory.draft else ""
    return f"{readable(memory.weights)} weights{cache}{draft} + {readable(beside)} to work with"


def _kept(share: CacheShare) -> str:
    layers = f"{share.layers} {'layer' if share.layers == 1 else 'layers'}"
    if share.sequence_bytes:
        return f"{layers} with a state of {readable(share.sequence_bytes)}"
    window = f", of the last {share.window}" if share.window else ""
    kind = {"latent": " of latents"}.get(share.kind, "")
    type = f" ({share.page_type})" if share.page_type not in ("", "16bit") else ""
    return f"{layers}{kind} with {readable(share.token_bytes)} a token{type}{window}"


def _verdict(does: bool) -> str:
    return "" if does else ": it does not fit"


def _sparse(found: Estimate) -> bool:
    return found.active_parameters < found.parameters


def _total(found: Estimate) -> int:
    return max(sum(share.bytes for share in found.types), 1)
