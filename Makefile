# Everything goes into .venv and .home; `make clean` removes both.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export MLXR_HOME ?= $(CURDIR)/.home
PIP := $(BIN)/python -m pip --disable-pip-version-check
NATIVE := $(shell find mlxr/metal/cpu/native -type f -name '*.[ch]*' -o -name CMakeLists.txt)

.PHONY: setup up test test-clients lint bench models clean

setup: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt CMakeLists.txt $(NATIVE)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "mlxr needs Python 3.11 to 3.13; name one with make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -q -c constraints.txt scikit-build-core nanobind cmake ninja 'mlx[cpu]; sys_platform == "linux"' \
		'mlx; sys_platform == "darwin"'
	$(PIP) install -q -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $@

up: setup
	$(BIN)/mlxr up

models: setup
	@$(BIN)/python -m tests.models > /dev/null

test: models
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

test-clients: models
	$(PIP) install -q -c constraints.txt -e '.[clients]' --no-build-isolation
	npm install --prefix tests/clients/programs --no-package-lock --no-audit --no-fund --silent
	$(BIN)/python -m pytest -q -m clients tests/clients

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: models
	$(PIP) install -q -c constraints.txt -e '.[bench]' --no-build-isolation
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) .home build .cache
