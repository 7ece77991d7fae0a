"""The server's process, before it has imported what takes long."""

from __future__ import annotations

import subprocess
import sys

FEW = 200

START = f"""
import os, resource, sys, tempfile
from mlxr.runtime import first_processes
from mlxr.server.main import main

def start(run_directory, *, executor, prepare, environment):
    print(bool(executor), bool(prepare), 'MLXR_SERVER_API_KEYS' in environment)
    print(resource.getrlimit(resource.RLIMIT_NOFILE)[0] > {FEW})
    sys.exit()

first_processes.start = start
resource.setrlimit(resource.RLIMIT_NOFILE, ({FEW}, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
file = tempfile.TemporaryFile()
os.environ['MLXR_SERVER_API_KEYS'] = 'key'
file.write(b'{{"config": {{"placement": {{"executor": "process"}}}}, "home": "/none"}}')
file.flush()
sys.argv[1:] = [str(os.dup(file.fileno()))]
main()
"""


def test_its_first_processes_may_open_as_many_files_as_it_may_itself_and_are_told_no_keys() -> None:
    said = subprocess.run([sys.executable, "-c", START], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert said.split() == ["True", "True", "False", "True"]
