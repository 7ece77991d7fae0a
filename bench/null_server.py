"""A server over ``NullExecutor``: ``python -m bench.null_server MODEL.gguf --port N``, under MLXR_HOME."""

from __future__ import annotations

import argparse
import sys
from functools import partial

import anyio

from mlxr.runtime import config, logs
from mlxr.runtime.paths import Home
from mlxr.server.actors import Factories
from mlxr.server.config import Config
from mlxr.server.serve import serve


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    model = config.Flag("model", "models.default", arguments.model)
    # Its texts repeat themselves; a token's way is what is measured, not how few steps guessing them takes.
    alone = config.Flag("speculation", "speculation.enabled", False)
    chosen = config.load(Config, flags=[model, config.Flag("--port", "server.port", arguments.port), alone])
    logs.set_up(logs.LogSettings("warning"))
    factories = Factories(executor="bench.null_executor:NullExecutor")
    return anyio.run(partial(serve, chosen, Home.find(), factories), backend_options={"use_uvloop": True})


if __name__ == "__main__":
    sys.exit(main())
